from pytest_django import Settings

from portal.bycloud import ApiKey, BearerToken, Region
from portal.gateway import ApiSession

REGION = Region("spo1", "https://api.spo1.mycloud.com")


def test_the_namespace_names_the_region_and_hides_the_credential() -> None:
    session = ApiSession(REGION, BearerToken("a-token"))
    assert session.cache_namespace.startswith("spo1:")
    assert "a-token" not in session.cache_namespace
    assert "a-token" not in repr(session)


def test_equal_sessions_share_a_namespace() -> None:
    first, second = (ApiSession(REGION, BearerToken("a-token")) for _ in range(2))
    assert first.cache_namespace == second.cache_namespace


def test_another_region_address_kind_or_secret_is_another_namespace() -> None:
    sessions = [
        ApiSession(REGION, BearerToken("a")),
        ApiSession(REGION, BearerToken("b")),
        ApiSession(REGION, ApiKey("a", "b")),
        ApiSession(REGION, ApiKey("b", "a")),
        ApiSession(Region("spo2", REGION.base_url), BearerToken("a")),
        ApiSession(Region("spo1", "https://api.example.com"), BearerToken("a")),
    ]
    assert len({session.cache_namespace for session in sessions}) == len(sessions)


def test_the_namespace_depends_on_the_secret_key(settings: Settings) -> None:
    before = ApiSession(REGION, BearerToken("a-token")).cache_namespace
    settings.SECRET_KEY = "another-key"
    assert ApiSession(REGION, BearerToken("a-token")).cache_namespace != before
