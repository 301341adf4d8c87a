"""How the threads of this process wait for ByCloud: not too many of them, and one request for all who want the same."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connection

from portal.bycloud import TimedOut
from portal.gateway.results import Busy

# They never wait for ByCloud, so that a hanging ByCloud does not block other pages.
RESERVED_THREADS = 4
SLOTS = max(1, settings.WEB_THREADS - RESERVED_THREADS)

T = TypeVar("T")
_lock = Lock()
_taken: Counter[str] = Counter()


@contextmanager
def acquire_slot(member_id: str = "") -> Iterator[None]:
    """Take one of the slots for upstream requests. Raises `Busy` at once when none is free for this member.

    One member gets at most half of the slots that the others leave. The database connection is closed first: many
    threads may wait, and a database allows few connections.
    """
    with _lock:
        own = _taken[member_id]
        left_by_others = SLOTS - _taken.total() + own
        most = (left_by_others + 1) // 2 if member_id else left_by_others
        if own >= most:
            raise Busy("As many requests as may wait for ByCloud are waiting already")
        _taken[member_id] += 1
    try:
        if not connection.in_atomic_block:
            connection.close()
        yield
    finally:
        with _lock:
            _taken[member_id] -= 1
            if not _taken[member_id]:
                del _taken[member_id]


class SingleFlight(Generic[T]):
    """Merges identical concurrent calls into one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[str, Future[T]] = {}

    def join(self, key: str, fetch: Callable[[], T], *, timeout_seconds: float) -> T:
        """The result of `fetch`, or of a running call with the same key. Errors are shared in the same way.

        A call that joins another raises `TimedOut` after `timeout_seconds`.
        """
        with self._lock:
            is_first = key not in self._running
            flight = self._running.setdefault(key, Future())
        if not is_first:
            try:
                return flight.result(timeout_seconds)
            except TimeoutError:
                raise TimedOut("The request that was joined did not end in time") from None
        try:
            result = fetch()
        except BaseException as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(result)
            return result
        finally:
            with self._lock:
                del self._running[key]
