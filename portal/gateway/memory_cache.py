"""The cache of a portal that runs as a single process: bytes in memory, with a limit on their size."""

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache


class _Shelf:
    """The storage that all cache instances of one location share (Django creates one instance per thread)."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self.total_bytes = 0

    def drop(self, key: str) -> bool:
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        self.total_bytes -= len(entry[0])
        return True


class MemoryCache(BaseCache):
    """A Django cache of bytes with the size limit `OPTIONS["MAX_BYTES"]`. Evicts the least recently used entries.

    Django's own in-process cache limits the number of entries, not their size, and pickles each of them.
    """

    _shelves: dict[str, _Shelf] = {}

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._max_bytes = int(params["OPTIONS"]["MAX_BYTES"])
        self._cache = self._shelves.setdefault(location, _Shelf())

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        full_key = self.make_and_validate_key(key, version=version)
        shelf = self._cache
        with shelf.lock:
            value, expires_at = shelf.entries.get(full_key, (None, 0.0))
            if value is None:
                return default
            if expires_at <= monotonic():
                shelf.drop(full_key)
                return default
            shelf.entries.move_to_end(full_key)
            return value

    def add(self, key: str, value: bytes, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        full_key = self.make_and_validate_key(key, version=version)
        with self._cache.lock:
            _, expires_at = self._cache.entries.get(full_key, (None, 0.0))
            if expires_at > monotonic():
                return False
            self._put(full_key, value, timeout)
            return True

    def set(self, key: str, value: bytes, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        full_key = self.make_and_validate_key(key, version=version)
        with self._cache.lock:
            self._put(full_key, value, timeout)

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        full_key = self.make_and_validate_key(key, version=version)
        with self._cache.lock:
            value, expires_at = self._cache.entries.get(full_key, (None, 0.0))
            if value is None or expires_at <= monotonic():
                return False
            self._put(full_key, value, timeout)
            return True

    def _put(self, full_key: str, value: bytes, timeout: Any) -> None:
        """Set an entry, and evict the least recently used ones until all fit. The caller must hold the lock."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        expires_at = float("inf") if seconds is None else monotonic() + seconds
        shelf = self._cache
        shelf.drop(full_key)
        shelf.entries[full_key] = (value, expires_at)
        shelf.total_bytes += len(value)
        while shelf.total_bytes > self._max_bytes:
            shelf.drop(next(iter(shelf.entries)))

    def delete(self, key: str, version: int | None = None) -> bool:
        full_key = self.make_and_validate_key(key, version=version)
        with self._cache.lock:
            return self._cache.drop(full_key)

    def clear(self) -> None:
        with self._cache.lock:
            self._cache.entries.clear()
            self._cache.total_bytes = 0
