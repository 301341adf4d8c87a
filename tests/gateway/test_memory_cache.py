from collections.abc import Callable

import pytest
import time_machine

from portal.gateway.memory_cache import MemoryCache
from tests.ticking import all_clocks_agree

MakeCache = Callable[[int], MemoryCache]


@pytest.fixture
def make_cache(request: pytest.FixtureRequest) -> MakeCache:
    location = request.node.nodeid

    def make(max_bytes: int) -> MemoryCache:
        cache = MemoryCache(location, {"OPTIONS": {"MAX_BYTES": max_bytes}})
        cache.clear()
        return cache

    return make


def test_what_is_set_is_there_until_it_is_deleted(make_cache: MakeCache) -> None:
    cache = make_cache(100)
    cache.set("a", b"1")
    assert cache.get("a") == b"1"
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    assert cache.get("a", b"other") == b"other"


def test_an_entry_is_gone_after_its_time(make_cache: MakeCache) -> None:
    cache = make_cache(100)
    with time_machine.travel(0, tick=False) as clock, all_clocks_agree():
        cache.set("short", b"1", 10)
        cache.set("default", b"2")
        cache.set("forever", b"3", None)
        clock.shift(9)
        assert cache.get("short") == b"1"
        clock.shift(1)
        assert cache.get("short") is None
        assert cache.get("default") == b"2"
        clock.shift(300)
        assert cache.get("default") is None
        assert cache.get("forever") == b"3"


def test_the_bytes_are_bounded_and_the_longest_unused_goes_first(make_cache: MakeCache) -> None:
    cache = make_cache(30)
    for name in ("a", "b", "c"):
        cache.set(name, b"x" * 10)
    cache.get("a")
    cache.set("d", b"x" * 10)
    assert [name for name in "abcd" if cache.get(name)] == ["a", "c", "d"]


def test_a_value_that_is_set_again_counts_once(make_cache: MakeCache) -> None:
    cache = make_cache(30)
    cache.set("a", b"x" * 20)
    cache.set("a", b"x" * 20)
    cache.set("b", b"x" * 10)
    assert cache.get("a")
    assert cache.get("b")


def test_a_value_larger_than_all_the_room_is_not_kept(make_cache: MakeCache) -> None:
    cache = make_cache(30)
    cache.set("a", b"x" * 31)
    assert cache.get("a") is None


def test_instances_of_one_location_share_their_entries() -> None:
    options = {"OPTIONS": {"MAX_BYTES": 100}}
    MemoryCache("shared", options).set("a", b"1")
    assert MemoryCache("shared", options).get("a") == b"1"
    assert MemoryCache("not-shared", options).get("a") is None


def test_versions_are_kept_apart(make_cache: MakeCache) -> None:
    cache = make_cache(100)
    cache.set("a", b"1", version=1)
    assert cache.get("a", version=2) is None


def test_adding_takes_a_name_only_while_it_is_free(make_cache: MakeCache) -> None:
    cache = make_cache(100)
    with time_machine.travel(0, tick=False) as clock, all_clocks_agree():
        assert cache.add("a", b"1", 10)
        assert not cache.add("a", b"2", 10)
        assert cache.get("a") == b"1"
        clock.shift(10)
        assert cache.add("a", b"2", 10)


def test_touching_lengthens_an_entry_that_is_there(make_cache: MakeCache) -> None:
    cache = make_cache(100)
    with time_machine.travel(0, tick=False) as clock, all_clocks_agree():
        assert not cache.touch("a", 10)
        cache.set("a", b"1", 10)
        clock.shift(9)
        assert cache.touch("a", 10)
        clock.shift(9)
        assert cache.get("a") == b"1"
        clock.shift(1)
        assert not cache.touch("a", 10)
