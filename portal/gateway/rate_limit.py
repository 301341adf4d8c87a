"""The limit on upstream requests: rolling windows of a minute and an hour, shared by all processes.

While the shared cache is unavailable, each process logs only its own requests, and keeps to its share of the limit: the
limit divided by `PORTAL_PROCESSES`. Logs from before, during and after an outage are not merged; ByCloud's own figures
correct them.
"""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.core.cache import caches

from portal.bycloud import RateLimit
from portal.gateway import clock
from portal.gateway.cache import ApiSession, decode
from portal.gateway.failover_cache import FailoverCache
from portal.gateway.locks import short_lock
from portal.gateway.results import Busy, Priority, RateLimitReached, TooManyAttempts

MINUTE, HOUR = 60.0, 3600.0
# Credentials that may be tried per minute and region: by all members together, and by one.
ATTEMPTS = 20
ATTEMPTS_PER_MEMBER = 5
# The lock is normally held for a few milliseconds, so this timeout is generous.
TURN_SECONDS = 5.0


class RequestLog(msgspec.Struct, frozen=True):
    """The requests of the last hour by member (Unix times, oldest first), and ByCloud's own figures for the minute.

    `external_requests` are those of other programs that count against the same limit, until `external_until`. `limit`
    is ByCloud's limit per minute, when it is lower than ours.
    """

    calls: dict[str, tuple[float, ...]] = {}
    external_requests: int = 0
    external_until: float = 0.0
    limit: int | None = None


_DECODER = msgspec.msgpack.Decoder(RequestLog)


class Window(msgspec.Struct, frozen=True):
    used: int
    limit: int


class Meter(msgspec.Struct, frozen=True):
    """The usage of the rate limit. `is_alone`: the shared cache is down, and these are this process's figures."""

    minute: Window
    hour: Window
    external_requests: int
    is_alone: bool


class Pace(msgspec.Struct, frozen=True):
    """When the next refresh may go upstream (Unix time). `is_easy`: at most half of each window's share is used."""

    is_easy: bool
    goes_at: float


class _CountedWindow(NamedTuple):
    """The requests in a window (Unix times, oldest first), and how many it may have."""

    seconds: float
    times: list[float]
    most: int

    def find_room(self, now: float) -> float:
        """When another request is allowed: now, or once enough of them have left the window."""
        return now if len(self.times) < self.most else self.times[-self.most] + self.seconds

    def of_member(self, calls: tuple[float, ...], now: float, *, most: int | None = None) -> "_CountedWindow":
        """The part of one of several members: half of what the others have left, but at most `most`."""
        own = list(calls[bisect_right(calls, now - self.seconds) :])
        half = max(1, (self.most - len(self.times) + len(own)) // 2)
        return _CountedWindow(self.seconds, own, min(half, most or half))


def acquire_call(session: ApiSession, priority: Priority) -> None:
    """Count one request against the rate limit. Raises `RateLimitReached` when `priority` has no room.

    Requests of members may use all of it. Refreshes and scans leave `BYCLOUD_RATE_RESERVE` of each window to members,
    and scans leave as much again to refreshes. When several members share the limit, one uses at most half of what the
    others have left. Raises `Busy` when the lock on the request log is not acquired in time.
    """
    key = _key(session)
    with _locked(key):
        now = clock.now()
        log = _read_log(key, now)
        windows = _read_windows(log, priority, now)
        is_shared = (
            session.is_shared or settings.BYCLOUD_RATE_SCOPE == "region" or log.calls.keys() - {session.member_id, ""}
        )
        if session.member_id and is_shared:
            windows += [window.of_member(log.calls.get(session.member_id, ()), now) for window in windows]
        free_at = max(window.find_room(now) for window in windows)
        if free_at > now:
            raise RateLimitReached("The portal keeps within ByCloud's rate limit", retry_at=_to_wall(free_at))
        _log_call(key, log, session.member_id, now)


def count_attempt(session: ApiSession) -> None:
    """Count one attempt with a new credential. Raises `TooManyAttempts` after too many in a minute, or `Busy` if the
    lock on the request log is not free in time.

    A credential that may be invalid has no request log of its own: all attempts share one per region. Without
    `member_id` the call comes from the command line and is not limited.
    """
    if not session.member_id:
        return
    key = f"rate-limit:attempts:{session.region.code}"
    with _locked(key):
        now = clock.now()
        log = _read_log(key, now)
        tries = _CountedWindow(MINUTE, _list_since(log, now - MINUTE), max(1, ATTEMPTS // _count_parts()))
        own = tries.of_member(log.calls.get(session.member_id, ()), now, most=ATTEMPTS_PER_MEMBER)
        free_at = max(tries.find_room(now), own.find_room(now))
        if free_at > now:
            raise TooManyAttempts("Too many credentials were tried", retry_at=_to_wall(free_at))
        _log_call(key, log, session.member_id, now)


def apply_reported_usage(session: ApiSession, rate: RateLimit) -> None:
    """Apply ByCloud's own figures where they leave less than ours: other programs may share the limit."""
    key = _key(session)
    now = clock.now()
    log = _read_log(key, now)
    if _correct(log, rate, now) == log:
        # The usual case. It needs no lock.
        return
    with short_lock(f"{key}:lock"):
        now = clock.now()
        _write_log(key, _correct(_read_log(key, now), rate, now))


def read_pace(session: ApiSession) -> Pace:
    """How refreshes spread their share of the hourly limit over the hour.

    Half of it may be used without delay. The rest is spread evenly until the first request of the hour leaves the
    window.
    """
    now = clock.now()
    minute, hour = _read_windows(_read_log(_key(session), now), Priority.REFRESH, now)
    times, left = hour.times, hour.most - len(hour.times)
    if len(times) <= hour.most / 2:
        return Pace(is_easy=len(minute.times) <= minute.most / 2, goes_at=now)
    return Pace(is_easy=False, goes_at=times[-1] + (times[0] + HOUR - times[-1]) / left if left > 0 else now)


def read_meter(session: ApiSession) -> Meter:
    """The current usage of the rate limit."""
    now = clock.now()
    log = _read_log(_key(session), now)
    minute, hour = _read_windows(log, Priority.PERSON, now)
    return Meter(
        minute=Window(len(minute.times), minute.most),
        hour=Window(len(hour.times), hour.most),
        external_requests=log.external_requests,
        is_alone=_is_alone(),
    )


def _correct(log: RequestLog, rate: RateLimit, now: float) -> RequestLog:
    # If ByCloud's limit is above ours, external requests count only once they leave less than our limit would.
    known = len(_list_since(log, now - MINUTE))
    external = max(0, min(rate.limit, settings.BYCLOUD_RATE_PER_MINUTE) - rate.remaining - known)
    until = min(clock.from_wall(rate.reset_at).timestamp(), now + MINUTE) if rate.reset_at else now + MINUTE
    lower = rate.limit if rate.limit < settings.BYCLOUD_RATE_PER_MINUTE else None
    return RequestLog(log.calls, external, until if external else 0.0, lower)


def _read_windows(log: RequestLog, priority: Priority, now: float) -> list[_CountedWindow]:
    """The minute and the hour, with what requests of this priority may use. External requests count as made one minute
    before `external_until`.
    """
    usable = 1 - {Priority.PERSON: 0, Priority.REFRESH: 1, Priority.SCAN: 2}[priority] * settings.BYCLOUD_RATE_RESERVE
    per_minute = max(1, int((log.limit or settings.BYCLOUD_RATE_PER_MINUTE) * usable))
    per_hour = max(1, int(settings.BYCLOUD_RATE_PER_HOUR * usable))
    parts = _count_parts()
    times = _list_since(log, now - HOUR)
    external = [log.external_until - MINUTE] * log.external_requests
    # What other programs use is used for all. What they leave is divided.
    most = min(per_minute, len(external) + max(1, (per_minute - len(external)) // parts))
    return [
        _CountedWindow(MINUTE, sorted(times[bisect_right(times, now - MINUTE) :] + external), most),
        _CountedWindow(HOUR, times, max(1, per_hour // parts)),
    ]


def _count_parts() -> int:
    """Into how many parts the limit is divided, because processes do not see each other's requests."""
    return settings.PORTAL_PROCESSES if _is_alone() else 1


def _is_alone() -> bool:
    cache = caches["counters"]
    return isinstance(cache, FailoverCache) and cache.is_alone


@contextmanager
def _locked(key: str) -> Iterator[None]:
    """Hold the lock on a log. Without it, two processes would overwrite each other's entries, so `Busy` is raised."""
    with short_lock(f"{key}:lock", patience_seconds=TURN_SECONDS) as is_held:
        if not is_held:
            raise Busy("Too many requests are waiting for the rate limit")
        yield


def _read_log(key: str, now: float) -> RequestLog:
    """The log of the last hour. What has a time in the future was written by another clock, and is left out."""
    log = decode(caches["counters"].get(key), _DECODER) or RequestLog()
    latest = now + clock.STEP_SECONDS
    calls = {
        member_id: recent
        for member_id, times in log.calls.items()
        if (recent := times[bisect_right(times, now - HOUR) : bisect_right(times, latest)])
    }
    if now < log.external_until <= latest + MINUTE:
        return msgspec.structs.replace(log, calls=calls)
    return RequestLog(calls, limit=log.limit)


def _log_call(key: str, log: RequestLog, member_id: str, now: float) -> None:
    """Add a request that goes upstream now. The caller must hold the lock on the log."""
    calls = log.calls | {member_id: (*log.calls.get(member_id, ()), now)}
    _write_log(key, msgspec.structs.replace(log, calls=calls))


def _write_log(key: str, log: RequestLog) -> None:
    caches["counters"].set(key, msgspec.msgpack.encode(log), int(HOUR))


def _list_since(log: RequestLog, moment: float) -> list[float]:
    """The requests of all members after `moment`, oldest first."""
    return sorted(chain.from_iterable(times[bisect_right(times, moment) :] for times in log.calls.values()))


def _to_wall(moment: float) -> datetime:
    return clock.to_wall(datetime.fromtimestamp(moment, UTC))


def _key(session: ApiSession) -> str:
    shared_by = session.cache_namespace if settings.BYCLOUD_RATE_SCOPE == "credential" else session.region.code
    return f"rate-limit:{shared_by}"
