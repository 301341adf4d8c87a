"""The gateway's values: policies that say when to fetch, cached values with their age, and errors."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec
from django.conf import settings

from portal.bycloud import (
    ByCloudError,
    Forbidden,
    Instance,
    InvalidRequest,
    InvalidResponse,
    RateLimited,
    ServerFault,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from portal.gateway import clock

T = TypeVar("T")


class RateLimitReached(RateLimited):
    """The portal's rate limit is reached for this priority. `retry_at` is when a request is allowed again."""


class TooManyAttempts(RateLimitReached):
    """Too many credentials were tried within a minute. `retry_at` is when the next one may be tried."""


class Busy(ByCloudError):  # noqa: N818 -- named like its siblings in portal.bycloud
    """Too many requests are waiting for ByCloud or for the rate limit already."""


class Priority(StrEnum):
    """On whose behalf a request goes upstream. The rate limit serves them in this order."""

    PERSON = "person"
    REFRESH = "refresh"
    SCAN = "scan"


class FetchPolicy(StrEnum):
    """When a cached response will do, and when to go upstream."""

    CACHE_FIRST = "cache-first"
    """A member opens a page: the cached response, whatever its age; upstream only if there is none."""
    REVALIDATE = "revalidate"
    """An open page refreshes itself: the cached response while it is fresh, else upstream."""
    REVALIDATE_FAST = "revalidate-fast"
    """The same while something on the page is in transition: a response is fresh for a shorter time."""
    LOOKUP = "lookup"
    """A member opens an instance that is not cached: as `REVALIDATE`, with a higher priority than refreshes."""
    SCAN = "scan"
    """The list is walked or searched: as `REVALIDATE`, with the lowest priority."""
    RETRY = "retry"
    """A member presses Refresh or Retry: as `REVALIDATE`, but it does not wait for a backoff to end."""
    FORCE = "force"
    """Always goes upstream."""

    @property
    def priority(self) -> Priority:
        if self in {FetchPolicy.REVALIDATE, FetchPolicy.REVALIDATE_FAST}:
            return Priority.REFRESH
        return Priority.SCAN if self is FetchPolicy.SCAN else Priority.PERSON

    @property
    def is_explicit(self) -> bool:
        return self in {FetchPolicy.RETRY, FetchPolicy.FORCE}

    def accepts(self, age_seconds: float) -> bool:
        """Whether a response of this age will do."""
        if self in {FetchPolicy.CACHE_FIRST, FetchPolicy.FORCE}:
            return self is FetchPolicy.CACHE_FIRST
        if self is FetchPolicy.REVALIDATE_FAST and age_seconds >= settings.PAGE_QUICK_SECONDS:
            return False
        return _is_recent(age_seconds)


class UpstreamCall(msgspec.Struct, frozen=True):
    """The upstream request behind a response. `target` is its path and query string, without any credential.

    `left_out` counts the instances that were sent beyond those requested, and dropped.
    """

    target: str
    elapsed_seconds: float
    request_id: str | None
    from_store: bool
    left_out: int = 0


class CachedInstance(msgspec.Struct, frozen=True):
    """An instance, and its original JSON."""

    instance: Instance
    source: bytes


_KINDS: dict[type[ByCloudError], str] = {
    Unreachable: "unreachable",
    TimedOut: "timed-out",
    InvalidRequest: "invalid-request",
    Unauthorized: "rejected",
    Forbidden: "forbidden",
    RateLimited: "rate-limited",
    ServerFault: "server-fault",
    InvalidResponse: "invalid-response",
    RateLimitReached: "rate-limit-reached",
    Busy: "busy",
}


class FetchError(msgspec.Struct, frozen=True):
    """A failed request as a value that can be cached and shown. `kind` is the error's class name in kebab case."""

    kind: str
    at: datetime
    message: str
    status: int | None = None
    details: str | None = None
    request_id: str | None = None
    path: str | None = None
    retry_at: datetime | None = None

    def holds_back(self, policy: FetchPolicy) -> bool:
        """Whether the page that failed must not be requested again yet, when no backoff applies.

        True as long as a response would be fresh, so that all open pages together do not request it more often.
        """
        return (
            self.retry_at is None and policy.priority is not Priority.PERSON and _is_recent(clock.measure_age(self.at))
        )

    def to_wall(self) -> "FetchError":
        """The same error with its times converted to this machine's wall clock, as they leave the gateway."""
        retry_at = clock.to_wall(self.retry_at) if self.retry_at else None
        return msgspec.structs.replace(self, at=clock.to_wall(self.at), retry_at=retry_at)

    @classmethod
    def from_error(cls, error: ByCloudError) -> "FetchError":
        """The `FetchError` for `error`, dated now."""
        return cls(
            kind=_KINDS[type(error)],
            at=clock.read_moment(),
            message=error.message,
            status=error.status,
            details=error.details,
            request_id=error.request_id,
            path=error.path if isinstance(error, InvalidResponse) else None,
            retry_at=clock.from_wall(error.retry_at) if error.retry_at else None,
        )


class FetchFailed(Exception):  # noqa: N818 -- it carries a FetchError
    """The fetch failed, and there is no cached page to show instead."""

    def __init__(self, error: FetchError) -> None:
        super().__init__(error.kind)
        self.error = error


@dataclass(frozen=True, slots=True)
class Cached(Generic[T]):
    """A value, when it was fetched, the request behind it, and the last error since, if any.

    Times are by this machine's wall clock. `body` is the untouched response of a page, cut to the rows requested.
    """

    value: T
    fetched_at: datetime
    upstream_call: UpstreamCall
    error: FetchError | None = None
    body: bytes = b""

    @property
    def age_seconds(self) -> float:
        """Negative for a response from the future, which counts as stale."""
        return (datetime.now(UTC) - self.fetched_at).total_seconds()

    @property
    def is_fresh(self) -> bool:
        return _is_recent(self.age_seconds)

    @property
    def is_due(self) -> bool:
        """Whether the page should refresh itself: it is stale, was not just tried, and no backoff applies."""
        if self.is_fresh or self.error is None:
            return not self.is_fresh
        now, error = datetime.now(UTC), self.error
        is_held_back = error.retry_at is not None and error.retry_at > now
        return not is_held_back and not _is_recent((now - error.at).total_seconds())


def _is_recent(age_seconds: float) -> bool:
    return -clock.STEP_SECONDS < age_seconds < settings.PAGE_FRESH_SECONDS
