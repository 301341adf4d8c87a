"""How current a page is: its refresh, its version, the rate limit and the request behind it."""

import shlex
from datetime import datetime
from hashlib import blake2b
from math import ceil
from typing import Any

import msgspec
from django.conf import settings
from django.utils import timezone

from portal import __version__
from portal.bycloud import ApiKey
from portal.core.formatting import clock_text, exact_text, iso_text
from portal.gateway import ApiSession, Cached, FetchError, Meter, UpstreamCall

HIGH_SHARE = 0.8
VERSION_BYTES = 8
# Upstream works: the page continues as soon as it may, without increasing intervals.
STEADY_KINDS = frozenset({"rate-limit-reached", "rate-limited", "busy"})
OWN_KINDS = frozenset({"rate-limit-reached", "busy"})


class RefreshState(msgspec.Struct, frozen=True):
    """The data for the script. `pending` identifies the set of things in transition: equal names, equal sets.

    `refresh_seconds` is the member's preference; 0: manual only. `follow_seconds` is the interval while a walk goes on.
    """

    url: str
    target: str
    version: str
    refresh_seconds: int = 30
    is_due: bool = False
    pending: str = ""
    error: FetchError | None = None
    follow_seconds: int = 0

    @property
    def every_seconds(self) -> int:
        """The refresh interval, not shorter than a response stays fresh; 0: manual only."""
        if self.follow_seconds and self.refresh_seconds:
            return self.follow_seconds
        return max(self.refresh_seconds, ceil(settings.PAGE_FRESH_SECONDS)) if self.refresh_seconds else 0

    @property
    def quick_seconds(self) -> int:
        """The interval while something is in transition: as long as a response then stays fresh."""
        return ceil(settings.PAGE_QUICK_SECONDS)

    @property
    def is_steady(self) -> bool:
        return self.error is not None and self.error.kind in STEADY_KINDS

    @property
    def next_try_seconds(self) -> int:
        """The time until the first retry after an error. The script increases it each time."""
        if not self.refresh_seconds:
            return 0
        retry_at = self.error.retry_at if self.error else None
        seconds = ceil((retry_at - timezone.now()).total_seconds()) if retry_at else 0
        return seconds if self.is_steady and seconds > 0 else max(seconds, self.every_seconds)

    @property
    def is_stopped(self) -> bool:
        """No requests are sent until the credential is replaced."""
        return self.error is not None and self.error.kind == "rejected"


class RateLimitUsage(msgspec.Struct, frozen=True):
    """The usage of the rate limit, to be shown. `reserved` is the part of a minute that refreshes leave to members."""

    meter: Meter
    reserved: int
    is_high: bool
    is_out: bool
    is_shared_by_region: bool


class RequestInfo(msgspec.Struct, frozen=True):
    """The request behind a page, to be shown. `is_indexed`: it was not made, because the page is from the index."""

    upstream_call: UpstreamCall
    fetched_at: datetime
    elapsed_milliseconds: int
    curl: str
    is_indexed: bool


def describe_usage(meter: Meter) -> RateLimitUsage:
    used = max(meter.minute.used / meter.minute.limit, meter.hour.used / meter.hour.limit)
    return RateLimitUsage(
        meter=meter,
        reserved=meter.minute.limit - max(1, int(meter.minute.limit * (1 - settings.BYCLOUD_RATE_RESERVE))),
        is_high=used >= HIGH_SHARE,
        is_out=used >= 1,
        is_shared_by_region=settings.BYCLOUD_RATE_SCOPE == "region",
    )


def make_version(*parts: Any) -> str:
    """A short hash of everything that the page region shows. Ages and the rate limit are not part of it."""
    encoded = msgspec.json.encode((__version__, *parts))
    return blake2b(encoded, digest_size=VERSION_BYTES).hexdigest()


def name_error(error: FetchError | None) -> object:
    """The parts of an error that change the page. The portal's own errors are created anew for each request."""
    return (error.kind, error.retry_at) if error and error.kind in OWN_KINDS else error


def name_pending(ids: list[str]) -> str:
    """A name for the set of things in transition; empty if there are none."""
    return blake2b("\n".join(sorted(ids)).encode(), digest_size=VERSION_BYTES).hexdigest() if ids else ""


def describe_unchanged(page: Cached[Any], meter: Meter) -> dict[str, Any]:
    """The update for an open page if only the date has changed."""
    return {
        "now": iso_text(timezone.now()),
        "at": iso_text(page.fetched_at),
        "clock": clock_text(page.fetched_at),
        "exact": exact_text(page.fetched_at),
        "minute": [meter.minute.used, meter.minute.limit],
        "hour": [meter.hour.used, meter.hour.limit],
        "external": meter.external_requests,
    }


def describe_request(session: ApiSession, page: Cached[Any], *, is_indexed: bool = False) -> RequestInfo:
    call = page.upstream_call
    return RequestInfo(
        upstream_call=call,
        fetched_at=page.fetched_at,
        elapsed_milliseconds=round(call.elapsed_seconds * 1000),
        curl=describe_curl(session, call),
        is_indexed=is_indexed,
    )


def describe_curl(session: ApiSession, call: UpstreamCall) -> str:
    """The request behind a page as a curl command, with a shell variable in place of the credential."""
    header = (
        '"X-Api-Key: $BYCLOUD_API_KEY"'
        if isinstance(session.credential, ApiKey)
        else '"Authorization: Bearer $BYCLOUD_TOKEN"'
    )
    return f"curl --get {shlex.quote(session.region.base_url + call.target)} --header {header}"
