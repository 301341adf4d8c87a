"""How old an answer is, what went wrong since, and when it is time to ask again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec
from django.conf import settings

from portal.bycloud import (
    BadPayload,
    ByCloudError,
    Forbidden,
    Instance,
    InvalidRequest,
    RateLimited,
    Rejected,
    ServerFault,
    TimedOut,
    Unreachable,
)

T = TypeVar("T")


class Asking(StrEnum):
    """How much a caller wants a fresh answer."""

    STORED_FIRST = "stored-first"
    """What is stored, whatever its age; upstream only when nothing is."""
    REVALIDATED = "revalidated"
    """What is stored while it is fresh; else upstream."""
    FORCED = "forced"
    """Upstream, always."""


class Exchange(msgspec.Struct, frozen=True):
    """The upstream request behind an answer. `target` is its path and query string; no credential is in it."""

    target: str
    elapsed_seconds: float
    request_id: str | None
    from_store: bool


class StoredInstance(msgspec.Struct, frozen=True):
    """An instance, and the JSON text that it came in."""

    instance: Instance
    source: bytes


_KINDS: dict[type[ByCloudError], str] = {
    Unreachable: "unreachable",
    TimedOut: "timed-out",
    InvalidRequest: "invalid-request",
    Rejected: "rejected",
    Forbidden: "forbidden",
    RateLimited: "rate-limited",
    ServerFault: "server-fault",
    BadPayload: "bad-payload",
}


class Trouble(msgspec.Struct, frozen=True):
    """A failed exchange as a value that can be stored and shown. `kind` is the error's class in words with hyphens."""

    kind: str
    at: datetime
    message: str
    status: int | None = None
    details: str | None = None
    request_id: str | None = None
    path: str | None = None
    retry_at: datetime | None = None

    @classmethod
    def from_error(cls, error: ByCloudError) -> "Trouble":
        """The trouble that `error` is, as of now."""
        return cls(
            kind=_KINDS[type(error)],
            at=datetime.now(UTC),
            message=error.message,
            status=error.status,
            details=error.details,
            request_id=error.request_id,
            path=error.path if isinstance(error, BadPayload) else None,
            retry_at=error.retry_at if isinstance(error, RateLimited) else None,
        )


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """A value, when it was fetched, the exchange behind it, and the trouble met since, if any."""

    value: T
    fetched_at: datetime
    exchange: Exchange
    trouble: Trouble | None = None

    @property
    def is_fresh(self) -> bool:
        return _is_recent(self.fetched_at)

    @property
    def is_due(self) -> bool:
        """Whether the page should ask for a fresh answer by itself: this one is stale, and nobody just tried."""
        return not self.is_fresh and (self.trouble is None or not _is_recent(self.trouble.at))


def _is_recent(moment: datetime) -> bool:
    return datetime.now(UTC) - moment < timedelta(seconds=settings.PAGE_FRESH_SECONDS)
