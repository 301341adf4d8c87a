"""One holder at a time for a name, over all processes that share the cache; a dead holder's lease ends by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic, sleep
from uuid import uuid4

from django.core.cache import caches

from portal.gateway import clock

LOCK_SECONDS = 3
RENEWAL_SECONDS = 1.0
POLL_SECONDS = 0.005
# For a few milliseconds' work. Short, for it stays behind where the cache goes away in the middle of it.
SHORT_LOCK_SECONDS = 1
# Longer than that: a holder that died is no reason to go on without it.
PATIENCE_SECONDS = SHORT_LOCK_SECONDS + 0.5


class CacheLock:
    """What `acquire_lock` gives: proof that the name is held, until `release`."""

    def __init__(self, key: str) -> None:
        self.key = clock.name_epoch(key)
        self.token = uuid4().bytes

    def renew(self) -> None:
        caches["counters"].touch(self.key, LOCK_SECONDS)

    def release(self) -> None:
        _renewals.remove(self)
        # Only our own: should the lease have run out meanwhile, the name may be somebody else's by now.
        if caches["counters"].get(self.key) == self.token:
            caches["counters"].delete(self.key)


class _Renewals:
    """One thread of this process that renews the leases it holds, so that a long fetch keeps its lease."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: set[CacheLock] = set()
        self._has_work = Event()
        self._thread: Thread | None = None

    def add(self, lock: CacheLock) -> None:
        with self._lock:
            self._held.add(lock)
            if self._thread is None:
                self._thread = Thread(target=self._renew, name="lease-renewals", daemon=True)
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
    """The lease on `key`, or None when somebody else holds it. Renewed until it is released."""
    lock = CacheLock(key)
    if not caches["counters"].add(lock.key, lock.token, LOCK_SECONDS):
        return None
    _renewals.add(lock)
    return lock


@contextmanager
def short_lock(key: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Hold `key` for a few milliseconds' work. False when nobody let go of it in time; the work goes on regardless.

    The lease is not renewed: whoever dies with it blocks the others for `SHORT_LOCK_SECONDS` at most.
    """
    key = clock.name_epoch(key)
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
        # Later than that the name may be somebody else's by now.
        if is_held and monotonic() < asked_at + SHORT_LOCK_SECONDS:
            caches["counters"].delete(key)
