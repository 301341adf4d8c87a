"""The rate limit on a real Redis that is stopped and started: without it, each process keeps to its share."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, RateLimit, Region
from portal.gateway import ApiSession, RateLimitReached, TooManyAttempts, Window, failover_cache, read_meter
from portal.gateway.rate_limit import ATTEMPTS, acquire_call, apply_reported_usage, count_attempt
from portal.gateway.results import Priority
from tests.services.conftest import use_redis
from tests.services.servers import Redis

RETRY_SECONDS = 0.3
LIMIT = 10
SESSION = ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))


@pytest.fixture(autouse=True)
def _two_processes(own_redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test is one of two; it notices quickly that Redis is back."""
    monkeypatch.setattr(failover_cache, "RETRY_SECONDS", RETRY_SECONDS)
    settings.BYCLOUD_RATE_PER_MINUTE = LIMIT
    settings.BYCLOUD_RATE_PER_HOUR = 1000
    settings.PORTAL_PROCESSES = 2
    use_redis(settings, own_redis)
    yield
    own_redis.stop()


def count_granted(tries: int = LIMIT + 5) -> int:
    granted = 0
    for _ in range(tries):
        try:
            acquire_call(SESSION, Priority.PERSON)
        except RateLimitReached:
            continue
        granted += 1
    return granted


def test_with_redis_any_process_may_use_all_of_the_limit() -> None:
    assert count_granted() == LIMIT
    assert read_meter(SESSION).minute == Window(used=LIMIT, limit=LIMIT)


def test_without_redis_each_process_has_its_share(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted() == LIMIT // 2
    meter = read_meter(SESSION)
    assert (meter.minute, meter.is_alone) == (Window(used=5, limit=5), True)
    assert meter.hour == Window(used=5, limit=500)


def test_where_there_is_less_than_one_for_each_it_is_one_at_a_time(own_redis: Redis, settings: Settings) -> None:
    settings.PORTAL_PROCESSES = 50
    own_redis.stop()
    assert count_granted() == 1
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(SESSION, Priority.PERSON)
    assert refusal.value.retry_at
    assert refusal.value.retry_at > datetime.now(UTC) + timedelta(seconds=50)


def test_requests_of_others_that_bycloud_reports_count_without_redis_too(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted(1) == 1
    apply_reported_usage(SESSION, RateLimit(LIMIT, LIMIT - 7, None))
    assert read_meter(SESSION).external_requests == 6
    # Of the four that no one else has taken, two are this process's.
    assert count_granted() == 1
    apply_reported_usage(SESSION, RateLimit(LIMIT, 0, None))
    assert count_granted() == 0


def test_new_credentials_are_tried_less_often_without_redis(own_redis: Redis) -> None:
    own_redis.stop()
    for number in range(ATTEMPTS // 2):
        count_attempt(ApiSession(SESSION.region, SESSION.credential, member_id=str(number)))
    with pytest.raises(TooManyAttempts):
        count_attempt(ApiSession(SESSION.region, SESSION.credential, member_id="another"))


def test_when_redis_is_back_the_limit_is_shared_again_and_each_forgets_what_it_sent_alone(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted() == LIMIT // 2
    own_redis.start()
    time.sleep(RETRY_SECONDS)
    assert count_granted() == LIMIT
    meter = read_meter(SESSION)
    assert (meter.minute, meter.is_alone) == (Window(used=LIMIT, limit=LIMIT), False)


def test_a_log_that_another_version_wrote_is_an_empty_one() -> None:
    caches["counters"].set(f"rate-limit:{SESSION.cache_namespace}", b"\x93what?")
    assert count_granted() == LIMIT
