"""The cache of a portal that runs as a single process: bytes in memory, with a limit on their size."""

from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from cachetools import TLRUCache
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache


class _Entry(NamedTuple):
    value: bytes
    expires_at: float


_lock = Lock()
# By location: Django creates one cache instance per thread, and all of a location share their entries.
_stores: dict[str, TLRUCache[str, _Entry, float]] = {}


class MemoryCache(BaseCache):
    """A Django cache of bytes with the size limit `OPTIONS["MAX_BYTES"]`. Evicts the least recently used entries.

    Django's own in-process cache limits the number of entries, not their size, and pickles each of them.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        with _lock:
            if location not in _stores:
                _stores[location] = TLRUCache(
                    int(params["OPTIONS"]["MAX_BYTES"]),
                    ttu=lambda _key, entry, _now: entry.expires_at,
                    timer=lambda: monotonic(),  # noqa: PLW0108 -- looked up each time, for tests that move time
                    getsizeof=lambda entry: len(entry.value),
                )
            self.entries = _stores[location]

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        full_key = self.make_and_validate_key(key, version=version)
        try:
            with _lock:
                return self.entries[full_key].value
        except KeyError:
            return default

    def add(self, key: str, value: bytes, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        full_key = self.make_and_validate_key(key, version=version)
        with _lock:
            if full_key in self.entries:
                return False
            self._put(full_key, value, timeout)
            return True

    def set(self, key: str, value: bytes, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        full_key = self.make_and_validate_key(key, version=version)
        with _lock:
            self._put(full_key, value, timeout)

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        full_key = self.make_and_validate_key(key, version=version)
        with _lock:
            entry = self.entries.get(full_key)
            if entry is None:
                return False
            self._put(full_key, entry.value, timeout)
            return True

    def delete(self, key: str, version: int | None = None) -> bool:
        full_key = self.make_and_validate_key(key, version=version)
        with _lock:
            return self.entries.pop(full_key, None) is not None

    def clear(self) -> None:
        with _lock:
            self.entries.clear()

    def _put(self, full_key: str, value: bytes, timeout: Any) -> None:
        """Set an entry. The caller must hold the lock."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        self.entries.pop(full_key, None)
        # It is larger than the whole cache.
        with suppress(ValueError):
            self.entries[full_key] = _Entry(value, float("inf") if seconds is None else monotonic() + seconds)
