"""Keeps some threads of each process, and the database, free of upstream calls: a hanging ByCloud cannot take them."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.conf import settings
from django.db import connection

from portal.gateway.errors import Busy

KEPT_FREE = 4


_places = BoundedSemaphore(max(1, settings.WEB_THREADS - KEPT_FREE))


@contextmanager
def take_place() -> Iterator[None]:
    """A place among those who may wait for upstream. Raises `Busy` at once when there is none.

    Whoever waits holds no database connection: many may wait, and a server has few.
    """
    if not _places.acquire(blocking=False):
        raise Busy("As many requests as may wait for ByCloud are waiting already")
    try:
        if not connection.in_atomic_block:
            connection.close()
        yield
    finally:
        _places.release()
