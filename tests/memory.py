"""Everything that a portal process keeps in memory. Add new state here, so that it does not leak between tests."""

from django.core.cache import caches

from portal.gateway import backoff, clock


def forget_everything() -> None:
    """As in a process that has just started, of a portal that was asked nothing. (Throttles: in the database.)"""
    for name in ("pages", "counters"):
        caches[name].clear()
    backoff.reset_local_state()
    clock.reset_local_state()
