"""Redis while it is available, otherwise this process's memory. An outage costs speed, but raises no errors."""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

import structlog
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import RedisError

from portal.gateway.memory_cache import MemoryCache

RETRY_SECONDS = 2.0
ASK_SECONDS = 2.0
MEMORY_BYTES = 64 * 1024 * 1024

log = structlog.get_logger(__name__)
# When each server that has failed may be tried again, for all cache instances of this process.
_retry_at: dict[str, float] = {}


class BytesSerializer:
    """The values are bytes already. With pickle, write access to Redis would mean code execution."""

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, value: bytes) -> bytes:
        return value


class ReusingClient(RedisCacheClient):
    """Django's client with one client of redis-py for all commands. Django makes one for each, which takes longer than
    the command itself.
    """

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._made: dict[bool, Redis] = {}

    def get_client(self, key: str | None = None, *, write: bool = False) -> Redis:  # type: ignore[override]
        if write not in self._made:
            self._made[write] = super().get_client(key, write=write)
        return self._made[write]


class TrustingCache(RedisCache):
    """Django's cache, which uses the client above and trusts the portal's own keys. Django looks at each of their
    characters, for the limits of another server.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = ReusingClient

    def validate_key(self, key: str) -> None:
        pass


class FailoverCache(BaseCache):
    """Django's Redis cache with a fallback. A failed operation and all others of the next two seconds use memory.

    The options are those of the connection, which should have short timeouts. The fallback is cleared when Redis is
    back, because its entries become outdated.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = params.get("OPTIONS", {}) | {"serializer": BytesSerializer}
        self._server = str(server)
        self._redis = TrustingCache(server, params | {"OPTIONS": options})
        location = f"alone:{server}:{params.get('KEY_PREFIX', '')}"
        self._memory = MemoryCache(location, params | {"OPTIONS": {"MAX_BYTES": MEMORY_BYTES}})

    @property
    def is_alone(self) -> bool:
        """Whether Redis is unavailable, by the last attempt."""
        return _retry_at.get(self._server, 0.0) > monotonic()

    def read_time(self) -> float | None:
        """Unix time by the server's clock; None while Redis is unavailable."""
        if self.is_alone:
            return None
        try:
            seconds, microseconds = self._redis._cache.get_client(write=True).time()  # noqa: SLF001 -- Django has no public way
        except (RedisError, OSError) as error:
            self._begin_outage(error)
            return None
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

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._do("add", key, value, timeout, version))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._do("get", key, default, version)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._do("set", key, value, timeout, version)

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._do("touch", key, timeout, version))

    def delete(self, key: str, version: int | None = None) -> bool:
        return bool(self._do("delete", key, version))

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self._do("get_many", keys, version)
        return found

    def set_many(
        self, data: Mapping[str, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[str]:
        failed: list[str] = self._do("set_many", data, timeout, version)
        return failed

    def clear(self) -> None:
        self._do("clear")

    def _do(self, operation: str, *arguments: Any) -> Any:
        retry_at = _retry_at.get(self._server, 0.0)
        if retry_at <= monotonic():
            try:
                answer = getattr(self._redis, operation)(*arguments)
            except (RedisError, OSError) as error:
                self._begin_outage(error)
            else:
                # Otherwise an outage has begun since.
                if _retry_at.get(self._server, 0.0) == retry_at:
                    if _retry_at.pop(self._server, None):
                        log.info("cache_server_back")
                    # Each time: another thread may have written there just after the outage.
                    self._memory.clear()
                return answer
        return getattr(self._memory, operation)(*arguments)

    def _begin_outage(self, error: Exception) -> None:
        _retry_at[self._server] = monotonic() + RETRY_SECONDS
        log.warning("cache_server_away", error=type(error).__name__)
