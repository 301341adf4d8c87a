"""Locks that all processes with the same cache share. The lock of a process that has died expires."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic, sleep
from uuid import uuid4

from django.core.cache import caches

LOCK_SECONDS = 3
RENEWAL_SECONDS = 1.0
POLL_SECONDS = 0.005
# For work of a few milliseconds. Short, because the lock stays behind if the cache fails before it is released.
SHORT_LOCK_SECONDS = 1
# Longer than the lock lives, so that the lock of a dead process is waited out.
PATIENCE_SECONDS = SHORT_LOCK_SECONDS + 0.5


class CacheLock:
    """A lock that `acquire_lock` has acquired, until `release`."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.token = uuid4().bytes

    def renew(self) -> None:
        caches["counters"].touch(self.key, LOCK_SECONDS)

    def release(self) -> None:
        _renewals.remove(self)
        # Delete only our own lock: after it has expired, another process may hold the key.
        if caches["counters"].get(self.key) == self.token:
            caches["counters"].delete(self.key)


class _Renewals:
    """One thread of this process that renews its locks, so that they do not expire during a long fetch."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: set[CacheLock] = set()
        self._has_work = Event()
        self._thread: Thread | None = None

    def add(self, lock: CacheLock) -> None:
        with self._lock:
            self._held.add(lock)
            if self._thread is None:
                self._thread = Thread(target=self._renew, name="lock-renewals", daemon=True)
                self._thread.start()
        self._has_work.set()

    def remove(self, lock: CacheLock) -> None:
        with self._lock:
            self._held.discard(lock)
            if not self._held:
                self._has_work.clear()

    def _renew(self) -> None:
        while True:
            self._has_work.wait()
            sleep(RENEWAL_SECONDS)
            with self._lock:
                held = list(self._held)
            for lock in held:
                lock.renew()


_renewals = _Renewals()


def acquire_lock(key: str) -> CacheLock | None:
    """The lock on `key`, or None when it is taken. Renewed until it is released."""
    lock = CacheLock(key)
    if not caches["counters"].add(lock.key, lock.token, LOCK_SECONDS):
        return None
    _renewals.add(lock)
    return lock


@contextmanager
def short_lock(key: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Hold a lock for a few milliseconds. Yields False when it was not acquired in time; the block runs regardless.

    The lock is not renewed: if the process dies, it blocks the others for at most `SHORT_LOCK_SECONDS`.
    """
    ends_at = monotonic() + patience_seconds
    asked_at = monotonic()
    is_held = caches["counters"].add(key, b"held", SHORT_LOCK_SECONDS)
    while not is_held and monotonic() < ends_at:
        sleep(POLL_SECONDS)
        asked_at = monotonic()
        is_held = caches["counters"].add(key, b"held", SHORT_LOCK_SECONDS)
    try:
        yield is_held
    finally:
        # Later than that the lock has expired, and another process may hold the key.
        if is_held and monotonic() < asked_at + SHORT_LOCK_SECONDS:
            caches["counters"].delete(key)
