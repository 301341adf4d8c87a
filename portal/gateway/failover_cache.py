"""Redis while it is available, otherwise this process's memory. An outage costs speed, but raises no errors."""

from collections.abc import Callable
from time import monotonic
from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache
from django.utils.module_loading import import_string
from redis import Redis
from redis.exceptions import RedisError

RETRY_SECONDS = 2.0
ASK_SECONDS = 2.0

log = structlog.get_logger(__name__)


class _Outages:
    """When each server may be tried again, for all cache instances of this process."""

    def __init__(self) -> None:
        self._end_at: dict[str, float] = {}
        self._used_alone: set[str] = set()

    def was_on_within(self, seconds: float, server: str) -> bool:
        return self._end_at.get(server, float("-inf")) + seconds > monotonic()

    def begin(self, server: str) -> None:
        self._end_at[server] = monotonic() + RETRY_SECONDS

    def note_use(self, location: str) -> None:
        self._used_alone.add(location)

    def take_used(self, location: str) -> bool:
        """Whether entries may exist in memory under `location`. Resets the flag: the caller clears them."""
        if location not in self._used_alone:
            return False
        self._used_alone.discard(location)
        return True


_outages = _Outages()


class FailoverCache(RedisCache):
    """Django's Redis cache with a fallback. A failed operation and all others of the next two seconds use memory.

    `OPTIONS["alone"]` is the backend of the fallback. The other options are those of the connection, which should have
    short timeouts. The fallback is cleared when Redis is back, because its entries become outdated.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = dict(params.get("OPTIONS", {}))
        alone = import_string(options.pop("alone"))
        prefix = params.get("KEY_PREFIX", "")
        super().__init__(server, params | {"OPTIONS": options})
        self._server = str(server)
        self._location = f"alone:{server}:{prefix}"
        room = {"MAX_BYTES": 64 * 1024 * 1024, "MAX_ENTRIES": 100_000}
        self._alone = alone(self._location, params | {"OPTIONS": room})

    @property
    def is_alone(self) -> bool:
        """Whether Redis is unavailable, by the last attempt."""
        return self.was_alone_within(0.0)

    def was_alone_within(self, seconds: float) -> bool:
        """Whether Redis has been unavailable within the last `seconds`."""
        return _outages.was_on_within(seconds, self._server)

    def read_time(self) -> float | None:
        """Unix time by the server's clock; None while Redis is unavailable."""
        moment: float | None = self._do(self._read_server_time, lambda: None)
        return moment

    def _read_server_time(self) -> float:
        seconds, microseconds = self._cache.get_client(write=True).time()
        return float(seconds) + float(microseconds) / 1_000_000

    def find_eviction_policy(self) -> str | None:
        """The server's eviction policy for expiring keys; None if it evicts nothing or does not tell.

        Uses a connection of its own, because gunicorn calls this before it forks.
        """
        try:
            with Redis.from_url(self._server, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS) as client:
                memory = client.info("memory")
        except (RedisError, OSError):
            return None
        policy = str(memory.get("maxmemory_policy", ""))
        return policy if memory.get("maxmemory") and policy != "noeviction" else None

    def add(self, *arguments: Any, **options: Any) -> bool:
        return bool(self._do(super().add, self._alone.add, *arguments, **options))

    def get(self, *arguments: Any, **options: Any) -> Any:
        return self._do(super().get, self._alone.get, *arguments, **options)

    def set(self, *arguments: Any, **options: Any) -> None:
        self._do(super().set, self._alone.set, *arguments, **options)

    def touch(self, *arguments: Any, **options: Any) -> bool:
        return bool(self._do(super().touch, self._alone.touch, *arguments, **options))

    def delete(self, *arguments: Any, **options: Any) -> bool:
        return bool(self._do(super().delete, self._alone.delete, *arguments, **options))

    def get_many(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._do(super().get_many, self._alone.get_many, *arguments, **options)
        return found

    def set_many(self, *arguments: Any, **options: Any) -> list[str]:
        failed: list[str] = self._do(super().set_many, self._alone.set_many, *arguments, **options)
        return failed

    def delete_many(self, *arguments: Any, **options: Any) -> None:
        self._do(super().delete_many, self._alone.delete_many, *arguments, **options)

    def incr(self, *arguments: Any, **options: Any) -> int:
        return int(self._do(super().incr, self._alone.incr, *arguments, **options))

    def has_key(self, *arguments: Any, **options: Any) -> bool:
        return bool(self._do(super().has_key, self._alone.has_key, *arguments, **options))

    def clear(self) -> None:
        self._do(super().clear, self._alone.clear)

    def _do(self, shared: Callable[..., Any], alone: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if not self.is_alone:
            try:
                answer = shared(*arguments, **options)
            except (RedisError, OSError) as error:
                _outages.begin(self._server)
                log.warning("cache_server_away", error=type(error).__name__)
            else:
                if _outages.take_used(self._location):
                    self._alone.clear()
                    log.info("cache_server_back")
                return answer
        try:
            return alone(*arguments, **options)
        finally:
            # Only afterwards: another thread may clear the fallback before this write, and would leave it unnoticed.
            _outages.note_use(self._location)
