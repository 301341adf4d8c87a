"""System checks of a deployment: settings that are each right and together wrong. Every `manage.py check` runs them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004

IN_PROCESS_CACHES = frozenset(
    {"django.core.cache.backends.locmem.LocMemCache", "django.core.cache.backends.dummy.DummyCache"}
)
SHORTEST_CLIENT_SECRET = 16
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", ".localhost"})


@register(Tags.security)
def check_debug(**_rest: Any) -> Sequence[CheckMessage]:
    if not settings.DEBUG or settings.PLAIN_HTTP:
        return []
    return [Error("DEBUG is on in production: errors would show settings and code to everybody.", id="portal.E001")]


@register(Tags.caches)
def check_shared_cache(**_rest: Any) -> Sequence[CheckMessage]:
    processes = settings.PORTAL_PROCESSES
    if settings.CACHES["default"]["BACKEND"] not in IN_PROCESS_CACHES or processes == 1:
        return []
    return [
        Error(
            f"WEB_CONCURRENCY or PORTAL_PROCESSES asks for {processes} processes, but CACHE_URL names a cache in each"
            " of them: they would share no pages, and a throttle of 5 would let through 5 in each.",
            hint="Set CACHE_URL to a Redis or Valkey server, or WEB_CONCURRENCY=1 with more threads.",
            id="portal.E002",
        )
    ]


@register(Tags.database)
def check_database_is_kept(**_rest: Any) -> Sequence[CheckMessage]:
    database = settings.DATABASES["default"]
    if settings.PLAIN_HTTP or not database["ENGINE"].endswith("sqlite3") or ":memory:" not in str(database["NAME"]):
        return []
    return [Error("DATABASE_URL names a database in memory: it is gone when the process ends.", id="portal.E003")]


@register(Tags.security)
def check_plain_http_is_local(**_rest: Any) -> Sequence[CheckMessage]:
    hosts = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    if not settings.PLAIN_HTTP or not hosts:
        return []
    return [
        Warning(
            f"PLAIN_HTTP is on, but ALLOWED_HOSTS names {', '.join(hosts)}: sessions would travel unencrypted.",
            hint="PLAIN_HTTP=1 is for this machine alone. Put a proxy that speaks TLS in front and leave it out.",
            id="portal.W004",
        )
    ]


@register(Tags.security)
def check_trusted_origins(**_rest: Any) -> Sequence[CheckMessage]:
    plain = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if not origin.startswith("https://")]
    if settings.PLAIN_HTTP or not plain:
        return []
    return [Error(f"CSRF_TRUSTED_ORIGINS names {', '.join(plain)}, which is not https://.", id="portal.E005")]


@register(Tags.security)
def check_second_factor(**_rest: Any) -> Sequence[CheckMessage]:
    if settings.PLAIN_HTTP or settings.REQUIRE_SECOND_FACTOR != "nobody":
        return []
    return [
        Warning(
            "REQUIRE_SECOND_FACTOR is nobody: whoever learns an admin's password is one.",
            hint="Leave it out, so that admins need a second factor, or set it to everybody.",
            id="portal.W007",
        )
    ]


@register(Tags.security)
def check_provider_secret(**_rest: Any) -> Sequence[CheckMessage]:
    length = len(settings.OIDC_CLIENT_SECRET)
    if settings.PLAIN_HTTP or not settings.OIDC_ISSUER or length >= SHORTEST_CLIENT_SECRET:
        return []
    return [
        Warning(
            f"OIDC_CLIENT_SECRET has {length} characters: it can be guessed.",
            hint=f"Let the provider make one of {SHORTEST_CLIENT_SECRET} or more.",
            id="portal.W008",
        )
    ]


@register(Tags.security)
def check_any_host(**_rest: Any) -> Sequence[CheckMessage]:
    if settings.PLAIN_HTTP or "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error("ALLOWED_HOSTS is *: links in invitations could be made to point at any host.", id="portal.E006"),
    ]
