"""After a failure, upstream is left alone for a growing while, by all processes; a refused credential for good.

What this process has seen of a pause it remembers by itself, for the cache may go away, come back empty, or need the
room. The latest word counts, and is entered again where the cache has lost it.
"""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from threading import Lock

import msgspec
from django.conf import settings
from django.core.cache import caches

from portal.gateway import clock
from portal.gateway.api_session import ApiSession
from portal.gateway.cache import KEPT_SECONDS, decode
from portal.gateway.locks import short_lock
from portal.gateway.results import FetchError, FetchPolicy

LONGEST_SECONDS = 60
# A refused credential is asked with no more; when it is replaced, its pause is nobody's any more.
REFUSED_KEPT_SECONDS = 30 * 24 * 60 * 60
# Each credential that somebody tries has a pause of its own.
MOST_KNOWN = 10_000
PAUSING_KINDS = frozenset({"unreachable", "timed-out", "server-fault", "rate-limited", "rejected"})


class Pause(msgspec.Struct, frozen=True):
    """Nothing is asked before `until` (None: until the credential is replaced). `failures` came one after another.

    `is_named`: it was ByCloud that said when to come back, or that it is too much. `is_ended`: an answer has ended it.
    """

    trouble: FetchError
    failures: int
    until: datetime | None
    noted_at: datetime
    is_named: bool = False
    is_ended: bool = False

    def holds_back(self, policy: FetchPolicy) -> bool:
        """Whether this asking waits. A person who presses Retry need not, unless ByCloud itself has said to."""
        if self.until is None:
            return True
        if self.until <= clock.read_moment() or not clock.is_past(self.noted_at):
            return False
        return self.is_named or not policy.is_explicit


_lock = Lock()
_known: OrderedDict[str, Pause] = OrderedDict()


def find_pause(access: ApiSession) -> Pause | None:
    """The pause that is kept for an access, over or not. Of several, one whose end ByCloud has named goes first, for it
    holds everybody back; then the one that lasts longest.
    """
    found = [pause for key in _keys(access) if (pause := _find(key))]
    return max(
        found, key=lambda pause: (pause.is_named and pause.holds_back(FetchPolicy.FORCE), _end(pause)), default=None
    )


def is_credential_refused(access: ApiSession) -> bool:
    """Whether nothing is asked with this credential, for ByCloud has refused it."""
    pause = _find(_key(access, "rejected"))
    return pause is not None and pause.until is None


def record_failure(access: ApiSession, trouble: FetchError, *, began_at: datetime) -> FetchError:
    """Begin or lengthen the pause that `trouble` calls for. Gives the trouble with when upstream is asked again.

    `began_at` is when the request was sent. One that was under way when another failed is the same failure, seen twice.
    """
    if trouble.kind not in PAUSING_KINDS:
        return trouble
    key = _key(access, trouble.kind)
    with short_lock(f"{key}:lock"):
        return _lengthen(key, trouble, began_at)


def end_pause(access: ApiSession, *, is_credential_good: bool = False) -> None:
    """Upstream has answered: nothing is held back any more, unless it has named a time or refused the credential.

    An answer that was under way then says nothing against that, but `is_credential_good` does: it was asked just now.
    """
    for key in _keys(access):
        if _find(key) is None:
            continue
        with short_lock(f"{key}:lock"):
            pause = _find(key)
            if pause and (is_credential_good if pause.until is None else not pause.holds_back(FetchPolicy.FORCE)):
                _keep(key, msgspec.structs.replace(pause, is_ended=True, noted_at=clock.read_moment()))


def reset_local_state() -> None:
    """Begin anew, as a process that has just started."""
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
        # What was under way when a longer pause began does not cut it short.
        return msgspec.structs.replace(trouble, retry_at=before.until)
    trouble = msgspec.structs.replace(trouble, retry_at=until)
    _keep(key, Pause(trouble, failures, until, now, is_named))
    return trouble


def _find(key: str) -> Pause | None:
    """The latest word on this pause, in the cache or here; None when an answer has ended it."""
    kept = decode(caches["counters"].get(key), Pause)
    with _lock:
        known = _known.get(key)
        if kept and (known is None or kept.noted_at >= known.noted_at):
            known = kept
            _note(key, kept)
    if known and known is not kept:
        _keep(key, known)
    return None if known is None or known.is_ended else known


def _keep(key: str, pause: Pause) -> None:
    """What has no end, and the word that it was ended nevertheless, for as long as each other."""
    with _lock:
        _note(key, pause)
    caches["counters"].set(key, msgspec.msgpack.encode(pause), KEPT_SECONDS if pause.until else REFUSED_KEPT_SECONDS)


def _note(key: str, pause: Pause) -> None:
    """The caller holds `_lock`."""
    _known[key] = pause
    _known.move_to_end(key)
    if len(_known) > MOST_KNOWN:
        _known.popitem(last=False)


def _end(pause: Pause) -> datetime:
    return pause.until or datetime.max.replace(tzinfo=UTC)


def _keys(access: ApiSession) -> list[str]:
    """The credential's own, and the one that it shares, if it shares any."""
    return list(dict.fromkeys(_key(access, kind) for kind in ("rejected", "rate-limited")))


def _key(access: ApiSession, kind: str) -> str:
    """Too many requests concern all who share the budget; any other failure, this credential alone."""
    is_shared = kind == "rate-limited" and settings.BYCLOUD_RATE_SCOPE == "region"
    return f"pause:{access.region.code if is_shared else access.scope}"
