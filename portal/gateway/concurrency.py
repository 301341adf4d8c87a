"""Limits how many threads of a process may wait for ByCloud, so that a hanging ByCloud does not block other pages."""

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
    """Take one of the slots for upstream requests. Raises `Busy` at once when none is free for this member.

    One member gets at most half of the slots that the others leave. The database connection is closed first: many
    threads may wait, and a database allows few connections.
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
