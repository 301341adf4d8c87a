"""The limit on upstream requests: rolling windows of a minute and an hour, shared by all processes."""

from datetime import UTC, datetime

import msgspec
from django.conf import settings
from django.core.cache import caches

from portal.bycloud import RateLimit
from portal.gateway import clock
from portal.gateway.api_session import ApiSession
from portal.gateway.errors import Busy, RateLimitReached, TriesSpent
from portal.gateway.failover_cache import FailoverCache
from portal.gateway.locks import short_lock
from portal.gateway.request_log import HOUR, RequestLog, Snapshot, log_request, read_snapshot, write_request_log
from portal.gateway.results import Priority

MINUTE = 60.0
# Credentials that may be tried per minute and region: by all members together, and by one.
TRIES = 20
TRIES_OF_ONE = 5
# The lock is normally held for a few milliseconds, so this timeout is generous.
TURN_SECONDS = 5.0


class Window(msgspec.Struct, frozen=True):
    used: int
    limit: int


class Meter(msgspec.Struct, frozen=True):
    """The usage of the rate limit. `is_alone`: the shared cache is down, and these are this process's figures."""

    minute: Window
    hour: Window
    others: int
    is_alone: bool


class Pace(msgspec.Struct, frozen=True):
    """When the next refresh may go upstream (Unix time). `is_easy`: at most half of each window's share is used."""

    is_easy: bool
    goes_at: float


def acquire_call(access: ApiSession, priority: Priority) -> None:
    """Count one request against the rate limit. Raises `RateLimitReached` when `priority` has no room.

    Requests of members may use all of it. Refreshes and scans leave `BYCLOUD_RATE_RESERVE` of each window to members,
    and scans leave as much again to refreshes. When several members share the limit, one uses at most half of what the
    others have left. Raises `Busy` when the lock on the request log is not acquired in time.
    """
    key = _key(access)
    with short_lock(f"{key}:lock", patience_seconds=TURN_SECONDS) as is_held:
        if not is_held:
            # Without the lock, two processes would overwrite each other's entries.
            raise Busy("Too many requests at once want a share of the budget")
        now = clock.now()
        snapshot = read_snapshot(key, now)
        free_at = max(
            _find_room(_list_minute(snapshot, now), snapshot, _share(_minute_limit(snapshot), priority), MINUTE, now),
            _find_room(snapshot.ledger.times, snapshot, _share(settings.BYCLOUD_RATE_PER_HOUR, priority), HOUR, now),
            _find_turn(access, snapshot, priority, now),
        )
        if free_at > now:
            raise RateLimitReached("The portal keeps within ByCloud's rate limit", retry_at=_to_wall(free_at))
        log_request(key, snapshot, now, asker=access.asker)


def spend_try(access: ApiSession) -> None:
    """Count one attempt with a new credential. Raises `TriesSpent` after too many in a minute, or `Busy` as above.

    A credential that may be invalid has no request log of its own: all attempts share one per region. Without `asker`
    the call comes from the command line and is not limited.
    """
    if not access.asker:
        return
    key = f"budget:tries:{access.region.code}"
    with short_lock(f"{key}:lock", patience_seconds=TURN_SECONDS) as is_held:
        if not is_held:
            raise Busy("Too many credentials are tried at once")
        now = clock.now()
        snapshot = read_snapshot(key, now)
        times = snapshot.ledger.times
        minute = times[len(times) - _count_since(times, now - MINUTE) :]
        own = snapshot.ledger.askers.get(access.asker, ())
        free_at = max(
            _find_room(minute, snapshot, TRIES, MINUTE, now),
            _find_end_of_turn(own, minute, TRIES, MINUTE, now, most_of_one=TRIES_OF_ONE),
        )
        if free_at > now:
            raise TriesSpent("Too many credentials were tried", retry_at=_to_wall(free_at))
        log_request(key, snapshot, now, asker=access.asker)


def correct(access: ApiSession, rate: RateLimit) -> None:
    """Apply ByCloud's own figures where they leave less than ours: other programs may share the limit."""
    key = _key(access)
    ledger = read_snapshot(key, clock.now()).ledger
    if _correct(ledger, rate, clock.now()) == ledger:
        # The usual case. It needs no lock.
        return
    with short_lock(f"{key}:lock"):
        now = clock.now()
        write_request_log(key, _correct(read_snapshot(key, now).ledger, rate, now), now)


def read_pace(access: ApiSession) -> Pace:
    """How refreshes spread their share of the hourly limit over the hour.

    Half of it may be used without delay. The rest is spread evenly until the first request of the hour leaves the
    window.
    """
    now = clock.now()
    snapshot = read_snapshot(_key(access), now)
    times = snapshot.ledger.times
    share = _share(settings.BYCLOUD_RATE_PER_HOUR, Priority.REFRESH)
    left = share - len(times)
    if len(times) <= share / 2:
        minute_share = _share(_minute_limit(snapshot), Priority.REFRESH)
        return Pace(is_easy=len(_list_minute(snapshot, now)) <= minute_share / 2, goes_at=now)
    return Pace(is_easy=False, goes_at=times[-1] + (times[0] + HOUR - times[-1]) / left if left > 0 else now)


def read_meter(access: ApiSession) -> Meter:
    """The current usage of the rate limit."""
    now = clock.now()
    snapshot = read_snapshot(_key(access), now)
    cache = caches["counters"]
    is_alone = isinstance(cache, FailoverCache) and cache.is_alone
    measure = _measure_share if is_alone else _measure_all
    return Meter(
        minute=measure(_list_minute(snapshot, now), snapshot, _minute_limit(snapshot), now - MINUTE),
        hour=measure(snapshot.ledger.times, snapshot, settings.BYCLOUD_RATE_PER_HOUR, now - HOUR),
        others=_count_others(snapshot, now),
        is_alone=is_alone,
    )


def _correct(ledger: RequestLog, rate: RateLimit, now: float) -> RequestLog:
    known = _count_since(ledger.times, now - MINUTE)
    # If ByCloud's limit is above ours, external requests count only once they leave less than our limit would.
    others = max(0, min(rate.limit, settings.BYCLOUD_RATE_PER_MINUTE) - rate.remaining - known)
    lower = rate.limit if rate.limit < settings.BYCLOUD_RATE_PER_MINUTE else None
    until = min(clock.from_wall(rate.reset_at).timestamp(), now + MINUTE) if rate.reset_at else now + MINUTE
    return msgspec.structs.replace(ledger, others=others, external_until=until if others else 0.0, limit=lower)


def _measure_all(times: tuple[float, ...], _standing: Snapshot, limit: int, _since: float) -> Window:
    return Window(len(times), limit)


def _measure_share(times: tuple[float, ...], snapshot: Snapshot, limit: int, since: float) -> Window:
    own = _count_since(snapshot.apart, since)
    return Window(own, max(1, own, (limit - len(times) + own) // snapshot.processes))


def _find_room(times: tuple[float, ...], snapshot: Snapshot, share: int, seconds: float, now: float) -> float:
    """When a request is allowed: now, or once enough of `times` have left the window.

    Requests that other processes may not know of (`apart`) must stay within this process's part of what is left. So all
    processes together stay within the share, even if they cannot see each other's requests.
    """
    apart = [one for one in snapshot.apart if one > now - seconds]
    own, common = len(apart), len(times) - len(apart)
    free_at = now
    if own < (share - common) // snapshot.processes:
        return free_at
    left_to_find = apart[:]
    for moment in times:
        if own < (share - common) // snapshot.processes:
            break
        if left_to_find and left_to_find[0] == moment:
            left_to_find.pop(0)
            own -= 1
        else:
            common -= 1
        free_at = moment + seconds
    return free_at


def _find_turn(access: ApiSession, snapshot: Snapshot, priority: Priority, now: float) -> float:
    """When this member may go on: now, unless the limit is shared and the member's part of it is used."""
    askers = snapshot.ledger.askers
    is_shared = access.is_shared or settings.BYCLOUD_RATE_SCOPE == "region" or not askers.keys() <= {access.asker}
    if not access.asker or not is_shared:
        return now
    minute = (_list_minute(snapshot, now), _share(_minute_limit(snapshot), priority), MINUTE)
    hour = (snapshot.ledger.times, _share(settings.BYCLOUD_RATE_PER_HOUR, priority), HOUR)
    return max(_find_end_of_turn(askers.get(access.asker, ()), *window, now) for window in (minute, hour))


def _find_end_of_turn(
    own: tuple[float, ...],
    times: tuple[float, ...],
    share: int,
    seconds: float,
    now: float,
    *,
    most_of_one: int | None = None,
) -> float:
    own = tuple(moment for moment in own if moment > now - seconds)
    most = max(1, (share - len(times) + len(own)) // 2)
    most = min(most, most_of_one or most)
    return own[-most] + seconds if len(own) >= most else now


def _list_minute(snapshot: Snapshot, now: float) -> tuple[float, ...]:
    """The requests of the last minute. External ones count as made one minute before `external_until`."""
    times = snapshot.ledger.times
    recent = times[len(times) - _count_since(times, now - MINUTE) :]
    others = _count_others(snapshot, now)
    return tuple(sorted((*recent, *[snapshot.ledger.external_until - MINUTE] * others))) if others else recent


def _count_others(snapshot: Snapshot, now: float) -> int:
    return snapshot.ledger.others if snapshot.ledger.external_until > now else 0


def _to_wall(moment: float) -> datetime:
    return clock.to_wall(datetime.fromtimestamp(moment, UTC))


def _share(limit: int, priority: Priority) -> int:
    kept_back = {Priority.PERSON: 0, Priority.REFRESH: 1, Priority.SWEEP: 2}[priority] * settings.BYCLOUD_RATE_RESERVE
    return max(1, int(limit * (1 - kept_back)))


def _minute_limit(snapshot: Snapshot) -> int:
    limit: int = snapshot.ledger.limit or settings.BYCLOUD_RATE_PER_MINUTE
    return limit


def _count_since(times: tuple[float, ...], since: float) -> int:
    return sum(1 for moment in times if moment > since)


def _key(access: ApiSession) -> str:
    scope = access.scope if settings.BYCLOUD_RATE_SCOPE == "credential" else access.region.code
    return f"budget:{scope}"
