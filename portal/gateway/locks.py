"""One holder at a time for a name, over all processes that share the cache; a dead holder's lease ends by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic, sleep
from uuid import uuid4

from django.core.cache import caches

from portal.gateway import clock

LEASE_SECONDS = 3
RENEWAL_SECONDS = 1.0
POLL_SECONDS = 0.005
# For a few milliseconds' work. Short, for it stays behind where the cache goes away in the middle of it.
BRIEF_SECONDS = 1
# Longer than that: a holder that died is no reason to go on without it.
PATIENCE_SECONDS = BRIEF_SECONDS + 0.5


class Lease:
    """What `take_lease` gives: proof that the name is held, until `release`."""

    def __init__(self, key: str) -> None:
        self.key = clock.name_epoch(key)
        self.token = uuid4().bytes

    def renew(self) -> None:
        caches["counters"].touch(self.key, LEASE_SECONDS)

    def release(self) -> None:
        _renewals.remove(self)
        # Only our own: should the lease have run out meanwhile, the name may be somebody else's by now.
        if caches["counters"].get(self.key) == self.token:
            caches["counters"].delete(self.key)


class _Renewals:
    """One thread of this process that renews the leases it holds, so that a long fetch keeps its lease."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: set[Lease] = set()
        self._has_work = Event()
        self._thread: Thread | None = None

    def add(self, lease: Lease) -> None:
        with self._lock:
            self._held.add(lease)
            if self._thread is None:
                self._thread = Thread(target=self._renew, name="lease-renewals", daemon=True)
                self._thread.start()
        self._has_work.set()

    def remove(self, lease: Lease) -> None:
        with self._lock:
            self._held.discard(lease)
            if not self._held:
                self._has_work.clear()

    def _renew(self) -> None:
        while True:
            self._has_work.wait()
            sleep(RENEWAL_SECONDS)
            with self._lock:
                held = list(self._held)
            for lease in held:
                lease.renew()


_renewals = _Renewals()


def take_lease(key: str) -> Lease | None:
    """The lease on `key`, or None when somebody else holds it. Renewed until it is released."""
    lease = Lease(key)
    if not caches["counters"].add(lease.key, lease.token, LEASE_SECONDS):
        return None
    _renewals.add(lease)
    return lease


@contextmanager
def hold_briefly(key: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Hold `key` for a few milliseconds' work. False when nobody let go of it in time; the work goes on regardless.

    The lease is not renewed: whoever dies with it blocks the others for `BRIEF_SECONDS` at most.
    """
    key = clock.name_epoch(key)
    ends_at = monotonic() + patience_seconds
    asked_at = monotonic()
    is_held = caches["counters"].add(key, b"held", BRIEF_SECONDS)
    while not is_held and monotonic() < ends_at:
        sleep(POLL_SECONDS)
        asked_at = monotonic()
        is_held = caches["counters"].add(key, b"held", BRIEF_SECONDS)
    try:
        yield is_held
    finally:
        # Later than that the name may be somebody else's by now.
        if is_held and monotonic() < asked_at + BRIEF_SECONDS:
            caches["counters"].delete(key)
