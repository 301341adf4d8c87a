"""The clock for cache ages, locks, backoffs and the rate limit: it never jumps, and is the same in all processes.

It advances with the process's monotonic clock. Its offset comes from Redis (`TIME`) if Redis is used, else from this
machine's wall clock at start. When the clock of Redis is changed, the first process that detects it stores the shift,
so that stored times keep their age. Times that leave the gateway are converted to this machine's wall clock.
"""

from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic, time

import msgspec
from django.core.cache import caches

from portal.gateway.failover_cache import FailoverCache

SHIFT_KEY = "clock-shift"
SYNC_SECONDS = 1.0
# More than two clocks drift apart between two syncs, and less than any jump that matters.
STEP_SECONDS = 1.0
# The time in a slower reply is too inaccurate.
SLOW_SECONDS = 0.5
JITTER_SECONDS = 0.05


class _Clock:
    """`offset` is shared time minus monotonic time; `lead` is Redis time minus monotonic time at the last sync."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.forget()

    def forget(self) -> None:
        self.offset = time() - monotonic()
        self.wall_shift = 0.0
        self.lead: float | None = None
        self.shift = 0.0
        self.looks_at = float("-inf")


_clock = _Clock()


def now() -> float:
    """Unix time by the shared clock."""
    # The first sync blocks. Later ones do not: other threads use the previous offset meanwhile.
    if monotonic() >= _clock.looks_at and _clock.lock.acquire(blocking=_clock.looks_at == float("-inf")):
        try:
            _look()
        finally:
            _clock.lock.release()
    return monotonic() + _clock.offset


def read_moment() -> datetime:
    """The current time by the shared clock, as a datetime to store."""
    return datetime.fromtimestamp(now(), UTC)


def measure_age(moment: datetime) -> float:
    """Seconds since a stored time; negative for one in the future."""
    return now() - moment.timestamp()


def is_past(moment: datetime) -> bool:
    """False for a time in the future: it was written by a different clock."""
    return measure_age(moment) > -STEP_SECONDS


def to_wall(moment: datetime) -> datetime:
    """Convert a stored time to this machine's wall clock, so that its age by that clock is correct."""
    return _move(moment, _read_wall_shift())


def from_wall(moment: datetime) -> datetime:
    """Convert a time by this machine's wall clock, received just now, to a time to store."""
    return _move(moment, -_read_wall_shift())


def name_epoch(key: str) -> str:
    """`key` with a suffix that changes when the clock of Redis is changed: older entries may not expire on time."""
    now()
    return f"{key}:{round(_clock.shift)}" if _clock.shift else key


def reset_local_state() -> None:
    """Forget everything that this process keeps in memory. For tests."""
    with _clock.lock:
        _clock.forget()


def _read_wall_shift() -> float:
    shift = time() - now()
    if abs(shift - _clock.wall_shift) > STEP_SECONDS:
        # Smaller changes are ignored, so that the same time is always shown as the same text.
        _clock.wall_shift = shift
    return _clock.wall_shift


def _move(moment: datetime, seconds: float) -> datetime:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return moment


def _look() -> None:
    cache = caches["counters"]
    _clock.looks_at = monotonic() + SYNC_SECONDS
    if not isinstance(cache, FailoverCache):
        return
    began_at = monotonic()
    theirs, kept = cache.read_time(), cache.get(SHIFT_KEY)
    ended_at = monotonic()
    if theirs is None or (ended_at - began_at > SLOW_SECONDS and _clock.lead is not None):
        return
    lead, before = theirs - ended_at, _clock.lead
    shift = _decode(kept)
    was_set = before is not None and abs(lead - before) > STEP_SECONDS
    was_lost = shift is None and abs(_clock.shift) > STEP_SECONDS
    is_off = abs(lead + (shift or 0.0) - _clock.offset) > STEP_SECONDS
    _clock.lead = lead
    if is_off and (was_set or was_lost):
        # Store the shift, so that the next process gets the same time as before.
        _clock.shift = _clock.offset - lead
        cache.set(SHIFT_KEY, msgspec.msgpack.encode(_clock.shift), None)
        return
    _clock.shift = shift or 0.0
    if before is None or abs(lead + _clock.shift - _clock.offset) > JITTER_SECONDS:
        _clock.offset = lead + _clock.shift


def _decode(kept: bytes | None) -> float | None:
    try:
        return msgspec.msgpack.decode(kept, type=float) if kept else None
    except msgspec.DecodeError:
        return None
