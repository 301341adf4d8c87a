"""The request log on a real Redis that is stopped, emptied and started: no request is lost."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, RateLimit, Region
from portal.gateway import ApiSession, failover_cache, read_meter, request_log
from portal.gateway.errors import RateLimitReached
from portal.gateway.rate_limit import Window, acquire_call, correct
from portal.gateway.request_log import RequestLog, reset_local_state
from portal.gateway.results import Priority
from tests.services.conftest import use_redis
from tests.services.servers import Redis

RETRY_SECONDS = 0.3
# Long enough for what a test does meanwhile on a busy machine.
SETTLE_SECONDS = 2.5
LIMIT = 10
ACCESS = ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))
KEY = f"budget:{ACCESS.scope}"


@pytest.fixture(autouse=True)
def _two_processes(own_redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test is one of two; outages are noticed, and settle, quickly."""
    monkeypatch.setattr(failover_cache, "RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(request_log, "RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(request_log, "SETTLE_SECONDS", SETTLE_SECONDS)
    settings.BYCLOUD_RATE_PER_MINUTE = LIMIT
    settings.BYCLOUD_RATE_PER_HOUR = 1000
    settings.PORTAL_PROCESSES = 2
    use_redis(settings, own_redis)
    yield
    own_redis.stop()
    reset_local_state()


def count_granted(tries: int = LIMIT + 5) -> int:
    granted = 0
    for _ in range(tries):
        try:
            acquire_call(ACCESS, Priority.PERSON)
        except RateLimitReached:
            continue
        granted += 1
    return granted


def keep(kept: RequestLog) -> None:
    """As another process would."""
    caches["counters"].set(KEY, msgspec.msgpack.encode(kept))


def read_kept() -> RequestLog:
    return msgspec.msgpack.decode(caches["counters"].get(KEY), type=RequestLog)


def list_recent(count: int) -> tuple[float, ...]:
    """That many requests of another process, in the last seconds."""
    return tuple(time.time() - 20 + number for number in range(count))


def wait_until(is_so: Callable[[], object], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    assert is_so()


def test_with_redis_all_of_the_budget_is_there_for_whoever_asks() -> None:
    keep(RequestLog(times=list_recent(3)))
    assert count_granted() == LIMIT - 3
    assert read_meter(ACCESS).minute == Window(used=LIMIT, limit=LIMIT)


def test_without_redis_each_process_has_its_share(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted() == LIMIT // 2
    meter = read_meter(ACCESS)
    assert (meter.minute, meter.is_alone) == (Window(used=5, limit=5), True)
    assert meter.hour == Window(used=5, limit=500)


def test_the_share_is_of_what_all_know_to_be_left(own_redis: Redis) -> None:
    keep(RequestLog(times=list_recent(4)))
    assert count_granted(2) == 2
    own_redis.stop()
    assert count_granted() == (LIMIT - 6) // 2
    assert read_meter(ACCESS).minute == Window(used=2, limit=2)


def test_an_open_page_is_enough_to_know_what_others_have_spent(own_redis: Redis) -> None:
    keep(RequestLog(times=list_recent(LIMIT)))
    read_meter(ACCESS)
    own_redis.stop()
    assert count_granted() == 0


def test_a_refusal_without_redis_says_when_it_goes_on(own_redis: Redis) -> None:
    others = list_recent(6)
    keep(RequestLog(times=others))
    read_meter(ACCESS)
    own_redis.stop()
    assert count_granted() == 2
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(ACCESS, Priority.PERSON)
    # Three may be spent here when 4 of the others are left, which is when two have passed.
    assert refusal.value.retry_at
    assert refusal.value.retry_at.timestamp() == pytest.approx(others[1] + 60, abs=0.001)


def test_where_there_is_less_than_one_for_each_it_is_one_at_a_time(own_redis: Redis, settings: Settings) -> None:
    settings.PORTAL_PROCESSES = 50
    own_redis.stop()
    assert count_granted() == 1
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(ACCESS, Priority.PERSON)
    assert refusal.value.retry_at
    assert refusal.value.retry_at > datetime.now(UTC) + timedelta(seconds=50)


def test_requests_of_others_that_bycloud_tells_of_count_without_redis_too(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted(1) == 1
    correct(ACCESS, RateLimit(LIMIT, LIMIT - 7, None))
    assert read_meter(ACCESS).others == 6
    # Of the four that nobody else has taken, two are this process's.
    assert count_granted() == 1


def test_bycloud_may_tell_of_others_before_anything_was_spent_here(own_redis: Redis) -> None:
    own_redis.stop()
    correct(ACCESS, RateLimit(LIMIT, 0, None))
    assert count_granted() == 0


def test_what_was_spent_alone_is_entered_when_redis_is_back(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted(3) == 3
    own_redis.start()
    with own_redis.connect() as client:
        wait_until(lambda: [key for key in client.scan_iter() if key.endswith(KEY.encode())])
    assert len(read_kept().times) == 3


def test_until_all_have_entered_theirs_each_keeps_to_its_share(own_redis: Redis) -> None:
    own_redis.stop()
    assert count_granted(3) == 3
    own_redis.start()
    time.sleep(RETRY_SECONDS)
    assert count_granted() == 2
    assert not read_meter(ACCESS).is_alone
    kept = read_kept()
    assert len(kept.times) == 5
    # The other process enters its own, in time.
    keep(msgspec.structs.replace(kept, times=(*list_recent(4), *kept.times)))
    assert count_granted() == 0
    wait_until(lambda: read_kept().settles_at < time.time())
    assert count_granted() == 1
    assert read_meter(ACCESS).minute == Window(used=LIMIT, limit=LIMIT)


def test_a_process_that_has_not_noticed_keeps_to_its_share_too(own_redis: Redis) -> None:
    own_redis.stop()
    own_redis.start()
    assert count_granted() == LIMIT // 2
    assert not read_meter(ACCESS).is_alone


def test_what_redis_has_lost_is_entered_again(own_redis: Redis) -> None:
    keep(RequestLog(times=list_recent(4)))
    assert count_granted(2) == 2
    with own_redis.connect() as client:
        client.flushall()
    assert count_granted() == (LIMIT - 6) // 2
    assert len(read_kept().times) == 8


def test_what_another_version_wrote_is_a_new_ledger() -> None:
    caches["counters"].set(KEY, b"\x93what?")
    assert count_granted() == LIMIT
    assert len(read_kept().times) == LIMIT


def test_what_is_more_than_an_hour_old_is_forgotten(settings: Settings) -> None:
    settings.BYCLOUD_RATE_PER_HOUR = 4
    now = time.time()
    keep(RequestLog(times=(now - 3700, now - 3599, now - 1000)))
    assert count_granted() == 2
    assert read_meter(ACCESS).hour == Window(used=4, limit=4)
