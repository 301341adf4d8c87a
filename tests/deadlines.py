"""Nothing that a test waits for may wait for ever."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer


@contextmanager
def call_late(act: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call `act`, such as the `kill` of a process, unless the block ends within so many seconds."""
    timer = Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
