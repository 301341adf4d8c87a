"""The upstream requests of the last hour: in the shared cache, and in memory for while it is down. Has no limits."""

from collections import Counter
from threading import Lock, Thread
from time import sleep

import msgspec
from django.conf import settings
from django.core.cache import caches

from portal.gateway import clock
from portal.gateway.failover_cache import RETRY_SECONDS, FailoverCache
from portal.gateway.locks import short_lock

HOUR = 3600.0
# By then each process has noticed that the cache is back, and has added the requests that it made meanwhile.
SETTLE_SECONDS = 3 * RETRY_SECONDS


class RequestLog(msgspec.Struct, frozen=True):
    """The requests of the last hour (Unix times, oldest first), and ByCloud's own figures for the minute.

    `others` are requests of other programs that count against the same limit, until `external_until`. `limit` is
    ByCloud's limit per minute, when it is lower than ours. Before `settles_at` the log may be incomplete, because the
    cache was down or has lost it. `askers` has the times by member.
    """

    times: tuple[float, ...] = ()
    others: int = 0
    external_until: float = 0.0
    limit: int | None = None
    settles_at: float = 0.0
    askers: dict[str, tuple[float, ...]] = {}


class Snapshot(msgspec.Struct, frozen=True):
    """The request log as this process knows it.

    `apart` are requests that other processes may not know of. What is left of the limit is divided by `processes`,
    which is 1 while all processes see the same log.
    """

    ledger: RequestLog
    apart: tuple[float, ...] = ()
    processes: int = 1


class _Known:
    """What this process knows of one log: the requests that are or were in the cache, and its own that are not yet."""

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


def read_snapshot(key: str, now: float) -> Snapshot:
    """The log of the last hour. Requests that this process has seen stay in it, even if the cache loses them."""
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
            # No requests in the last hour: keep nothing, so that unused credentials take no memory.
            del _known[key]
        return Snapshot(
            ledger=msgspec.structs.replace(ledger, times=times),
            apart=known.apart,
            processes=1 if is_shared else settings.PORTAL_PROCESSES,
        )


def log_request(key: str, snapshot: Snapshot, now: float, *, asker: str) -> None:
    """Add a request that goes upstream now, for `asker`. The caller must hold the lock on the log."""
    with _lock:
        known = _known.setdefault(key, _Known())
        known.not_entered = (*known.not_entered, now)
        if snapshot.processes > 1:
            known.apart = (*known.apart, now)
    ledger, askers = snapshot.ledger, snapshot.ledger.askers
    if asker:
        askers = askers | {asker: (*askers.get(asker, ()), now)}
    write_request_log(key, msgspec.structs.replace(ledger, times=(*ledger.times, now), askers=askers), now)


def write_request_log(key: str, ledger: RequestLog, now: float) -> None:
    """Store a changed log. If the shared cache is down, pending requests are added once it is back."""
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


def reset_local_state() -> None:
    """Forget everything that this process keeps in memory. For tests."""
    with _lock:
        _known.clear()


def _enter_later() -> None:
    """Start the thread that waits for the shared cache, unless it is running. The caller must hold `_lock`."""
    global _entering  # noqa: PLW0603 -- one thread per process
    if _entering is None:
        _entering = Thread(target=_enter_all, name="ledger-entries", daemon=True)
        _entering.start()


def _enter_all() -> None:
    """Add pending requests to the shared log as soon as the cache is back, so that other processes count them."""
    global _entering  # noqa: PLW0603 -- as above
    while True:
        sleep(RETRY_SECONDS / 2)
        with _lock:
            keys = [key for key, known in _known.items() if known.not_entered]
            if not keys:
                _entering = None
                return
        for key in keys:
            with short_lock(f"{key}:lock"):
                now = clock.now()
                write_request_log(key, read_snapshot(key, now).ledger, now)


def _decode(kept: bytes | None) -> RequestLog:
    """The decoded log. One that cannot be decoded (written by another version) counts as empty."""
    try:
        return msgspec.msgpack.decode(kept, type=RequestLog) if kept else RequestLog()
    except msgspec.DecodeError:
        return RequestLog()


def _heal(ledger: RequestLog, now: float) -> RequestLog:
    """A log with times in the future was written by a different clock: shift it so that its last request is now."""
    return (
        msgspec.structs.replace(
            ledger,
            times=_bring_back(ledger.times, now),
            askers={asker: _bring_back(times, now) for asker, times in ledger.askers.items()},
            external_until=min(ledger.external_until, now),
            settles_at=min(ledger.settles_at, now + SETTLE_SECONDS),
        )
        if ledger.times and ledger.times[-1] > now + clock.STEP_SECONDS
        else ledger
    )


def _bring_back(times: tuple[float, ...], now: float) -> tuple[float, ...]:
    """If the last of these times is in the future, shift all of them so that it is now."""
    ahead = times[-1] - now if times else 0.0
    return tuple(one - ahead for one in times) if ahead > clock.STEP_SECONDS else times


def _since(moment: float, times: tuple[float, ...]) -> tuple[float, ...]:
    """The times after `moment`. `times` must be sorted."""
    if not times or times[0] > moment:
        return times
    return tuple(one for one in times if one > moment)


def _join(these: tuple[float, ...], those: tuple[float, ...]) -> tuple[float, ...]:
    """The union of both, sorted. A time that is in both is the same request."""
    return tuple(sorted((Counter(these) | Counter(those)).elements()))
