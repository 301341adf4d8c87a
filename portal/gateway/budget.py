"""How many requests may go upstream: rolling windows of a minute and an hour, kept where all processes see them."""

from collections import Counter
from datetime import UTC, datetime
from threading import Lock
from time import time

import msgspec
from django.conf import settings
from django.core.cache import caches

from portal.bycloud import RateLimit
from portal.gateway.access import Access
from portal.gateway.errors import BudgetSpent
from portal.gateway.failover import FailoverCache
from portal.gateway.freshness import Errand
from portal.gateway.leases import hold_briefly

MINUTE = 60.0
HOUR = 3600.0


class Ledger(msgspec.Struct, frozen=True):
    """The requests of the last hour (Unix times, oldest first), and what ByCloud has said of the minute since.

    `others` are requests of other programs that ByCloud counts on the same budget, until `others_until`; `limit` is
    its own figure for the minute, when that is lower than ours.
    """

    times: tuple[float, ...] = ()
    others: int = 0
    others_until: float = 0.0
    limit: int | None = None


class Window(msgspec.Struct, frozen=True):
    used: int
    limit: int


class Meter(msgspec.Struct, frozen=True):
    """What is used of the budget, for people to see. `is_alone`: the shared cache is away; one process's figures."""

    minute: Window
    hour: Window
    others: int
    is_alone: bool


_own_lock = Lock()
_own_times: dict[str, list[float]] = {}


def spend(access: Access, errand: Errand) -> None:
    """Take one request from the budget. Raises `BudgetSpent` when `errand` may not, with when it may.

    People may use all of it; refreshes and sweeps leave `BYCLOUD_RATE_RESERVE` of each window to them, and sweeps
    leave as much again to refreshes.
    """
    key = _key(access)
    with hold_briefly(f"{key}:lock", patience_seconds=1.0):
        now = time()
        ledger = _read(key, now)
        free_at = _free_at(ledger, errand, now)
        if free_at > now:
            raise BudgetSpent(
                "The portal keeps within ByCloud's rate limit", retry_at=datetime.fromtimestamp(free_at, UTC)
            )
        _note_own(key, now)
        _write(key, msgspec.structs.replace(ledger, times=(*ledger.times, now)))


def correct(access: Access, rate: RateLimit) -> None:
    """Take ByCloud's own figures where they leave less than ours: other programs may share the budget."""
    key = _key(access)
    with hold_briefly(f"{key}:lock", patience_seconds=1.0):
        now = time()
        ledger = _read(key, now)
        own = _count_since(ledger.times, now - MINUTE)
        others = max(0, rate.limit - rate.remaining - own)
        lower = rate.limit if rate.limit < settings.BYCLOUD_RATE_PER_MINUTE else None
        until = min(rate.reset_at.timestamp(), now + MINUTE) if rate.reset_at else now + MINUTE
        corrected = msgspec.structs.replace(ledger, others=others, others_until=until if others else 0.0, limit=lower)
        if corrected != ledger:
            _write(key, corrected)


def read_meter(access: Access) -> Meter:
    """How much of the budget is used now."""
    now = time()
    ledger = _read(_key(access), now)
    minute_limit, hour_limit = _limits(ledger)
    others = ledger.others if ledger.others_until > now else 0
    return Meter(
        minute=Window(_count_since(ledger.times, now - MINUTE) + others, minute_limit),
        hour=Window(len(ledger.times), hour_limit),
        others=others,
        is_alone=_is_alone(),
    )


def _free_at(ledger: Ledger, errand: Errand, now: float) -> float:
    """When this errand may go: now, or the moment when enough of each window has passed."""
    minute_limit, hour_limit = _limits(ledger)
    recent = ledger.times[len(ledger.times) - _count_since(ledger.times, now - MINUTE) :]
    others = ledger.others if ledger.others_until > now else 0
    share = _share(minute_limit, errand)
    free_at = now
    if len(recent) + others >= share:
        kept = share - others
        free_at = recent[len(recent) - kept] + MINUTE if 0 < kept <= len(recent) else ledger.others_until
    hourly = _share(hour_limit, errand)
    if len(ledger.times) >= hourly:
        free_at = max(free_at, ledger.times[len(ledger.times) - hourly] + HOUR)
    return free_at


def _share(limit: int, errand: Errand) -> int:
    kept_back = {Errand.PERSON: 0, Errand.REFRESH: 1, Errand.SWEEP: 2}[errand] * settings.BYCLOUD_RATE_RESERVE
    return max(1, int(limit * (1 - kept_back)))


def _limits(ledger: Ledger) -> tuple[int, int]:
    minute, hour = ledger.limit or settings.BYCLOUD_RATE_PER_MINUTE, settings.BYCLOUD_RATE_PER_HOUR
    if not _is_alone():
        return minute, hour
    return max(1, minute // settings.PORTAL_PROCESSES), max(1, hour // settings.PORTAL_PROCESSES)


def _is_alone() -> bool:
    cache = caches["pages"]
    return isinstance(cache, FailoverCache) and cache.is_alone


def _count_since(times: tuple[float, ...], since: float) -> int:
    return sum(1 for moment in times if moment > since)


def _key(access: Access) -> str:
    scope = access.scope if settings.BYCLOUD_RATE_SCOPE == "credential" else access.region.code
    return f"budget:{scope}"


def _read(key: str, now: float) -> Ledger:
    """The ledger of the last hour, with what this process has spent while it was alone."""
    kept = caches["pages"].get(key)
    ledger = msgspec.msgpack.decode(kept, type=Ledger) if kept else Ledger()
    with _own_lock:
        times = Counter(ledger.times) | Counter(_own_times.get(key, ()))
    return msgspec.structs.replace(ledger, times=tuple(sorted(one for one in times.elements() if one > now - HOUR)))


def _write(key: str, ledger: Ledger) -> None:
    caches["pages"].set(key, msgspec.msgpack.encode(ledger), int(HOUR))


def _note_own(key: str, now: float) -> None:
    """Remember what this process has spent, should the cache that counts for all go away, or come back."""
    if not isinstance(caches["pages"], FailoverCache):
        return
    with _own_lock:
        own = [moment for moment in _own_times.get(key, ()) if moment > now - HOUR]
        _own_times[key] = [*own, now]
