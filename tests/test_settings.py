"""The settings module in a deployment: safe by default, and it refuses to start with invalid values."""

import os
import runpy
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from portal.core.permissions import Role
from tests.test_environment import sentence_of

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "only-for-tests-" + "x" * 50,
    "CREDENTIAL_KEYS": urlsafe_b64encode(b"only-for-tests".ljust(32)).decode(),
    "ALLOWED_HOSTS": "portal.example.com",
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process environment that holds the least a production start needs."""
    for name in list(os.environ):
        if not name.startswith(("COVERAGE", "COV_")):
            monkeypatch.delenv(name)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def read_settings() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "portal/settings.py"), run_name="portal.settings")


def test_the_defaults_are_productions(environ: pytest.MonkeyPatch) -> None:
    settings = read_settings()
    assert settings["DEBUG"] is False
    assert settings["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert settings["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    assert settings["SESSION_COOKIE_SECURE"] is settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 365 * 24 * 60 * 60
    assert [region.base_url for region in settings["BYCLOUD_REGIONS"].values()] == ["https://api.spo1.mycloud.com"]
    assert settings["BYCLOUD_LIMITS"].deadline_seconds == 10
    assert settings["PAGE_FRESH_SECONDS"] == 15
    assert "SECURE_PROXY_SSL_HEADER" not in settings


def test_plain_http_is_for_loopback(environ: pytest.MonkeyPatch) -> None:
    environ.delenv("ALLOWED_HOSTS")
    environ.setenv("PLAIN_HTTP", "1")
    settings = read_settings()
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["SESSION_COOKIE_NAME"] == "sessionid"
    assert settings["SESSION_COOKIE_SECURE"] is settings["SECURE_SSL_REDIRECT"] is False
    assert settings["SECURE_HSTS_SECONDS"] == 0


@pytest.mark.parametrize(
    ("given", "public_url"),
    [
        ({}, "https://portal.example.com"),
        ({"PUBLIC_URL": "https://portal.example.com/"}, "https://portal.example.com"),
        ({"PUBLIC_URL": "https://Portal.example.com:8443"}, "https://portal.example.com:8443"),
        ({"PUBLIC_URL": "https://portal.example.com:443"}, "https://portal.example.com"),
        (
            {"PUBLIC_URL": "https://portal.example.com", "ALLOWED_HOSTS": "other.example.com,portal.example.com"},
            "https://portal.example.com",
        ),
        ({"PUBLIC_URL": "https://a.example.com", "ALLOWED_HOSTS": ".example.com"}, "https://a.example.com"),
        ({"PLAIN_HTTP": "1", "ALLOWED_HOSTS": "", "PORT": "8123"}, "http://127.0.0.1:8123"),
        ({"PLAIN_HTTP": "1", "ALLOWED_HOSTS": "", "PUBLIC_URL": "http://localhost:8000"}, "http://localhost:8000"),
        ({"PLAIN_HTTP": "1", "ALLOWED_HOSTS": "[::1]", "PUBLIC_URL": "http://[::1]:8000"}, "http://[::1]:8000"),
    ],
)
def test_the_portal_knows_its_public_address(
    environ: pytest.MonkeyPatch, given: dict[str, str], public_url: str
) -> None:
    for name, value in given.items():
        environ.setenv(name, value)
    assert read_settings()["PUBLIC_URL"] == public_url


@pytest.mark.parametrize(
    ("hosts", "public_url", "words"),
    [
        ("a.example.com,b.example.com", "", "is not set; unless ALLOWED_HOSTS is one host name"),
        (".example.com", "", "is not set; unless ALLOWED_HOSTS is one host name"),
        ("*", "", "is not set; unless ALLOWED_HOSTS is one host name"),
        (
            "portal.example.com",
            "portal.example.com",
            "has 'portal.example.com', which is not a valid URL like https://",
        ),
        ("portal.example.com", "https://portal.example.com/console", "must not have a path"),
        ("portal.example.com", "https://portal.example.com/?a=1", "is not a valid URL like https://"),
        ("portal.example.com", "https://portal.example.com:port", "is not a valid URL like https://"),
        ("portal.example.com", "https://ada:word@portal.example.com", "must not contain a user name or password"),
        ("portal.example.com", "http://portal.example.com", "must start with https://"),
        (
            "portal.example.com",
            "https://other.example.com",
            "has the host other.example.com, which is not in ALLOWED_HOSTS",
        ),
    ],
)
def test_a_public_address_that_cannot_work_stops_the_start(
    environ: pytest.MonkeyPatch, hosts: str, public_url: str, words: str
) -> None:
    environ.setenv("ALLOWED_HOSTS", hosts)
    environ.setenv("PUBLIC_URL", public_url)
    sentence = sentence_of(read_settings)
    assert sentence.startswith("PUBLIC_URL ")
    assert words in sentence
    assert "word@" not in sentence


def test_a_trusted_proxy_is_believed_about_the_scheme(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("TRUSTED_PROXY_COUNT", "1")
    assert read_settings()["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_sqlite_is_asked_to_let_readers_go_on(environ: pytest.MonkeyPatch) -> None:
    assert "journal_mode=WAL" in read_settings()["DATABASES"]["default"]["OPTIONS"]["init_command"]


def test_another_database_is_taken_as_it_is_given_and_gets_a_pool(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("DATABASE_URL", "postgres://portal:word@db.example.com/portal?sslmode=verify-full")
    database = read_settings()["DATABASES"]["default"]
    assert (database["ENGINE"], database["HOST"]) == ("django.db.backends.postgresql", "db.example.com")
    assert database["OPTIONS"]["sslmode"] == "verify-full"
    assert database["OPTIONS"]["pool"]["max_size"] == 16


def test_one_process_keeps_pages_in_itself_and_bounds_them(environ: pytest.MonkeyPatch) -> None:
    pages = read_settings()["CACHES"]["pages"]
    assert pages["BACKEND"] == "portal.gateway.memory_cache.MemoryCache"
    assert pages["OPTIONS"]["MAX_BYTES"] == 64 * 1024 * 1024


@pytest.mark.parametrize("url", ["locmem://", "db://cache_table", "rediss://cache.example.com:6380/1"])
def test_throttles_are_counted_in_the_database_wherever_pages_are(environ: pytest.MonkeyPatch, url: str) -> None:
    environ.setenv("CACHE_URL", url)
    assert read_settings()["CACHES"]["default"] == {"BACKEND": "portal.accounts.throttles.DatabaseCache"}


def test_a_shared_cache_is_given_up_on_quickly(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("CACHE_URL", "rediss://cache.example.com:6380/1")
    caches = read_settings()["CACHES"]
    for name in ("pages", "counters"):
        cache = caches[name]
        assert cache["LOCATION"] == "rediss://cache.example.com:6380/1"
        assert cache["BACKEND"] == "portal.gateway.failover_cache.FailoverCache"
        assert cache["OPTIONS"]["socket_timeout"] <= 2
    assert len({caches[name].get("KEY_PREFIX") for name in caches}) == 3


def test_what_must_not_be_lost_may_have_a_server_of_its_own(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("CACHE_URL", "rediss://cache.example.com:6380/1")
    environ.setenv("COUNTERS_URL", "rediss://counters.example.com:6380/1")
    caches = read_settings()["CACHES"]
    assert caches["counters"]["LOCATION"] == "rediss://counters.example.com:6380/1"
    assert caches["pages"]["LOCATION"] == "rediss://cache.example.com:6380/1"


def test_in_one_process_pages_and_what_must_not_be_lost_make_no_room_for_each_other(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("CACHE_URL", "locmem://")
    caches = read_settings()["CACHES"]
    assert caches["pages"]["BACKEND"] == caches["counters"]["BACKEND"] == "portal.gateway.memory_cache.MemoryCache"
    assert caches["pages"]["LOCATION"] != caches["counters"]["LOCATION"]


def test_another_cache_keeps_pages_apart(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("CACHE_URL", "db://cache_table")
    caches = read_settings()["CACHES"]
    assert caches["pages"]["LOCATION"] == caches["counters"]["LOCATION"] == "cache_table"
    assert (caches["pages"]["KEY_PREFIX"], caches["counters"]["KEY_PREFIX"]) == ("pages", "counters")


def test_the_settings_may_all_stand_in_one_file(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in PRODUCTION:
        environ.delenv(name)
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in PRODUCTION.items()), encoding="utf-8")
    environ.setenv("ENV_FILE", str(tmp_path / "env"))
    settings = read_settings()
    assert settings["SECRET_KEY"] == PRODUCTION["SECRET_KEY"]
    assert settings["CREDENTIAL_KEYS"] == [PRODUCTION["CREDENTIAL_KEYS"]]


@pytest.mark.parametrize("name", ["SECRET_KEY", "CREDENTIAL_KEYS", "ALLOWED_HOSTS"])
def test_a_production_start_needs_it(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.delenv(name)
    assert sentence_of(read_settings).startswith(f"{name} is not set; ")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SECRET_KEY", "short", "has 5 characters; it needs at least 50"),
        ("CREDENTIAL_KEYS", "not-a-key", "has a key that is not a Fernet key"),
        ("CREDENTIAL_KEYS", PRODUCTION["CREDENTIAL_KEYS"] + ",", "has a key that is not a Fernet key"),
        (
            "CSRF_TRUSTED_ORIGINS",
            "portal.example.com",
            "has 'portal.example.com', which is not a valid origin like https://",
        ),
        ("TRUSTED_PROXY_COUNT", "-1", "must be at least 0"),
        ("DEBUG", "maybe", "is not a valid boolean"),
        ("PLAIN_HTTP", "2", "is not a valid boolean"),
        ("DATABASE_URL", "nowhere", "is not a valid database url"),
        ("CACHE_URL", "nowhere", "is invalid"),
        ("BYCLOUD_REGIONS", "http://127.0.0.1:9800", "is not a valid region like spo1=https://"),
        ("BYCLOUD_REGION_HEADER", "X-Region", "is not a valid boolean"),
        ("BYCLOUD_DEADLINE_SECONDS", "0", "must be more than 0 and at most 60"),
        ("BYCLOUD_DEADLINE_SECONDS", "61", "must be more than 0 and at most 60"),
        ("BYCLOUD_DEADLINE_SECONDS", "soon", "is not a valid number"),
        ("BYCLOUD_PROXY", "proxy.example.com:3128", "must start with http:// or https://"),
        ("BYCLOUD_CONSOLE_URL", "javascript:alert(1)", "must start with https:// or mailto:"),
        ("HELP_URL", "http://help.example.com", "must start with https:// or mailto:"),
        ("BYCLOUD_CA_BUNDLE", "/nowhere/ca.pem", "names /nowhere/ca.pem, which is not a file"),
        ("PAGE_FRESH_SECONDS", "-1", "must be at least 0"),
        ("BYCLOUD_RATE_PER_MINUTE", "0", "must be at least 1"),
        ("BYCLOUD_RATE_PER_HOUR", "0", "must be at least 1"),
        ("BYCLOUD_RATE_SCOPE", "person", "must be credential or region"),
        ("BYCLOUD_RATE_RESERVE", "0.5", "must be at least 0 and less than 0.5"),
        ("WEB_CONCURRENCY", "0", "must be at least 1"),
        ("WEB_THREADS", "4", "must be at least 5; 4 threads never wait for ByCloud"),
        ("PORTAL_PROCESSES", "0", "must be at least 1; it is the number of processes on all hosts"),
        ("REQUIRE_SECOND_FACTOR", "some", "must be nobody, admins or everybody"),
        ("OIDC_ORIGINS", "login.example.com", "is not a valid URL like https://login.example.com"),
        ("OIDC_ROLE_GROUPS", "staff=owner", "is not a valid group=role; roles are admin, operator, viewer"),
        ("SSO_ONLY", "1", "requires OIDC_ISSUER"),
    ],
)
def test_a_value_that_cannot_work_stops_the_start(
    environ: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    environ.setenv(name, value)
    sentence = sentence_of(read_settings)
    assert sentence.startswith(f"{name} ")
    assert words in sentence


@pytest.mark.parametrize("name", ["SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL"])
def test_a_refused_secret_is_not_repeated(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.setenv(name, "hunter2://hunter2")
    assert "hunter2" not in sentence_of(read_settings)


PROVIDER = {
    "OIDC_ISSUER": "https://login.example.com/realms/acme/",
    "OIDC_CLIENT_ID": "portal",
    "OIDC_CLIENT_SECRET": "a-secret-of-the-portal",
    "OIDC_ROLE_GROUPS": "admins=admin",
}


@pytest.fixture
def with_provider(environ: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in PROVIDER.items():
        environ.setenv(name, value)
    return environ


def test_a_provider_is_known_by_its_issuer_and_called_by_its_host(with_provider: pytest.MonkeyPatch) -> None:
    settings = read_settings()
    assert settings["OIDC_ISSUER"] == "https://login.example.com/realms/acme"
    assert settings["OIDC_NAME"] == "login.example.com"
    assert settings["OIDC_ORIGINS"] == ["https://login.example.com"]
    with_provider.setenv("OIDC_NAME", "Acme ID")
    with_provider.setenv("OIDC_ORIGINS", "https://sso.example.com/path")
    settings = read_settings()
    assert settings["OIDC_NAME"] == "Acme ID"
    assert settings["OIDC_ORIGINS"] == ["https://login.example.com", "https://sso.example.com"]


@pytest.mark.parametrize("name", ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_ROLE_GROUPS"])
def test_half_a_provider_stops_the_start(with_provider: pytest.MonkeyPatch, name: str) -> None:
    with_provider.delenv(name)
    assert sentence_of(read_settings) == f"{name} is not set; single sign-on (OIDC_ISSUER) needs it."


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OIDC_ISSUER", "http://login.example.com", "must start with https://"),
        ("OIDC_ISSUER", "http://localhost:9400", "must start with https://"),
        ("OIDC_ISSUER", "https://login.example.com/" + "x" * 200, "must not have more than 200 characters"),
        ("OIDC_SCOPES", "profile", "must include openid"),
        ("OIDC_CA_BUNDLE", "/nowhere/ca.pem", "names /nowhere/ca.pem, which is not a file"),
    ],
)
def test_a_provider_that_cannot_work_stops_the_start(
    with_provider: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    with_provider.setenv(name, value)
    sentence = sentence_of(read_settings)
    assert sentence.startswith(f"{name} ")
    assert words in sentence


def test_admins_need_a_second_factor_unless_this_is_a_machine_of_their_own(environ: pytest.MonkeyPatch) -> None:
    assert read_settings()["REQUIRE_SECOND_FACTOR"] == "admins"
    environ.setenv("PLAIN_HTTP", "1")
    assert read_settings()["REQUIRE_SECOND_FACTOR"] == "nobody"


def test_the_roles_that_groups_can_give_are_the_roles_there_are(with_provider: pytest.MonkeyPatch) -> None:
    with_provider.setenv("OIDC_ROLE_GROUPS", ",".join(f"{role}-group={role}" for role in Role.values))
    assert len(read_settings()["OIDC_ROLE_GROUPS"]) == len(Role.values)
