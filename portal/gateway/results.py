"""How old an answer is, what went wrong since, and when it is time to ask again."""

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
from portal.gateway.errors import Busy, RateLimitReached

T = TypeVar("T")


class Priority(StrEnum):
    """On whose behalf a request goes upstream: the budget serves them in this order."""

    PERSON = "person"
    REFRESH = "refresh"
    SWEEP = "sweep"


class FetchPolicy(StrEnum):
    """How much a caller wants a fresh answer."""

    CACHE_FIRST = "stored-first"
    """A person opens a page: what is stored, whatever its age; upstream only when nothing is."""
    REVALIDATE = "revalidated"
    """An open page asks by itself: what is stored while it is fresh; else upstream."""
    REVALIDATE_FAST = "quickened"
    """The same while something on the page is in transition: what is stored is fresh for a shorter time."""
    LOOKUP = "sought"
    """A person opens an instance that is not stored: as `REVALIDATE`, but before refreshes."""
    SCAN = "swept"
    """A search walks the list: as `REVALIDATE`, but after everybody else."""
    RETRY = "pressed"
    """A person presses Refresh or Retry: as `REVALIDATE`, but without waiting for a pause to end."""
    FORCE = "forced"
    """A person insists: upstream, always."""

    @property
    def priority(self) -> Priority:
        refresh = {FetchPolicy.REVALIDATE: Priority.REFRESH, FetchPolicy.REVALIDATE_FAST: Priority.REFRESH}
        return {**refresh, FetchPolicy.SCAN: Priority.SWEEP}.get(self, Priority.PERSON)

    @property
    def is_explicit(self) -> bool:
        return self in {FetchPolicy.RETRY, FetchPolicy.FORCE}

    def accepts(self, age_seconds: float) -> bool:
        """Whether an answer that was fetched so long ago will do."""
        if self is FetchPolicy.CACHE_FIRST:
            return True
        if self is FetchPolicy.REVALIDATE_FAST:
            return _is_recent(age_seconds, seconds=min(settings.PAGE_QUICK_SECONDS, settings.PAGE_FRESH_SECONDS))
        return self is not FetchPolicy.FORCE and _is_recent(age_seconds)


class Exchange(msgspec.Struct, frozen=True):
    """The upstream request behind an answer. `target` is its path and query string; no credential is in it.

    `left_out`: how many instances were sent beyond those asked for, and not kept.
    """

    target: str
    elapsed_seconds: float
    request_id: str | None
    from_store: bool
    left_out: int = 0


class CachedInstance(msgspec.Struct, frozen=True):
    """An instance, and the JSON text that it came in."""

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
    InvalidResponse: "bad-payload",
    RateLimitReached: "budget-spent",
    Busy: "busy",
}


class FetchError(msgspec.Struct, frozen=True):
    """A failed exchange as a value that can be stored and shown. `kind` is the error's class in words with hyphens."""

    kind: str
    at: datetime
    message: str
    status: int | None = None
    details: str | None = None
    request_id: str | None = None
    path: str | None = None
    retry_at: datetime | None = None

    def holds_back(self, policy: FetchPolicy) -> bool:
        """Whether the page that met this trouble is not asked for again yet, where nothing else is held back.

        As long as an answer would have been fresh: all open pages together ask no more often than that.
        """
        return (
            self.retry_at is None and policy.priority is not Priority.PERSON and _is_recent(clock.measure_age(self.at))
        )

    def to_wall(self) -> "FetchError":
        """The same with its moments in the wall time of this machine, as it leaves the gateway."""
        retry_at = clock.to_wall(self.retry_at) if self.retry_at else None
        return msgspec.structs.replace(self, at=clock.to_wall(self.at), retry_at=retry_at)

    @classmethod
    def from_error(cls, error: ByCloudError) -> "FetchError":
        """The trouble that `error` is, as of now."""
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


class FetchFailed(Exception):  # noqa: N818 -- it carries a trouble
    """There is nothing to show but this trouble."""

    def __init__(self, trouble: FetchError) -> None:
        super().__init__(trouble.kind)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Cached(Generic[T]):
    """A value, when it was fetched, the exchange behind it, and the trouble met since, if any.

    Moments are in the wall time of this machine.
    """

    value: T
    fetched_at: datetime
    exchange: Exchange
    trouble: FetchError | None = None

    @property
    def age_seconds(self) -> float:
        """Less than 0 for an answer from the future, which is stale."""
        return _age(self.fetched_at)

    @property
    def is_fresh(self) -> bool:
        return _is_recent(self.age_seconds)

    @property
    def is_due(self) -> bool:
        """Whether the page should ask for a fresh answer by itself: this one is stale, nobody just tried, no pause."""
        trouble = self.trouble
        if self.is_fresh or trouble is None:
            return not self.is_fresh
        is_paused = trouble.retry_at is not None and trouble.retry_at > datetime.now(UTC)
        return not is_paused and not _is_recent(_age(trouble.at))


def _age(moment: datetime) -> float:
    """Of a moment that has left the gateway."""
    return (datetime.now(UTC) - moment).total_seconds()


def _is_recent(age_seconds: float, *, seconds: float | None = None) -> bool:
    return -clock.STEP_SECONDS < age_seconds < (settings.PAGE_FRESH_SECONDS if seconds is None else seconds)
