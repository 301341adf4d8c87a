"""System checks for deployments: settings that are valid on their own but not together. `manage.py check` runs them."""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DatabaseError

from portal.accounts.models import Member
from portal.environment import is_loopback

IN_PROCESS_CACHES = frozenset(
    {
        "django.core.cache.backends.locmem.LocMemCache",
        "django.core.cache.backends.dummy.DummyCache",
        "portal.gateway.memory_cache.MemoryCache",
    }
)
SHORTEST_CLIENT_SECRET = 16
# A random key of 50 characters has about 35 different ones; a typed or repeated one has few.
FEWEST_SIGNS = 10
FEWEST_BYTES = 10
_NEW_KEYS = "docs/settings.md has a command that generates one."
LONGEST_IDLE, LONGEST_SESSION = timedelta(hours=1), timedelta(days=1)
SAFE_SSL_MODES = frozenset({"require", "verify-ca", "verify-full"})


@register(Tags.security)
def check_debug(**_rest: Any) -> Sequence[CheckMessage]:
    if not settings.DEBUG or _is_at_home():
        return []
    return [Error("DEBUG is on in production: error pages would show settings and code to everyone.", id="portal.E001")]


@register(Tags.caches)
def check_shared_cache(**_rest: Any) -> Sequence[CheckMessage]:
    processes = settings.PORTAL_PROCESSES
    inside = [name for name, cache in _list_servers() if cache["BACKEND"] in IN_PROCESS_CACHES]
    if not inside or processes == 1:
        return []
    return [
        Error(
            f"WEB_CONCURRENCY or PORTAL_PROCESSES sets {processes} processes, but {inside[0]} is an in-process cache:"
            " they would not share cached pages and rate limits.",
            hint=f"Set {inside[0]} to a Redis or Valkey server, or WEB_CONCURRENCY=1 with more threads.",
            id="portal.E002",
        )
    ]


@register(Tags.database)
def check_database_is_kept(**_rest: Any) -> Sequence[CheckMessage]:
    database = settings.DATABASES["default"]
    if _is_at_home() or not database["ENGINE"].endswith("sqlite3") or ":memory:" not in str(database["NAME"]):
        return []
    return [Error("DATABASE_URL is an in-memory database: all data is lost when the process ends.", id="portal.E003")]


@register(Tags.database)
def check_database_is_private(**_rest: Any) -> Sequence[CheckMessage]:
    """For databases created before the portal set its umask. SQLite creates its other files with the same mode."""
    database = settings.DATABASES["default"]
    path = Path(database["NAME"]) if database["ENGINE"].endswith("sqlite3") else None
    if _is_at_home() or path is None or not path.is_file() or not path.stat().st_mode & 0o007:
        return []
    return [
        Warning(
            f"{path} is readable by every user of this machine: it contains members, audit events and credentials.",
            hint=f"chmod 600 {path}*",
            id="portal.W028",
        )
    ]


@register(Tags.security)
def check_plain_http_is_local(**_rest: Any) -> Sequence[CheckMessage]:
    if not settings.PLAIN_HTTP or _is_at_home():
        return []
    hosts = sorted({host for host in settings.ALLOWED_HOSTS if not is_loopback(host)})
    return [
        Warning(
            f"PLAIN_HTTP is on, but ALLOWED_HOSTS contains {', '.join(hosts)}: sessions would be sent unencrypted.",
            hint="PLAIN_HTTP=1 is for local use only. Remove it and use a reverse proxy with TLS.",
            id="portal.W004",
        )
    ]


@register(Tags.security)
def check_trusted_origins(**_rest: Any) -> Sequence[CheckMessage]:
    plain = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if not origin.startswith("https://")]
    if _is_at_home() or not plain:
        return []
    return [Error(f"CSRF_TRUSTED_ORIGINS contains {', '.join(plain)}, which is not https://.", id="portal.E005")]


@register(Tags.security)
def check_second_factor(**_rest: Any) -> Sequence[CheckMessage]:
    if _is_at_home() or settings.REQUIRE_SECOND_FACTOR != "nobody":
        return []
    return [
        Warning(
            "REQUIRE_SECOND_FACTOR is nobody: a stolen password is enough to sign in as an admin.",
            hint="Remove it, so that admins need a second factor, or set it to everybody.",
            id="portal.W007",
        )
    ]


@register(Tags.security)
def check_provider_secret(**_rest: Any) -> Sequence[CheckMessage]:
    length = len(settings.OIDC_CLIENT_SECRET)
    if _is_at_home() or not settings.OIDC_ISSUER or length >= SHORTEST_CLIENT_SECRET:
        return []
    return [
        Warning(
            f"OIDC_CLIENT_SECRET has {length} characters: it is too easy to guess.",
            hint=f"Generate one with at least {SHORTEST_CLIENT_SECRET} characters at the provider.",
            id="portal.W008",
        )
    ]


@register(Tags.database)
def check_way_in_without_provider(*, databases: Sequence[str] | None = None, **_rest: Any) -> Sequence[CheckMessage]:
    """Runs only if a database is checked, as by `migrate` and `check --database default`. gunicorn runs the checks
    before it forks, when no connection may be open yet.
    """
    if not settings.SSO_ONLY or "default" not in (databases or ()):
        return []
    try:
        if any(admin.has_usable_password() for admin in Member.objects.active_admins()):
            return []
    except DatabaseError:
        # The tables do not exist yet.
        return []
    return [
        Warning(
            "SSO_ONLY is on, and no active admin has a password: no one can sign in while the provider is down.",
            hint="Add one with manage.py add_member NAME --role admin.",
            id="portal.W009",
        )
    ]


@register(Tags.security)
def check_any_host(**_rest: Any) -> Sequence[CheckMessage]:
    if _is_at_home() or "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error("ALLOWED_HOSTS is *: the portal would accept any host name.", id="portal.E006"),
    ]


@register(Tags.security)
def check_secret_key_is_random(**_rest: Any) -> Sequence[CheckMessage]:
    key: str = settings.SECRET_KEY
    if _is_at_home() or (len(set(key)) >= FEWEST_SIGNS and not key.startswith("django-insecure-")):
        return []
    return [
        Error(
            "SECRET_KEY is not random: anyone who guesses it can forge sessions.",
            hint=_NEW_KEYS,
            id="portal.E020",
        )
    ]


@register(Tags.security)
def check_credential_keys_are_random(**_rest: Any) -> Sequence[CheckMessage]:
    weak = [key for key in settings.CREDENTIAL_KEYS if len(set(urlsafe_b64decode(key))) < FEWEST_BYTES]
    if _is_at_home() or not weak:
        return []
    return [
        Error(
            "CREDENTIAL_KEYS has a key that is not random: anyone who guesses it can decrypt credentials.",
            hint=_NEW_KEYS,
            id="portal.E021",
        )
    ]


@register(Tags.security)
def check_no_host_by_its_ending(**_rest: Any) -> Sequence[CheckMessage]:
    endings = [host for host in settings.ALLOWED_HOSTS if host.startswith(".") and not is_loopback(host)]
    if _is_at_home() or not endings:
        return []
    return [
        Warning(
            f"ALLOWED_HOSTS contains {', '.join(endings)}: the portal would accept any subdomain.",
            hint="List each host name.",
            id="portal.W022",
        )
    ]


@register(Tags.caches)
def check_cache_is_encrypted(**_rest: Any) -> Sequence[CheckMessage]:
    locations = {name: str(cache.get("LOCATION", "")) for name, cache in _list_servers()}
    plain = [
        name
        for name, location in locations.items()
        if location.startswith("redis://") and not _is_here(urlsplit(location).hostname)
    ]
    if _is_at_home() or not plain:
        return []
    return [
        Warning(
            f"{plain[0]} uses redis:// to another machine: cached instances would be sent unencrypted.",
            hint="Use rediss:// or a private network.",
            id="portal.W023",
        )
    ]


@register(Tags.database)
def check_database_is_encrypted(**_rest: Any) -> Sequence[CheckMessage]:
    database = settings.DATABASES["default"]
    is_remote = database["ENGINE"].endswith("postgresql") and not _is_here(database.get("HOST"))
    if _is_at_home() or not is_remote or database.get("OPTIONS", {}).get("sslmode") in SAFE_SSL_MODES:
        return []
    return [
        Warning(
            "DATABASE_URL connects to another machine without requiring TLS: sessions could be sent unencrypted.",
            hint="Add ?sslmode=verify-full.",
            id="portal.W024",
        )
    ]


@register(Tags.security)
def check_mail_is_encrypted(**_rest: Any) -> Sequence[CheckMessage]:
    is_encrypted = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL
    if _is_at_home() or not settings.EMAIL_URL or is_encrypted or _is_here(settings.EMAIL_HOST):
        return []
    return [
        Warning(
            "EMAIL_URL does not use TLS: password reset links would be sent unencrypted.",
            hint="Use submission:// or smtps://.",
            id="portal.W025",
        )
    ]


@register(Tags.security)
def check_sessions_end(**_rest: Any) -> Sequence[CheckMessage]:
    figures = (
        ("SESSION_IDLE_MINUTES", settings.SESSION_IDLE, LONGEST_IDLE, "an hour"),
        ("SESSION_ABSOLUTE_HOURS", settings.SESSION_ABSOLUTE, LONGEST_SESSION, "a day"),
    )
    return [
        Warning(f"{name} is more than {words}: an unattended device would stay signed in.", id="portal.W026")
        for name, given, longest, words in figures
        if given > longest and not _is_at_home()
    ]


def _list_servers() -> list[tuple[str, dict[str, Any]]]:
    """The cache settings, by name."""
    return [("CACHE_URL", settings.CACHES["pages"]), ("COUNTERS_URL", settings.CACHES["counters"])]


def _is_at_home() -> bool:
    """Plain HTTP on loopback only: settings that would be a mistake in production are fine."""
    return settings.PLAIN_HTTP and all(map(is_loopback, settings.ALLOWED_HOSTS))


def _is_here(host: str | None) -> bool:
    """No host, or a path, means a local socket."""
    return not host or host.startswith("/") or is_loopback(host)
