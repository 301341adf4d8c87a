"""How many threads of this process may wait for ByCloud at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.conf import settings
from django.db import connection

from portal.gateway.results import Busy

# They never wait for ByCloud, so that a hanging ByCloud does not block other pages.
RESERVED_THREADS = 4
SLOTS = max(1, settings.WEB_THREADS - RESERVED_THREADS)

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
