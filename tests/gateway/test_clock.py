"""Changes of the wall clock, in either direction, do not affect ages, backoffs or locks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import time

import msgspec
import pytest
import time_machine
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import InstanceQuery, RateLimit
from portal.gateway import (
    ApiSession,
    FetchFailed,
    FetchPolicy,
    RateLimitReached,
    clock,
    read_last_used,
    read_meter,
    read_page,
)
from portal.gateway.backoff import Backoff
from portal.gateway.cache import RESPONSE_DECODER, get_cached, page_name, set_cached
from portal.gateway.locks import acquire_lock
from portal.gateway.rate_limit import RequestLog, acquire_call, apply_reported_usage
from portal.gateway.results import FetchError, Priority
from tests.upstream import Upstream

FIRST = InstanceQuery()
HOUR = timedelta(hours=1)
STEPS = [pytest.param(HOUR, id="forward"), pytest.param(-HOUR, id="back")]


class Setter:
    """Sets this machine's wall clock. Nothing else has passed by that."""

    def __init__(self) -> None:
        self.travel: time_machine.travel | None = None

    def step(self, by: timedelta) -> None:
        self.travel = time_machine.travel(datetime.now(UTC) + by, tick=True)
        self.travel.start()


@pytest.fixture
def wall() -> Iterator[Setter]:
    setter = Setter()
    yield setter
    if setter.travel:
        setter.travel.stop()


def seconds_until(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize("by", STEPS)
def test_a_page_keeps_its_age(acme: ApiSession, upstream: Upstream, wall: Setter, by: timedelta) -> None:
    read_page(acme, FIRST)
    wall.step(by)
    page = read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
    assert page.is_fresh
    assert 0 <= -seconds_until(page.fetched_at) < 10
    assert len(upstream.requests()) == 1
    forced = read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert 0 <= -seconds_until(forced.fetched_at) < 10
    assert len(upstream.requests()) == 2


@pytest.mark.parametrize("by", STEPS)
def test_a_page_grows_stale_in_its_time(
    acme: ApiSession, upstream: Upstream, wall: Setter, by: timedelta, settings: Settings
) -> None:
    settings.PAGE_FRESH_SECONDS = 0.0
    read_page(acme, FIRST)
    wall.step(by)
    assert read_page(acme, FIRST).is_due
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
    assert len(upstream.requests()) == 2


@pytest.mark.parametrize("by", STEPS)
def test_a_pause_keeps_its_length(acme: ApiSession, upstream: Upstream, wall: Setter, by: timedelta) -> None:
    upstream.script(status=429, headers={"Retry-After": "30"})
    with pytest.raises(FetchFailed):
        read_page(acme, FIRST)
    wall.step(by)
    with pytest.raises(FetchFailed) as held:
        read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert 20 < seconds_until(held.value.error.retry_at) < 31
    assert 0 <= -seconds_until(held.value.error.at) < 10
    assert len(upstream.requests()) == 1


@pytest.mark.parametrize("by", STEPS)
def test_the_rate_limit_is_neither_exceeded_nor_frozen(
    acme: ApiSession, wall: Setter, by: timedelta, settings: Settings
) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 10
    for _ in range(10):
        acquire_call(acme, Priority.PERSON)
    wall.step(by)
    assert read_meter(acme).minute.used == 10
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(acme, Priority.PERSON)
    assert 45 < seconds_until(refusal.value.retry_at) < 61


@pytest.mark.parametrize("by", STEPS)
def test_what_bycloud_says_of_the_minute_ends_with_the_minute(acme: ApiSession, wall: Setter, by: timedelta) -> None:
    wall.step(by)
    apply_reported_usage(acme, RateLimit(10, 3, datetime.now(UTC) + timedelta(seconds=20)))
    assert read_meter(acme).external_requests == 7


@pytest.mark.parametrize("by", STEPS)
def test_a_lock_is_held_and_expires_on_time(acme: ApiSession, wall: Setter, by: timedelta) -> None:
    caches["counters"].add("page", b"the token of a process that died", 0.3)
    wall.step(by)
    assert acquire_lock("page") is None
    until = clock.now() + 5
    while (lock := acquire_lock("page")) is None and clock.now() < until:
        pass
    assert lock is not None
    lock.release()


@pytest.mark.parametrize("by", STEPS)
def test_when_a_credential_was_used_keeps_its_age(acme: ApiSession, wall: Setter, by: timedelta) -> None:
    read_page(acme, FIRST)
    wall.step(by)
    assert 0 <= -seconds_until(read_last_used(acme).used_at) < 10


def test_an_answer_from_the_future_is_stale_and_no_forced_refresh_is_satisfied_by_it(
    acme: ApiSession, upstream: Upstream
) -> None:
    page = read_page(acme, FIRST)
    kept = get_cached(acme, page_name(FIRST), RESPONSE_DECODER)
    assert kept is not None
    for policy in (FetchPolicy.REVALIDATE, FetchPolicy.FORCE):
        asked = len(upstream.requests())
        ahead = msgspec.structs.replace(kept, fetched_at=datetime.now(UTC) + HOUR)
        set_cached(acme, page_name(FIRST), ahead)
        assert not read_page(acme, FIRST).is_fresh
        assert read_page(acme, FIRST).is_due
        again = read_page(acme, FIRST, policy=policy)
        assert len(upstream.requests()) == asked + 1
        assert again.is_fresh
    assert page.is_fresh


def test_a_backoff_from_the_future_holds_no_request_back(acme: ApiSession, upstream: Upstream) -> None:
    now = datetime.now(UTC)
    error = FetchError("rate-limited", now + HOUR, "Too many", 429, retry_at=now + HOUR + timedelta(seconds=30))
    pause = Backoff(error, 1, error.retry_at, recorded_at=now + HOUR, is_required=True)
    caches["counters"].set(f"backoff:{acme.cache_namespace}", msgspec.msgpack.encode(pause))
    assert read_page(acme, FIRST).value.instances


def test_a_request_log_from_the_future_stops_no_request(acme: ApiSession, settings: Settings) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 10
    ahead = time() + 3600
    log = RequestLog({"1": (time() - 5, ahead)}, external_requests=9, external_until=ahead)
    caches["counters"].set(f"rate-limit:{acme.cache_namespace}", msgspec.msgpack.encode(log))
    assert (read_meter(acme).minute.used, read_meter(acme).external_requests) == (1, 0)
    acquire_call(acme, Priority.PERSON)


@pytest.mark.parametrize("by", STEPS)
def test_a_moment_at_the_end_of_time_stays_there(wall: Setter, by: timedelta) -> None:
    clock.now()
    wall.step(by)
    last = datetime.max.replace(tzinfo=UTC)
    assert [clock.to_wall(last).year, clock.from_wall(last).year] == [9999, 9999]
