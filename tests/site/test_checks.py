"""System checks for settings that are valid on their own but not together."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.hashers import make_password
from django.core.checks import run_checks
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Member
from portal.site import checks

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "SECRET_KEY": "".join(f"{number:02}aB" for number in range(20)),
    "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "portal.example.com",
    "BYCLOUD_REGIONS": "spo1=https://api.spo1.mycloud.com",
    "DJANGO_SETTINGS_MODULE": "portal.settings",
}


def redis(url: str) -> dict[str, Any]:
    return {
        key: {"BACKEND": "portal.gateway.failover_cache.FailoverCache", "LOCATION": url}
        for key in ("pages", "counters")
    }


def postgresql(host: str, **options: str) -> dict[str, Any]:
    engine = "django.db.backends.postgresql"
    return {"default": {"ENGINE": engine, "NAME": "portal", "HOST": host, "OPTIONS": options}}


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Settings as production has them, as far as the checks look."""
    facts = SimpleNamespace(
        PLAIN_HTTP=False,
        DEBUG=False,
        ALLOWED_HOSTS=["portal.example.com"],
        CSRF_TRUSTED_ORIGINS=["https://portal.example.com"],
        TRUSTED_PROXY_COUNT=1,
        REQUIRE_SECOND_FACTOR="admins",
        OIDC_ISSUER="",
        OIDC_CLIENT_SECRET="",
        SSO_ONLY=False,
        PORTAL_PROCESSES=1,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/portal.sqlite3"}},
        CACHES={key: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"} for key in ("pages", "counters")},
        SECRET_KEY=PRODUCTION["SECRET_KEY"],
        CREDENTIAL_KEYS=[PRODUCTION["CREDENTIAL_KEYS"]],
        SESSION_IDLE=timedelta(hours=1),
        SESSION_ABSOLUTE=timedelta(days=1),
        EMAIL_URL="",
        EMAIL_HOST="localhost",
        EMAIL_USE_TLS=False,
        EMAIL_USE_SSL=False,
    )
    monkeypatch.setattr(checks, "settings", facts)
    return facts


def found(**asked: Any) -> set[str]:
    return {str(message.id) for message in run_checks(**asked) if str(message.id).startswith("portal.")}


def test_production_settings_pass(production: SimpleNamespace) -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"DEBUG": True}, "portal.E001"),
        ({"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}, "portal.E003"),
        ({"PLAIN_HTTP": True}, "portal.W004"),
        ({"CSRF_TRUSTED_ORIGINS": ["http://portal.example.com"]}, "portal.E005"),
        ({"ALLOWED_HOSTS": ["*"]}, "portal.E006"),
        ({"REQUIRE_SECOND_FACTOR": "nobody"}, "portal.W007"),
        ({"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_SECRET": "short"}, "portal.W008"),
        ({"SECRET_KEY": "changeme" * 10}, "portal.E020"),
        ({"SECRET_KEY": "django-insecure-" + PRODUCTION["SECRET_KEY"]}, "portal.E020"),
        ({"CREDENTIAL_KEYS": [PRODUCTION["CREDENTIAL_KEYS"], "A" * 43 + "="]}, "portal.E021"),
        ({"ALLOWED_HOSTS": ["portal.example.com", ".example.com"]}, "portal.W022"),
        ({"CACHES": redis("redis://cache.example.com:6379/0")}, "portal.W023"),
        ({"DATABASES": postgresql("db.example.com")}, "portal.W024"),
        ({"DATABASES": postgresql("db.example.com", sslmode="prefer")}, "portal.W024"),
        ({"EMAIL_URL": "smtp://mail.example.com", "EMAIL_HOST": "mail.example.com"}, "portal.W025"),
        ({"SESSION_IDLE": timedelta(minutes=61)}, "portal.W026"),
        ({"SESSION_ABSOLUTE": timedelta(hours=25)}, "portal.W026"),
    ],
)
def test_each_mistake_has_its_name(production: SimpleNamespace, change: dict[str, Any], code: str) -> None:
    for name, value in change.items():
        setattr(production, name, value)
    assert found() == {code}


def test_a_database_file_that_others_can_read_has_its_name(production: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "portal.sqlite3"
    file.touch()
    production.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file}}
    file.chmod(0o644)
    assert found() == {"portal.W028"}
    file.chmod(0o600)
    assert found() == set()


@pytest.mark.parametrize(
    "change",
    [
        {"CACHES": redis("rediss://cache.example.com:6379/0")},
        {"CACHES": redis("redis://localhost:6379/0")},
        {"CACHES": redis("redis://127.0.0.1:6379/0")},
        {"DATABASES": postgresql("db.example.com", sslmode="verify-full")},
        {"DATABASES": postgresql("localhost")},
        {"DATABASES": postgresql("/run/postgresql")},
        {"DATABASES": postgresql("")},
        {"EMAIL_URL": "smtp://localhost"},
        {"EMAIL_URL": "smtps://mail.example.com", "EMAIL_HOST": "mail.example.com", "EMAIL_USE_SSL": True},
    ],
)
def test_what_stays_on_this_machine_or_is_encrypted_passes(production: SimpleNamespace, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(production, name, value)
    assert found() == set()


@pytest.mark.parametrize(
    ("processes", "backend", "codes"),
    [
        (4, "django.core.cache.backends.locmem.LocMemCache", {"portal.E002"}),
        (2, "django.core.cache.backends.dummy.DummyCache", {"portal.E002"}),
        (1, "django.core.cache.backends.locmem.LocMemCache", set()),
        (4, "django.core.cache.backends.redis.RedisCache", set()),
    ],
)
def test_a_cache_inside_each_of_several_processes_is_refused(
    production: SimpleNamespace, processes: int, backend: str, codes: set[str]
) -> None:
    production.PORTAL_PROCESSES = processes
    production.CACHES = {key: {"BACKEND": backend} for key in ("pages", "counters")}
    assert found() == codes


class TestTheWayInWhileTheProviderIsDown:
    @pytest.fixture(autouse=True)
    def single_sign_on_only(self, production: SimpleNamespace) -> None:
        production.SSO_ONLY = True

    def test_without_an_admin_who_has_a_password_there_is_none(self, vera: Member, ada: Member) -> None:
        assert found(databases=["default"]) == set()
        for change in ({"password": make_password(None)}, {"is_active": False}, {"role": "operator"}):
            before = {name: getattr(ada, name) for name in change}
            Member.objects.filter(pk=ada.pk).update(**change)
            assert found(databases=["default"]) == {"portal.W009"}
            Member.objects.filter(pk=ada.pk).update(**before)

    def test_no_one_misses_it_where_passwords_are_for_all(self, production: SimpleNamespace, db: None) -> None:
        production.SSO_ONLY = False
        assert found(databases=["default"]) == set()

    def test_it_asks_the_database_only_where_that_is_wanted(
        self, django_assert_num_queries: DjangoAssertNumQueries, db: None
    ) -> None:
        """What gunicorn checks comes before it forks, and processes must not share a connection."""
        with django_assert_num_queries(0):
            assert found() == set()

    def test_before_there_are_tables_nothing_is_missed(self, tmp_path: Path) -> None:
        done = run_check(
            "--database",
            "default",
            DATABASE_URL=f"sqlite:///{tmp_path / 'empty.sqlite3'}",
            OIDC_ISSUER="https://login.example.com",
            OIDC_CLIENT_ID="portal",
            OIDC_CLIENT_SECRET="x" * 32,
            OIDC_ROLE_GROUPS="admins=admin",
            SSO_ONLY="1",
        )
        assert done.returncode == 0, done.stderr


def test_at_home_plain_http_and_debug_are_fine(production: SimpleNamespace) -> None:
    production.PLAIN_HTTP = production.DEBUG = True
    production.REQUIRE_SECOND_FACTOR = "nobody"
    production.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    production.CSRF_TRUSTED_ORIGINS = ["http://localhost:8000"]
    assert found() == set()


def run_check(*options: str, **extra: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING", *options],
        cwd=ROOT,
        env=kept | PRODUCTION | {"ENV_FILE": os.devnull} | extra,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["pages", "counters"])
def test_each_of_the_two_servers_is_looked_at(production: SimpleNamespace, name: str) -> None:
    safe = {"BACKEND": "portal.gateway.failover_cache.FailoverCache", "LOCATION": "rediss://cache.example.com"}
    production.CACHES = dict.fromkeys(("pages", "counters"), safe) | {name: safe | {"LOCATION": "redis://far.example"}}
    assert found() == {"portal.W023"}
    production.PORTAL_PROCESSES = 2
    inside = {"BACKEND": "portal.gateway.memory_cache.MemoryCache", "LOCATION": "counters"}
    production.CACHES = dict.fromkeys(("pages", "counters"), safe) | {name: inside}
    assert found() == {"portal.E002"}


def test_djangos_own_deployment_check_has_no_warning_with_production_settings() -> None:
    done = run_check()
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_it_fails_by_name_for_each_weak_setting_and_repeats_no_secret() -> None:
    done = run_check(
        DEBUG="1",
        SECRET_KEY="changeme" * 10,
        ALLOWED_HOSTS=".example.com",
        PUBLIC_URL="https://portal.example.com",
        CACHE_URL="redis://cache.example.com:6379/0",
        DATABASE_URL="postgres://portal:word@db.example.com/portal",
        EMAIL_URL="smtp://portal:word@mail.example.com",
        EMAIL_FROM="portal@example.com",
        SESSION_IDLE_MINUTES="120",
    )
    assert done.returncode != 0
    told = set(re.findall(r"\(portal\.([EW]\d+)\)", done.stderr))
    assert told >= {"E001", "E020", "W022", "W023", "W024", "W025", "W026"}
    assert not any(secret in done.stderr for secret in ("changeme", "word@", PRODUCTION["CREDENTIAL_KEYS"]))


@pytest.mark.parametrize("hosts", [["portal.example.com"], ["localhost", "portal.example.com"], ["*"]])
def test_plain_http_silences_nothing_where_others_reach_the_portal(
    production: SimpleNamespace, hosts: list[str]
) -> None:
    production.PLAIN_HTTP = production.DEBUG = True
    production.ALLOWED_HOSTS = hosts
    production.REQUIRE_SECOND_FACTOR = "nobody"
    assert {"portal.E001", "portal.W004", "portal.W007"} <= found()
