"""What was spent of the budget: in the shared cache, and in this process for when that is away. Knows no limits."""

from collections import Counter
from threading import Lock, Thread
from time import sleep

import msgspec
from django.conf import settings
from django.core.cache import caches

from portal.gateway import clock
from portal.gateway.failover import RETRY_SECONDS, FailoverCache
from portal.gateway.leases import hold_briefly

HOUR = 3600.0
# By then each process has found that the cache is back, and has entered what it spent without it.
SETTLE_SECONDS = 3 * RETRY_SECONDS


class Ledger(msgspec.Struct, frozen=True):
    """The requests of the last hour (Unix times, oldest first), and what ByCloud has said of the minute since.

    `others` are requests of other programs that ByCloud counts on the same budget, until `others_until`; `limit` is
    its own figure for the minute, when that is lower than ours. Before `settles_at` some process may not have entered
    all of its requests: the cache was away, or has lost the ledger. `askers` are the times of each person's own.
    """

    times: tuple[float, ...] = ()
    others: int = 0
    others_until: float = 0.0
    limit: int | None = None
    settles_at: float = 0.0
    askers: dict[str, tuple[float, ...]] = {}


class Standing(msgspec.Struct, frozen=True):
    """The ledger as this process knows it.

    `apart` are those of its times that other processes may not know of. What is left of the budget is divided by
    `processes`: 1 while all see the same ledger.
    """

    ledger: Ledger
    apart: tuple[float, ...] = ()
    processes: int = 1


class _Known:
    """What this process knows of one ledger: the times that stand in the cache, or stood there, and its own."""

    def __init__(self) -> None:
        self.entered: tuple[float, ...] = ()
        self.not_entered: tuple[float, ...] = ()
        self.apart: tuple[float, ...] = ()

    def forget_before(self, moment: float, now: float) -> None:
        latest = now + clock.STEP_SECONDS
        self.entered = _since(moment, tuple(one for one in self.entered if one <= latest))
        self.not_entered = _since(moment, _bring_back(self.not_entered, now))
        self.apart = _since(moment, _bring_back(self.apart, now))


_lock = Lock()
_known: dict[str, _Known] = {}
_entering: Thread | None = None


def read_standing(key: str, now: float) -> Standing:
    """The ledger of the last hour. Times that were seen once stay in it, should the cache lose them."""
    cache = caches["counters"]
    kept = cache.get(key)
    ledger = _decode(kept)
    healed = _heal(ledger, now)
    if healed is not ledger:
        ledger = healed
        cache.set(key, msgspec.msgpack.encode(ledger), int(HOUR))
    askers = {asker: recent for asker, times in ledger.askers.items() if (recent := _since(now - HOUR, times))}
    ledger = msgspec.structs.replace(ledger, times=_since(now - HOUR, ledger.times), askers=askers)
    is_away, is_shared = False, True
    if isinstance(cache, FailoverCache):
        is_away = cache.is_alone
        if kept is None and not is_away:
            ledger = msgspec.structs.replace(ledger, settles_at=now + SETTLE_SECONDS)
        is_shared = ledger.settles_at <= now and not cache.was_alone_within(SETTLE_SECONDS)
    with _lock:
        known = _known.setdefault(key, _Known())
        known.forget_before(now - HOUR, now)
        if not is_away and known.entered != ledger.times:
            known.entered = _join(known.entered, ledger.times)
        if is_shared:
            known.apart = ()
        times = tuple(sorted((*known.entered, *known.not_entered)))
        if not times:
            # Nothing of the last hour: of credentials that are asked with no more, nothing is kept.
            del _known[key]
        return Standing(
            ledger=msgspec.structs.replace(ledger, times=times),
            apart=known.apart,
            processes=1 if is_shared else settings.PORTAL_PROCESSES,
        )


def enter_request(key: str, standing: Standing, now: float, *, asker: str) -> None:
    """Note a request that goes upstream now, for `asker`. The caller holds the ledger."""
    with _lock:
        known = _known.setdefault(key, _Known())
        known.not_entered = (*known.not_entered, now)
        if standing.processes > 1:
            known.apart = (*known.apart, now)
    ledger, askers = standing.ledger, standing.ledger.askers
    if asker:
        askers = askers | {asker: (*askers.get(asker, ()), now)}
    write_ledger(key, msgspec.structs.replace(ledger, times=(*ledger.times, now), askers=askers), now)


def write_ledger(key: str, ledger: Ledger, now: float) -> None:
    """Keep a changed ledger. What cannot be entered now is entered when the shared cache is back."""
    cache = caches["counters"]
    shared = cache if isinstance(cache, FailoverCache) else None
    if shared and shared.was_alone_within(SETTLE_SECONDS):
        ledger = msgspec.structs.replace(ledger, settles_at=now + SETTLE_SECONDS)
    cache.set(key, msgspec.msgpack.encode(ledger), int(HOUR))
    with _lock:
        known = _known.setdefault(key, _Known())
        if not (shared and shared.is_alone):
            known.not_entered = tuple((Counter(known.not_entered) - Counter(ledger.times)).elements())
            known.entered = _join(known.entered, ledger.times)
        elif known.not_entered:
            _enter_later()
        if not (known.entered or known.not_entered):
            # As above: it may be a credential that is asked with once.
            del _known[key]


def forget_what_is_known() -> None:
    """Begin anew, as a process that has just started."""
    with _lock:
        _known.clear()


def _enter_later() -> None:
    """Start the thread that waits for the shared cache, unless it waits already. The caller holds `_lock`."""
    global _entering  # noqa: PLW0603 -- one thread a process
    if _entering is None:
        _entering = Thread(target=_enter_all, name="ledger-entries", daemon=True)
        _entering.start()


def _enter_all() -> None:
    """Enter what was spent alone, as soon as the shared cache takes it: the others reckon with it from then on."""
    global _entering  # noqa: PLW0603 -- as above
    while True:
        sleep(RETRY_SECONDS / 2)
        with _lock:
            keys = [key for key, known in _known.items() if known.not_entered]
            if not keys:
                _entering = None
                return
        for key in keys:
            with hold_briefly(f"{key}:lock"):
                now = clock.now()
                write_ledger(key, read_standing(key, now).ledger, now)


def _decode(kept: bytes | None) -> Ledger:
    """A ledger that cannot be read (another version wrote it) is a new one."""
    try:
        return msgspec.msgpack.decode(kept, type=Ledger) if kept else Ledger()
    except msgspec.DecodeError:
        return Ledger()


def _heal(ledger: Ledger, now: float) -> Ledger:
    """A ledger from the future was written by another clock: what it counts is taken for the last that was sent."""
    return (
        msgspec.structs.replace(
            ledger,
            times=_bring_back(ledger.times, now),
            askers={asker: _bring_back(times, now) for asker, times in ledger.askers.items()},
            others_until=min(ledger.others_until, now),
            settles_at=min(ledger.settles_at, now + SETTLE_SECONDS),
        )
        if ledger.times and ledger.times[-1] > now + clock.STEP_SECONDS
        else ledger
    )


def _bring_back(times: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Times of which the last lies ahead, moved so that it is now."""
    ahead = times[-1] - now if times else 0.0
    return tuple(one - ahead for one in times) if ahead > clock.STEP_SECONDS else times


def _since(moment: float, times: tuple[float, ...]) -> tuple[float, ...]:
    """The times after a moment, of times in order."""
    if not times or times[0] > moment:
        return times
    return tuple(one for one in times if one > moment)


def _join(these: tuple[float, ...], those: tuple[float, ...]) -> tuple[float, ...]:
    """All times that stand in either; what stands in both is the same request."""
    return tuple(sorted((Counter(these) | Counter(those)).elements()))
