"""System checks for deployments: settings that are valid on their own but not together. `manage.py check` runs them."""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import caches
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DatabaseError

from portal.accounts.models import Member
from portal.environment import is_loopback
from portal.gateway.failover_cache import FailoverCache

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

Find = Callable[[], Iterator[str]]


def check(
    code: str, tag: str, *, hint: str = "", runs_at_home: bool = False, asks_servers: bool = False
) -> Callable[[Find], Find]:
    """Register a function that yields problems, as errors (`portal.E...`) or warnings (`portal.W...`).

    One that `asks_servers` runs only with `check --deploy` and when gunicorn starts.
    """
    kind = Error if code.startswith("portal.E") else Warning

    def register_it(find: Find) -> Find:
        def run(**_rest: Any) -> Sequence[CheckMessage]:
            if _is_at_home() and not runs_at_home:
                return []
            return [kind(problem, hint=hint or None, id=code) for problem in find()]

        register(run, tag, deploy=asks_servers)
        return find

    return register_it


@check("portal.E001", Tags.security)
def find_debug() -> Iterator[str]:
    if settings.DEBUG:
        yield "DEBUG is on in production: error pages would show settings and code to everyone."


@check(
    "portal.E002",
    Tags.caches,
    hint="Set it to a Redis or Valkey server, or WEB_CONCURRENCY=1 with more threads.",
    runs_at_home=True,
)
def find_unshared_cache() -> Iterator[str]:
    processes = settings.PORTAL_PROCESSES
    inside = [name for name, cache in _list_servers() if cache["BACKEND"] in IN_PROCESS_CACHES]
    if inside and processes > 1:
        yield (
            f"WEB_CONCURRENCY or PORTAL_PROCESSES sets {processes} processes, but {inside[0]} is an in-process cache:"
            " they would not share cached pages and rate limits."
        )


@check("portal.E003", Tags.database)
def find_database_in_memory() -> Iterator[str]:
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3") and ":memory:" in str(database["NAME"]):
        yield "DATABASE_URL is an in-memory database: all data is lost when the process ends."


@check("portal.W028", Tags.database, hint="Use chmod 600 on it and on the files that begin with its name.")
def find_readable_database() -> Iterator[str]:
    """For databases created before the portal set its umask. SQLite creates its other files with the same mode."""
    database = settings.DATABASES["default"]
    path = Path(database["NAME"])
    if database["ENGINE"].endswith("sqlite3") and path.is_file() and path.stat().st_mode & 0o007:
        yield f"{path} is readable by every user of this machine: it contains members, audit events and credentials."


@check(
    "portal.W004",
    Tags.security,
    hint="PLAIN_HTTP=1 is for local use only. Remove it and use a reverse proxy with TLS.",
)
def find_plain_http() -> Iterator[str]:
    hosts = sorted({host for host in settings.ALLOWED_HOSTS if not is_loopback(host)})
    if settings.PLAIN_HTTP:
        yield f"PLAIN_HTTP is on, but ALLOWED_HOSTS contains {', '.join(hosts)}: sessions would be sent unencrypted."


@check("portal.E005", Tags.security)
def find_plain_origins() -> Iterator[str]:
    plain = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if not origin.startswith("https://")]
    if plain:
        yield f"CSRF_TRUSTED_ORIGINS contains {', '.join(plain)}, which is not https://."


@check(
    "portal.W007",
    Tags.security,
    hint="Remove it, so that admins need a second factor, or set it to everybody.",
)
def find_no_second_factor() -> Iterator[str]:
    if settings.REQUIRE_SECOND_FACTOR == "nobody":
        yield "REQUIRE_SECOND_FACTOR is nobody: a stolen password is enough to sign in as an admin."


@check(
    "portal.W008",
    Tags.security,
    hint=f"Generate one with at least {SHORTEST_CLIENT_SECRET} characters at the provider.",
)
def find_short_provider_secret() -> Iterator[str]:
    length = len(settings.OIDC_CLIENT_SECRET)
    if settings.OIDC_ISSUER and length < SHORTEST_CLIENT_SECRET:
        yield f"OIDC_CLIENT_SECRET has {length} characters: it is too easy to guess."


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


@check("portal.E006", Tags.security)
def find_any_host() -> Iterator[str]:
    if "*" in settings.ALLOWED_HOSTS:
        yield "ALLOWED_HOSTS is *: the portal would accept any host name."


@check("portal.E020", Tags.security, hint=_NEW_KEYS)
def find_weak_secret_key() -> Iterator[str]:
    key: str = settings.SECRET_KEY
    if len(set(key)) < FEWEST_SIGNS or key.startswith("django-insecure-"):
        yield "SECRET_KEY is not random: anyone who guesses it can forge sessions."


@check("portal.E021", Tags.security, hint=_NEW_KEYS)
def find_weak_credential_keys() -> Iterator[str]:
    if any(len(set(urlsafe_b64decode(key))) < FEWEST_BYTES for key in settings.CREDENTIAL_KEYS):
        yield "CREDENTIAL_KEYS has a key that is not random: anyone who guesses it can decrypt credentials."


@check("portal.W022", Tags.security, hint="List each host name.")
def find_hosts_by_ending() -> Iterator[str]:
    endings = [host for host in settings.ALLOWED_HOSTS if host.startswith(".") and not is_loopback(host)]
    if endings:
        yield f"ALLOWED_HOSTS contains {', '.join(endings)}: the portal would accept any subdomain."


@check("portal.W023", Tags.caches, hint="Use rediss:// or a private network.")
def find_plain_cache() -> Iterator[str]:
    locations = ((name, str(cache.get("LOCATION", ""))) for name, cache in _list_servers())
    plain = [name for name, url in locations if url.startswith("redis://") and not _is_here(urlsplit(url).hostname)]
    if plain:
        yield f"{plain[0]} uses redis:// to another machine: cached instances would be sent unencrypted."


@check(
    "portal.W027",
    Tags.caches,
    hint="Set COUNTERS_URL to a Redis with maxmemory-policy noeviction; pages stay at CACHE_URL.",
    runs_at_home=True,
    asks_servers=True,
)
def find_evicted_counters() -> Iterator[str]:
    counters = caches["counters"]
    policy = counters.find_eviction_policy() if isinstance(counters, FailoverCache) else None
    if policy:
        yield (
            f"The Redis of COUNTERS_URL has maxmemory-policy {policy}: a full one drops pauses and what is spent of"
            " ByCloud's limit."
        )


@check("portal.W024", Tags.database, hint="Add ?sslmode=verify-full.")
def find_plain_database() -> Iterator[str]:
    database = settings.DATABASES["default"]
    is_remote = database["ENGINE"].endswith("postgresql") and not _is_here(database.get("HOST"))
    if is_remote and database.get("OPTIONS", {}).get("sslmode") not in SAFE_SSL_MODES:
        yield "DATABASE_URL connects to another machine without requiring TLS: sessions could be sent unencrypted."


@check("portal.W025", Tags.security, hint="Use submission:// or smtps://.")
def find_plain_mail() -> Iterator[str]:
    is_encrypted = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL
    if settings.EMAIL_URL and not is_encrypted and not _is_here(settings.EMAIL_HOST):
        yield "EMAIL_URL does not use TLS: password reset links would be sent unencrypted."


@check("portal.W026", Tags.security)
def find_long_sessions() -> Iterator[str]:
    if settings.SESSION_IDLE > LONGEST_IDLE:
        yield "SESSION_IDLE_MINUTES is more than an hour: an unattended device would stay signed in."
    if settings.SESSION_ABSOLUTE > LONGEST_SESSION:
        yield "SESSION_ABSOLUTE_HOURS is more than a day: an unattended device would stay signed in."


def _list_servers() -> list[tuple[str, dict[str, Any]]]:
    """The cache settings, by name."""
    return [("CACHE_URL", settings.CACHES["pages"]), ("COUNTERS_URL", settings.CACHES["counters"])]


def _is_at_home() -> bool:
    """Plain HTTP on loopback only: settings that would be a mistake in production are fine."""
    return settings.PLAIN_HTTP and all(map(is_loopback, settings.ALLOWED_HOSTS))


def _is_here(host: str | None) -> bool:
    """No host, or a path, means a local socket."""
    return not host or host.startswith("/") or is_loopback(host)
