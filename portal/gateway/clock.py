"""The clock that ages, leases, pauses and the budget go by: it never steps, and all processes read the same.

It runs with the process's monotonic clock. Where it stands comes from Redis (`TIME`) if that is shared, else from this
machine's wall clock at the start. When Redis's own clock is set, whoever notices writes down by how much, so that what
is stored keeps its age. What leaves the gateway is in the wall time of this machine, like all else that it shows.
"""

from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic, time

import msgspec
from django.core.cache import caches

from portal.gateway.failover_cache import FailoverCache

SHIFT_KEY = "clock-shift"
SYNC_SECONDS = 1.0
# More than two clocks drift apart between two looks, and less than any step that would be felt.
STEP_SECONDS = 1.0
# An answer that took longer says too little of when it was given.
SLOW_SECONDS = 0.5
JITTER_SECONDS = 0.05


class _Clock:
    """`offset` is what the monotonic clock lacks; `lead` is what it lacked to the time of Redis at the last look."""

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
    # The first look is waited for; others go by the last one meanwhile.
    if monotonic() >= _clock.looks_at and _clock.lock.acquire(blocking=_clock.looks_at == float("-inf")):
        try:
            _look()
        finally:
            _clock.lock.release()
    return monotonic() + _clock.offset


def read_moment() -> datetime:
    """The same as a moment, to be stored."""
    return datetime.fromtimestamp(now(), UTC)


def measure_age(moment: datetime) -> float:
    """Seconds since a moment that was stored; less than 0 for one from the future."""
    return now() - moment.timestamp()


def is_past(moment: datetime) -> bool:
    """False for what was written by another clock: whatever lies ahead of now cannot have been."""
    return measure_age(moment) > -STEP_SECONDS


def to_wall(moment: datetime) -> datetime:
    """A stored moment in the wall time of this machine, whose difference to now is the true age."""
    return _move(moment, _read_wall_shift())


def from_wall(moment: datetime) -> datetime:
    """A moment that was told in the wall time of this machine just now, to be stored."""
    return _move(moment, -_read_wall_shift())


def name_epoch(key: str) -> str:
    """`key`, renamed whenever Redis's clock was set: what it holds by then may not run out when it should."""
    now()
    return f"{key}:{round(_clock.shift)}" if _clock.shift else key


def reset_local_state() -> None:
    """Begin anew, as a process that has just started."""
    with _clock.lock:
        _clock.forget()


def _read_wall_shift() -> float:
    shift = time() - now()
    if abs(shift - _clock.wall_shift) > STEP_SECONDS:
        # Else it stays, so that the same moment is the same text.
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
        # Whoever looks next reads the same as before.
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
