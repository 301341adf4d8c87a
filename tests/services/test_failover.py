"""The failover cache, operation by operation, with a real Redis that is stopped, suspended and started."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from pytest_django import Settings

from portal.gateway import clock, failover_cache
from portal.gateway.failover_cache import FailoverCache
from portal.gateway.memory_cache import MemoryCache
from tests.services.conftest import use_redis
from tests.services.servers import Redis

RETRY_SECONDS = 0.3

Operation = Callable[[BaseCache], Any]
# What is done to a cache that holds 1 under "one", and what comes of it.
OPERATIONS: dict[str, tuple[Operation, Any]] = {
    "get": (lambda cache: cache.get("one"), b"1"),
    "get of nothing": (lambda cache: cache.get("two", "default"), "default"),
    "add": (lambda cache: [cache.add("one", b"2"), cache.add("two", b"2"), cache.get("two")], [False, True, b"2"]),
    "set": (lambda cache: cache.set("one", b"3", 60) or cache.get("one"), b"3"),  # type: ignore[func-returns-value]
    "touch": (lambda cache: [cache.touch("one", 60), cache.touch("two", 60)], [True, False]),
    "delete": (lambda cache: [cache.delete("one"), cache.delete("one"), cache.get("one")], [True, False, None]),
    "has_key": (lambda cache: [cache.has_key("one"), "two" in cache], [True, False]),
    "many": (
        lambda cache: [cache.set_many({"two": b"2", "three": b"3"}, 60), cache.get_many(["one", "two", "four"])],
        [[], {"one": b"1", "two": b"2"}],
    ),
    "delete_many": (lambda cache: cache.delete_many(["one", "two"]) or cache.get("one"), None),  # type: ignore[func-returns-value]
    "clear": (lambda cache: cache.clear() or cache.get("one"), None),  # type: ignore[func-returns-value]
}


@pytest.fixture(autouse=True)
def cache(own_redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FailoverCache:
    """Where counters are kept, as the settings make it from a `CACHE_URL`."""
    monkeypatch.setattr(failover_cache, "RETRY_SECONDS", RETRY_SECONDS)
    use_redis(settings, own_redis)
    found = caches["counters"]
    assert isinstance(found, FailoverCache)
    return found


@pytest.mark.parametrize("is_away", [False, True], ids=["with Redis", "without Redis"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_comes_to_the_same(cache: FailoverCache, own_redis: Redis, name: str, is_away: bool) -> None:  # noqa: FBT001
    operation, outcome = OPERATIONS[name]
    if is_away:
        own_redis.stop()
    cache.set("one", b"1")
    assert operation(cache) == outcome
    assert cache.is_alone is is_away


def test_redis_holds_bytes_as_they_are_and_no_pickles(cache: FailoverCache, own_redis: Redis) -> None:
    cache.set("one", b"\x00\xff")
    with own_redis.connect() as client:
        assert [client.get(key) for key in client.scan_iter()] == [b"\x00\xff"]


def test_no_command_makes_a_client_of_its_own(cache: FailoverCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("one", b"1")
    cache.get("one")
    monkeypatch.delattr("redis.Redis.__init__")
    for operation, _outcome in OPERATIONS.values():
        operation(cache)
    assert not cache.is_alone


def test_sharing_comes_back_by_itself_and_what_was_kept_alone_is_dropped(
    cache: FailoverCache, own_redis: Redis
) -> None:
    own_redis.stop()
    cache.set("one", b"alone")
    assert cache.get("one") == b"alone"
    own_redis.start()
    time.sleep(RETRY_SECONDS)
    assert cache.get("one") is None
    assert not cache.is_alone
    cache.set("two", b"shared")
    with own_redis.connect() as client:
        assert [key for key in client.scan_iter() if key.endswith(b":two")]
    own_redis.stop()
    assert cache.get("one") is None
    assert cache.is_alone


def test_what_is_kept_alone_just_after_all_was_dropped_is_dropped_too(
    cache: FailoverCache, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_redis.stop()
    cache.set("two", b"alone")
    keep = MemoryCache.set

    def keep_late(memory: MemoryCache, *arguments: Any, **options: Any) -> None:
        own_redis.start()
        time.sleep(RETRY_SECONDS)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: caches["counters"].get("two")).result() is None
        keep(memory, *arguments, **options)

    monkeypatch.setattr(MemoryCache, "set", keep_late)
    cache.set("one", b"alone")
    assert cache.get("one") is None
    own_redis.stop()
    assert cache.get("one") is None
    assert cache.is_alone


def test_an_answer_from_before_the_outage_does_not_end_it(
    cache: FailoverCache, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_late(*_arguments: Any) -> bytes:
        own_redis.stop()
        cache.set("two", b"alone")
        return b"late"

    monkeypatch.setattr(failover_cache.TrustingCache, "get", get_late)
    assert cache.get("one") == b"late"
    assert cache.is_alone
    assert cache.get("two") == b"alone"


def test_what_redis_has_kept_is_there_again(cache: FailoverCache, own_redis: Redis) -> None:
    cache.set("one", b"shared")
    own_redis.hang()
    assert cache.get("one") is None
    cache.set("one", b"alone")
    own_redis.go_on()
    time.sleep(RETRY_SECONDS)
    assert cache.get("one") == b"shared"


def test_a_redis_that_hangs_is_waited_for_once_in_a_while(
    cache: FailoverCache, own_redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover_cache, "RETRY_SECONDS", 3600)
    own_redis.hang()
    for _ in range(100):
        cache.get("one")
    own_redis.go_on()
    # Those that wait in vain say so.
    assert len([line for line in caplog.messages if "cache_server_away" in line]) == 1


def test_both_caches_know_of_an_outage_that_one_has_met(cache: FailoverCache, own_redis: Redis) -> None:
    pages = caches["pages"]
    assert isinstance(pages, FailoverCache)
    own_redis.stop()
    cache.get("one")
    assert pages.is_alone


def test_the_log_tells_of_both_ends(cache: FailoverCache, own_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    own_redis.stop()
    cache.get("one")
    cache.get("one")
    own_redis.start()
    time.sleep(RETRY_SECONDS)
    cache.get("one")
    told = [line for line in caplog.messages if "cache_server" in line]
    assert len(told) == 2
    assert "cache_server_away" in told[0]
    assert "cache_server_back" in told[1]
    assert own_redis.password not in caplog.text


def test_the_clock_follows_the_one_of_redis_and_its_own_without(
    cache: FailoverCache, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "SYNC_SECONDS", 0)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1), tick=True):
        # Begins with this machine's clock, which is an hour fast.
        clock.reset_local_state()
    for _ in range(2):
        assert abs(clock.now() - own_redis.connect().time()[0]) < 2
    own_redis.stop()
    clock.reset_local_state()
    assert abs(clock.now() - time.time()) < 2
    assert cache.read_time() is None


def test_a_redis_that_drops_counters_is_known_by_its_policy(cache: FailoverCache, own_redis: Redis) -> None:
    server = own_redis.connect()
    server.config_set("maxmemory", "100mb")
    try:
        for policy, found in (("allkeys-lru", "allkeys-lru"), ("noeviction", None)):
            server.config_set("maxmemory-policy", policy)
            assert cache.find_eviction_policy() == found
        own_redis.stop()
        assert cache.find_eviction_policy() is None
    finally:
        own_redis.start()
        own_redis.connect().config_set("maxmemory", "0")
