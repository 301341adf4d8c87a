"""The clock for cache ages, locks, backoffs and the rate limit. It is the same in all processes.

It runs with this process's monotonic clock, so setting the machine's clock does not affect it. Redis corrects it once a
second (`TIME`); without Redis it begins with the machine's clock. Times that leave the gateway are converted to the
machine's wall clock.
"""

from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic, time

from django.core.cache import caches

from portal.gateway.failover_cache import FailoverCache

SYNC_SECONDS = 1.0
# More than two clocks drift apart between two syncs, and less than any jump that matters.
STEP_SECONDS = 1.0
# The time in a slower reply is too inaccurate.
SLOW_SECONDS = 0.5
JITTER_SECONDS = 0.05


class _Clock:
    """`offset` is shared time minus monotonic time; `wall_shift` is the machine's wall clock minus shared time."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.reset()

    def reset(self) -> None:
        self.offset = time() - monotonic()
        self.wall_shift = timedelta()
        self.sync_at = float("-inf")


_clock = _Clock()


def now() -> float:
    """Unix time by the shared clock."""
    # The first sync blocks. Later ones do not: other threads use the previous offset meanwhile.
    if monotonic() >= _clock.sync_at and _clock.lock.acquire(blocking=_clock.sync_at == float("-inf")):
        try:
            _sync()
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
    try:
        return moment + _read_wall_shift()
    except OverflowError:
        return moment


def from_wall(moment: datetime) -> datetime:
    """Convert a time by this machine's wall clock, received just now, to a time to store."""
    try:
        return moment - _read_wall_shift()
    except OverflowError:
        return moment


def reset_local_state() -> None:
    """Forget everything that this process keeps in memory. For tests."""
    with _clock.lock:
        _clock.reset()


def _read_wall_shift() -> timedelta:
    shift = time() - now()
    if abs(shift - _clock.wall_shift.total_seconds()) > STEP_SECONDS:
        # Smaller changes are ignored, so that the same time is always shown as the same text.
        _clock.wall_shift = timedelta(seconds=shift)
    return _clock.wall_shift


def _sync() -> None:
    cache = caches["counters"]
    began_at = monotonic()
    _clock.sync_at = began_at + SYNC_SECONDS
    server_time = cache.read_time() if isinstance(cache, FailoverCache) else None
    ended_at = monotonic()
    if server_time is None or ended_at - began_at > SLOW_SECONDS:
        return
    if abs(server_time - ended_at - _clock.offset) > JITTER_SECONDS:
        _clock.offset = server_time - ended_at
