"""Keeps some threads of each process, and the database, free of upstream calls: a hanging ByCloud cannot take them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.conf import settings
from django.db import connection

from portal.gateway.errors import Busy

RESERVED_THREADS = 4
PLACES = max(1, settings.WEB_THREADS - RESERVED_THREADS)

_lock = Lock()
_taken: Counter[str] = Counter()


@contextmanager
def acquire_slot(asker: str = "") -> Iterator[None]:
    """A place among those who may wait for upstream. Raises `Busy` at once when there is none for this person.

    One person takes at most half of the places that the others leave. Whoever waits holds no database connection: many
    may wait, and a server has few.
    """
    with _lock:
        own = _taken[asker]
        left_by_others = PLACES - _taken.total() + own
        most = (left_by_others + 1) // 2 if asker else left_by_others
        if own >= most:
            raise Busy("As many requests as may wait for ByCloud are waiting already")
        _taken[asker] += 1
    try:
        if not connection.in_atomic_block:
            connection.close()
        yield
    finally:
        with _lock:
            _taken[asker] -= 1
            if not _taken[asker]:
                del _taken[asker]
