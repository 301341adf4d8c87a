"""What a process of the portal remembers. Whatever is added to that is added here, too, so that no test meets it."""

from django.core.cache import caches

from portal.gateway import backoff, clock, request_log


def forget_everything() -> None:
    """As in a process that has just started, of a portal that was asked nothing. (Throttles: in the database.)"""
    for name in ("pages", "counters"):
        caches[name].clear()
    request_log.reset_local_state()
    backoff.reset_local_state()
    clock.reset_local_state()
