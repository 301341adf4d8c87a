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
from portal.gateway.cache import CACHE_SECONDS, ApiSession, decode
from portal.gateway.locks import short_lock
from portal.gateway.results import FetchError, FetchPolicy

LONGEST_SECONDS = 60
LATEST = datetime.max.replace(tzinfo=UTC)
# A rejected credential is not used again. Once it is replaced, its record serves no purpose.
REJECTION_SECONDS = 30 * 24 * 60 * 60
# Each credential that is tried has a record of its own.
MOST_KNOWN = 10_000
BACKOFF_KINDS = frozenset({"unreachable", "timed-out", "server-fault", "rate-limited", "rejected"})


class Backoff(msgspec.Struct, frozen=True):
    """No requests before `until` (None: until the credential is replaced). `failures` counts consecutive failures.

    `is_required`: ByCloud gave the time itself, or answered 429. `is_ended`: a success has ended the backoff.
    """

    error: FetchError
    failures: int
    until: datetime | None
    recorded_at: datetime
    is_required: bool = False
    is_ended: bool = False

    def holds_back(self, policy: FetchPolicy) -> bool:
        """Whether requests with this policy must wait. An explicit retry need not, unless ByCloud asked for it."""
        if self.until is None:
            return True
        if self.until <= clock.read_moment() or not clock.is_past(self.recorded_at):
            return False
        return self.is_required or not policy.is_explicit


_DECODER = msgspec.msgpack.Decoder(Backoff)


_lock = Lock()
_known: LRUCache[str, Backoff] = LRUCache(MOST_KNOWN)


def find_backoff(session: ApiSession, policy: FetchPolicy) -> Backoff | None:
    """What requests with this policy must wait for, or None. Of several, one that ByCloud asked for comes first,
    because it applies to every policy; then the one that ends last.
    """
    found = [one for key in _keys(session) if (one := _find(key)) and one.holds_back(policy)]
    return max(found, key=lambda one: (one.is_required, one.until or LATEST), default=None)


def is_credential_rejected(session: ApiSession) -> bool:
    """Whether ByCloud has rejected this credential, so that it is not used any more."""
    backoff = _find(_keys(session)[0])
    return backoff is not None and backoff.until is None


def record_failure(session: ApiSession, error: FetchError, *, began_at: datetime) -> FetchError:
    """Start or extend the backoff for a failure. Returns the error with the time of the next attempt.

    `began_at` is when the request was sent. A request that was already running when another failed does not count as a
    second failure.
    """
    if error.kind not in BACKOFF_KINDS:
        return error
    # A 429 applies to all who share the rate limit, any other failure to this credential alone.
    key = _keys(session)[-1 if error.kind == "rate-limited" else 0]
    with short_lock(f"{key}:lock"):
        return _extend(key, error, began_at)


def end_backoff(session: ApiSession, *, is_credential_good: bool = False) -> None:
    """End the backoff after a successful response, unless ByCloud gave a time or rejected the credential.

    A response to an earlier request does not overrule those two. With `is_credential_good` the credential has just been
    checked, which also ends its rejection.

    Ends what `find_backoff` has seen, which every request calls before it is sent: mostly nothing, and the cache need
    not be asked again.
    """
    for key in _keys(session):
        with _lock:
            seen = _known.get(key)
        if seen is None or seen.is_ended:
            continue
        with short_lock(f"{key}:lock"):
            backoff = _find(key)
            if backoff and (is_credential_good if backoff.until is None else not backoff.holds_back(FetchPolicy.FORCE)):
                _store(key, msgspec.structs.replace(backoff, is_ended=True, recorded_at=clock.read_moment()))


def reset_local_state() -> None:
    """Forget everything that this process keeps in memory. For tests."""
    with _lock:
        _known.clear()


def _extend(key: str, error: FetchError, began_at: datetime) -> FetchError:
    before = _find(key)
    failures = before.failures if before else 0
    if before is None or began_at >= before.error.at:
        failures += 1
    now = clock.read_moment()
    if error.kind == "rejected":
        _store(key, Backoff(error, failures, None, now))
        return error
    until = error.at + timedelta(seconds=min(2 ** (failures - 1), LONGEST_SECONDS))
    is_required = error.kind == "rate-limited" or error.retry_at is not None
    if error.retry_at:
        until = max(until, error.retry_at)
    if before and (before.until is None or before.until > until):
        # A request that was already running does not shorten a longer backoff.
        return msgspec.structs.replace(error, retry_at=before.until)
    error = msgspec.structs.replace(error, retry_at=until)
    _store(key, Backoff(error, failures, until, now, is_required))
    return error


def _find(key: str) -> Backoff | None:
    """The most recent record, from the cache or from memory; None when the backoff has ended."""
    stored = decode(caches["counters"].get(key), _DECODER)
    with _lock:
        known = _known.get(key)
        # A time in the future is from before the clock was set, and says nothing of the order.
        if stored and (
            known is None or stored.recorded_at >= known.recorded_at or not clock.is_past(known.recorded_at)
        ):
            _known[key] = known = stored
    if known and known is not stored:
        _store(key, known)
    return None if known is None or known.is_ended else known


def _store(key: str, backoff: Backoff) -> None:
    """Store in memory and in the cache. The end of an unlimited backoff is stored as long as the backoff itself."""
    with _lock:
        _known[key] = backoff
    caches["counters"].set(key, msgspec.msgpack.encode(backoff), CACHE_SECONDS if backoff.until else REJECTION_SECONDS)


def _keys(session: ApiSession) -> tuple[str, ...]:
    """The credential's own key, and the one that all who share the rate limit have in common, if any."""
    own = f"backoff:{session.cache_namespace}"
    return (own, f"backoff:{session.region.code}") if settings.BYCLOUD_RATE_SCOPE == "region" else (own,)
