"""Everything that a portal process keeps in memory. Add new state here, so that it does not leak between tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import caches
from django.db import transaction

from portal.fleet import counts, search, values
from portal.gateway import backoff, clock


def forget_everything() -> None:
    """As in a process that has just started, of a portal that was asked nothing. (Throttles: in the database.)"""
    for name in ("pages", "counters"):
        caches[name].clear()
    backoff.reset_local_state()
    clock.reset_local_state()
    search.reset_local_state()
    counts.reset_local_state()
    values.list_known.cache_clear()


@contextmanager
def undone() -> Iterator[None]:
    """What the block changes, in the database or in memory, is as before afterwards: for one round of a loop."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    forget_everything()
