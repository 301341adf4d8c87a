"""Backoff after failures, shared by all processes. A rejected credential is not used again at all.

Each process also keeps the backoffs that it has seen in memory, because the cache may be down, emptied or full. The
most recent record wins, and is written back if the cache has lost it.
"""

from datetime import UTC, datetime, timedelta
from threading import Lock

import msgspec
from cachetools import LRUCache
from django.conf import settings
from django.core.cache import caches

from portal.gateway import clock
from portal.gateway.cache import KEPT_SECONDS, ApiSession, decode
from portal.gateway.locks import short_lock
from portal.gateway.results import FetchError, FetchPolicy

LONGEST_SECONDS = 60
# A rejected credential is not used again. Once it is replaced, its record serves no purpose.
REFUSED_KEPT_SECONDS = 30 * 24 * 60 * 60
# Each credential that is tried has a record of its own.
MOST_KNOWN = 10_000
PAUSING_KINDS = frozenset({"unreachable", "timed-out", "server-fault", "rate-limited", "rejected"})


class Pause(msgspec.Struct, frozen=True):
    """No requests before `until` (None: until the credential is replaced). `failures` counts consecutive failures.

    `is_named`: ByCloud gave the time itself, or answered 429. `is_ended`: a successful response has ended the backoff.
    """

    trouble: FetchError
    failures: int
    until: datetime | None
    noted_at: datetime
    is_named: bool = False
    is_ended: bool = False

    def holds_back(self, policy: FetchPolicy) -> bool:
        """Whether requests with this policy must wait. An explicit retry need not, unless ByCloud asked for it."""
        if self.until is None:
            return True
        if self.until <= clock.read_moment() or not clock.is_past(self.noted_at):
            return False
        return self.is_named or not policy.is_explicit


_lock = Lock()
_known: LRUCache[str, Pause] = LRUCache(MOST_KNOWN)


def find_pause(session: ApiSession) -> Pause | None:
    """The recorded backoff, active or over. Of several, an active one that ByCloud asked for comes first, because it
    applies to every policy; then the one that ends last.
    """
    found = [pause for key in _keys(session) if (pause := _find(key))]
    return max(
        found, key=lambda pause: (pause.is_named and pause.holds_back(FetchPolicy.FORCE), _end(pause)), default=None
    )


def is_credential_refused(session: ApiSession) -> bool:
    """Whether ByCloud has rejected this credential, so that it is not used any more."""
    pause = _find(_key(session, "rejected"))
    return pause is not None and pause.until is None


def record_failure(session: ApiSession, trouble: FetchError, *, began_at: datetime) -> FetchError:
    """Start or extend the backoff for a failure. Returns the error with the time of the next attempt.

    `began_at` is when the request was sent. A request that was already running when another failed does not count as a
    second failure.
    """
    if trouble.kind not in PAUSING_KINDS:
        return trouble
    key = _key(session, trouble.kind)
    with short_lock(f"{key}:lock"):
        return _lengthen(key, trouble, began_at)


def end_pause(session: ApiSession, *, is_credential_good: bool = False) -> None:
    """End the backoff after a successful response, unless ByCloud gave a time or rejected the credential.

    A response to an earlier request does not overrule those two. With `is_credential_good` the credential has just been
    checked, which also ends its rejection.
    """
    for key in _keys(session):
        if _find(key) is None:
            continue
        with short_lock(f"{key}:lock"):
            pause = _find(key)
            if pause and (is_credential_good if pause.until is None else not pause.holds_back(FetchPolicy.FORCE)):
                _keep(key, msgspec.structs.replace(pause, is_ended=True, noted_at=clock.read_moment()))


def reset_local_state() -> None:
    """Forget everything that this process keeps in memory. For tests."""
    with _lock:
        _known.clear()


def _lengthen(key: str, trouble: FetchError, began_at: datetime) -> FetchError:
    before = _find(key)
    failures = before.failures if before else 0
    if before is None or began_at >= before.trouble.at:
        failures += 1
    now = clock.read_moment()
    if trouble.kind == "rejected":
        _keep(key, Pause(trouble, failures, None, now))
        return trouble
    until = trouble.at + timedelta(seconds=min(2 ** (failures - 1), LONGEST_SECONDS))
    is_named = trouble.kind == "rate-limited" or trouble.retry_at is not None
    if trouble.retry_at:
        until = max(until, trouble.retry_at)
    if before and (before.until is None or before.until > until):
        # A request that was already running does not shorten a longer backoff.
        return msgspec.structs.replace(trouble, retry_at=before.until)
    trouble = msgspec.structs.replace(trouble, retry_at=until)
    _keep(key, Pause(trouble, failures, until, now, is_named))
    return trouble


def _find(key: str) -> Pause | None:
    """The most recent record, from the cache or from memory; None when the backoff has ended."""
    kept = decode(caches["counters"].get(key), Pause)
    with _lock:
        known = _known.get(key)
        # A time in the future is from before the clock was set, and says nothing of the order.
        if kept and (known is None or kept.noted_at >= known.noted_at or not clock.is_past(known.noted_at)):
            _known[key] = known = kept
    if known and known is not kept:
        _keep(key, known)
    return None if known is None or known.is_ended else known


def _keep(key: str, pause: Pause) -> None:
    """Store in memory and in the cache. The end of an unlimited backoff is kept as long as the backoff itself."""
    with _lock:
        _known[key] = pause
    caches["counters"].set(key, msgspec.msgpack.encode(pause), KEPT_SECONDS if pause.until else REFUSED_KEPT_SECONDS)


def _end(pause: Pause) -> datetime:
    return pause.until or datetime.max.replace(tzinfo=UTC)


def _keys(session: ApiSession) -> list[str]:
    """The credential's own key, and the shared one, if any."""
    return list(dict.fromkeys(_key(session, kind) for kind in ("rejected", "rate-limited")))


def _key(session: ApiSession, kind: str) -> str:
    """A 429 applies to all who share the rate limit; any other failure applies to this credential alone."""
    is_shared = kind == "rate-limited" and settings.BYCLOUD_RATE_SCOPE == "region"
    return f"pause:{session.region.code if is_shared else session.cache_namespace}"
