"""Time that advances on all clocks. `time_machine` alone changes only the wall clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portal.gateway import clock, locks, memory_cache
from portal.gateway.failover_cache import FailoverCache


@contextmanager
def all_clocks_agree() -> Iterator[None]:
    """The gateway's monotonic clock, and that of Redis, move as the wall clock does, which `time_machine` moves."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (clock, locks, memory_cache):
            patch.setattr(module, "monotonic", time.time)
        patch.setattr(FailoverCache, "read_time", lambda _cache: time.time())
        clock.reset_local_state()
        yield
    clock.reset_local_state()
