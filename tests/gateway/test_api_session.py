from pytest_django import Settings

from portal.bycloud import ApiKey, BearerToken, Region
from portal.gateway import ApiSession

REGION = Region("spo1", "https://api.spo1.mycloud.com")


def test_the_scope_names_the_region_and_hides_the_credential() -> None:
    access = ApiSession(REGION, BearerToken("a-token"))
    assert access.scope.startswith("spo1:")
    assert "a-token" not in access.scope
    assert "a-token" not in repr(access)


def test_equal_accesses_share_a_scope() -> None:
    assert ApiSession(REGION, BearerToken("a-token")).scope == ApiSession(REGION, BearerToken("a-token")).scope


def test_another_region_address_kind_or_secret_is_another_scope() -> None:
    accesses = [
        ApiSession(REGION, BearerToken("a")),
        ApiSession(REGION, BearerToken("b")),
        ApiSession(REGION, ApiKey("a", "b")),
        ApiSession(REGION, ApiKey("b", "a")),
        ApiSession(Region("spo2", REGION.base_url), BearerToken("a")),
        ApiSession(Region("spo1", "https://api.example.com"), BearerToken("a")),
    ]
    assert len({access.scope for access in accesses}) == len(accesses)


def test_the_scope_depends_on_the_secret_key(settings: Settings) -> None:
    before = ApiSession(REGION, BearerToken("a-token")).scope
    settings.SECRET_KEY = "another-key"
    assert ApiSession(REGION, BearerToken("a-token")).scope != before
