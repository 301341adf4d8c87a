"""Counters are kept in a Redis that is full of pages and evicts the least recently used ones."""

from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.core.checks import run_checks
from pytest_django import Settings

from portal.bycloud import BearerToken, Region
from portal.gateway import ApiSession, read_meter
from portal.gateway.rate_limit import acquire_call
from portal.gateway.results import Priority
from tests.services.conftest import give_up, use_redis
from tests.services.servers import NotInstalledError, Redis, run_redis

ACCESS = ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))
FAT_PAGE = b"x" * 1_000_000
EVICTING = ("--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru")


@pytest.fixture
def small_redis() -> Iterator[Redis]:
    """It has room for a few fat pages."""
    try:
        with run_redis(*EVICTING) as running:
            yield running
    except NotInstalledError as error:
        give_up(str(error))


def fill_with_fat_pages() -> None:
    for number in range(40):
        caches["pages"].set(f"fat-{number}", FAT_PAGE)
    # Which ones go is Redis's guess at the oldest.
    assert sum(caches["pages"].get(f"fat-{number}") is None for number in range(40))


def test_fat_pages_do_not_move_the_meter(small_redis: Redis, shared_redis: Redis, settings: Settings) -> None:
    use_redis(settings, small_redis, counters=shared_redis)
    caches["counters"].clear()
    for _ in range(41):
        acquire_call(ACCESS, Priority.PERSON)
    fill_with_fat_pages()
    assert read_meter(ACCESS).minute.used == 41


def find_warnings() -> list[str]:
    found = run_checks(tags=["caches"], include_deployment_checks=True)
    return [message.msg for message in found if message.id == "portal.W027"]


def test_a_deployment_is_told_of_a_policy_that_drops_counters(
    small_redis: Redis, shared_redis: Redis, settings: Settings
) -> None:
    use_redis(settings, small_redis)
    (told,) = find_warnings()
    assert "allkeys-lru" in told
    use_redis(settings, small_redis, counters=shared_redis)
    assert find_warnings() == []
    use_redis(settings, small_redis)
    small_redis.stop()
    assert find_warnings() == []
