"""Time that passes by all clocks. With `time_machine` alone a wall clock is set, and nothing has passed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portal.gateway import clock, leases, memory
from portal.gateway.failover import FailoverCache


@contextmanager
def all_clocks_agree() -> Iterator[None]:
    """The gateway's monotonic clock, and that of Redis, move as the wall clock does, which `time_machine` moves."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (clock, leases, memory):
            patch.setattr(module, "monotonic", time.time)
        patch.setattr(FailoverCache, "read_time", lambda _cache: time.time())
        clock.forget_what_is_known()
        yield
    clock.forget_what_is_known()
