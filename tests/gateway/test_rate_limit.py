"""The rate limit: rolling windows, shares by priority, and ByCloud's own figures."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import InstanceQuery, RateLimit
from portal.gateway import (
    ApiSession,
    Busy,
    FetchFailed,
    FetchPolicy,
    RateLimitReached,
    rate_limit,
    read_meter,
    read_page,
)
from portal.gateway.rate_limit import Window, acquire_call, apply_reported_usage
from portal.gateway.results import Priority
from tests.upstream import Upstream


@pytest.fixture(autouse=True)
def _small_limit(settings: Settings) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 10
    settings.BYCLOUD_RATE_PER_HOUR = 30
    settings.BYCLOUD_RATE_RESERVE = 0.2
    settings.BYCLOUD_RATE_SCOPE = "credential"


def count_granted(access: ApiSession, priority: Priority, tries: int = 20) -> int:
    granted = 0
    for _ in range(tries):
        try:
            acquire_call(access, priority)
        except RateLimitReached:
            continue
        granted += 1
    return granted


@pytest.mark.parametrize(("priority", "share"), [(Priority.PERSON, 10), (Priority.REFRESH, 8), (Priority.SCAN, 6)])
def test_each_priority_has_its_share_of_the_minute(
    acme: ApiSession, clock: time_machine.Traveller, priority: Priority, share: int
) -> None:
    assert count_granted(acme, priority) == share


def test_refreshes_leave_the_last_share_to_people(acme: ApiSession, clock: time_machine.Traveller) -> None:
    assert count_granted(acme, Priority.SCAN) == 6
    assert count_granted(acme, Priority.REFRESH) == 2
    assert count_granted(acme, Priority.PERSON) == 2


def test_no_request_is_granted_without_the_lock_on_the_log(acme: ApiSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "TURN_SECONDS", 0.05)
    caches["counters"].add(f"rate-limit:{acme.cache_namespace}:lock", b"held", 60)
    with pytest.raises(Busy):
        acquire_call(acme, Priority.PERSON)
    assert read_meter(acme).minute.used == 0


@pytest.mark.parametrize("status", [403, 404, 500])
def test_bycloud_counts_in_what_it_refuses_too(acme: ApiSession, upstream: Upstream, status: int) -> None:
    upstream.script(status=status, headers={"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "2"})
    with pytest.raises(FetchFailed):
        read_page(acme, InstanceQuery())
    assert read_meter(acme).external_requests == 7


def test_the_minute_rolls_and_says_when_it_goes_on(acme: ApiSession, clock: time_machine.Traveller) -> None:
    began_at = datetime.now(UTC)
    for _ in range(10):
        acquire_call(acme, Priority.PERSON)
        clock.shift(timedelta(seconds=2))
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(acme, Priority.PERSON)
    assert refusal.value.retry_at == began_at + timedelta(seconds=60)
    clock.move_to(began_at + timedelta(seconds=59.9))
    with pytest.raises(RateLimitReached):
        acquire_call(acme, Priority.PERSON)
    clock.move_to(began_at + timedelta(seconds=60))
    assert count_granted(acme, Priority.PERSON) == 1
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(acme, Priority.REFRESH)
    assert refusal.value.retry_at == began_at + timedelta(seconds=66)


def test_the_hour_is_kept_too(acme: ApiSession, clock: time_machine.Traveller) -> None:
    began_at = datetime.now(UTC)
    for _ in range(3):
        assert count_granted(acme, Priority.PERSON, 10) == 10
        clock.shift(timedelta(minutes=2))
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(acme, Priority.PERSON)
    assert refusal.value.retry_at == began_at + timedelta(hours=1)
    clock.move_to(began_at + timedelta(hours=1))
    assert count_granted(acme, Priority.PERSON) == 10


def test_no_rolling_minute_holds_more_than_the_limit(acme: ApiSession, clock: time_machine.Traveller) -> None:
    granted: list[datetime] = []
    for _ in range(300):
        try:
            acquire_call(acme, Priority.PERSON)
            granted.append(datetime.now(UTC))
        except RateLimitReached:
            pass
        clock.shift(timedelta(seconds=1.7))
    minute = timedelta(seconds=60)
    assert max(sum(1 for other in granted if moment <= other < moment + minute) for moment in granted) == 10


def test_many_threads_do_not_overdraw(acme: ApiSession) -> None:
    def try_to_spend(_: int) -> bool:
        try:
            acquire_call(acme, Priority.PERSON)
        except RateLimitReached:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(try_to_spend, range(60))) == 10


def test_credentials_have_limits_of_their_own_unless_the_region_is_one(
    acme: ApiSession, globex: ApiSession, settings: Settings
) -> None:
    assert count_granted(acme, Priority.PERSON) == 10
    assert count_granted(globex, Priority.PERSON) == 10
    settings.BYCLOUD_RATE_SCOPE = "region"
    assert count_granted(acme, Priority.PERSON) == 10
    assert count_granted(globex, Priority.PERSON) == 0


def test_requests_of_other_programs_count_until_bycloud_resets(acme: ApiSession, clock: time_machine.Traveller) -> None:
    reset_at = datetime.now(UTC) + timedelta(seconds=20)
    acquire_call(acme, Priority.PERSON)
    apply_reported_usage(acme, RateLimit(10, 3, reset_at))
    meter = read_meter(acme)
    assert (meter.minute, meter.external_requests) == (Window(used=7, limit=10), 6)
    assert count_granted(acme, Priority.PERSON) == 3
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(acme, Priority.REFRESH)
    assert refusal.value.retry_at is not None
    clock.move_to(reset_at)
    assert read_meter(acme).external_requests == 0
    assert count_granted(acme, Priority.PERSON) == 6


def test_when_others_have_used_it_all_the_wait_is_until_bycloud_resets(
    acme: ApiSession, clock: time_machine.Traveller
) -> None:
    reset_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20)
    apply_reported_usage(acme, RateLimit(10, 0, reset_at))
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(acme, Priority.PERSON)
    assert refusal.value.retry_at == reset_at


def test_a_lower_limit_of_bycloud_counts_and_a_higher_one_does_not(
    acme: ApiSession, clock: time_machine.Traveller
) -> None:
    apply_reported_usage(acme, RateLimit(5, 5, None))
    assert read_meter(acme).minute == Window(used=0, limit=5)
    assert count_granted(acme, Priority.PERSON) == 5
    apply_reported_usage(acme, RateLimit(1000, 995, None))
    assert read_meter(acme).minute == Window(used=5, limit=10)


@pytest.mark.parametrize("limit", [300, 10**18])
def test_of_a_higher_limit_others_may_use_what_is_not_ours(acme: ApiSession, limit: int) -> None:
    apply_reported_usage(acme, RateLimit(limit, limit // 2, None))
    assert read_meter(acme).minute == Window(used=0, limit=10)
    apply_reported_usage(acme, RateLimit(limit, 3, None))
    assert read_meter(acme).minute == Window(used=7, limit=10)
    assert count_granted(acme, Priority.PERSON) == 3


def test_a_correction_that_changes_nothing_writes_nothing(acme: ApiSession) -> None:
    apply_reported_usage(acme, RateLimit(10, 10, None))
    assert caches["counters"].get(f"rate-limit:{acme.cache_namespace}") is None


def test_a_page_costs_one_and_each_further_try_one_more(acme: ApiSession, upstream: Upstream) -> None:
    read_page(acme, InstanceQuery())
    assert read_meter(acme).minute.used == 1
    upstream.script(status=503)
    read_page(acme, InstanceQuery(limit=5))
    assert read_meter(acme).minute.used == 3


def test_an_answer_that_says_nothing_of_the_limit_corrects_nothing(acme: ApiSession, upstream: Upstream) -> None:
    apply_reported_usage(acme, RateLimit(10, 5, None))
    said_before = read_meter(acme)
    unsaid = dict.fromkeys(("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"))
    upstream.script(headers=unsaid)
    read_page(acme, InstanceQuery())
    assert read_meter(acme).minute == Window(used=said_before.minute.used + 1, limit=10)


def test_retries_end_at_the_rate_limit(acme: ApiSession, upstream: Upstream) -> None:
    assert count_granted(acme, Priority.PERSON, 9) == 9
    upstream.script(times=3, status=503)
    with pytest.raises(FetchFailed) as refusal:
        read_page(acme, InstanceQuery())
    assert refusal.value.error.kind == "server-fault"
    assert len(upstream.requests()) == 1


def test_a_rate_limit_that_is_reached_shows_the_stored_page_and_the_seconds_left(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    read_page(acme, InstanceQuery())
    count_granted(acme, Priority.PERSON)
    clock.shift(timedelta(seconds=20))
    page = read_page(acme, InstanceQuery(), policy=FetchPolicy.FORCE)
    assert page.value.instances
    assert page.error is not None
    assert page.error.kind == "rate-limit-reached"
    assert page.error.retry_at == datetime.now(UTC) + timedelta(seconds=40)
    assert read_page(acme, InstanceQuery()).error is None
    with pytest.raises(FetchFailed):
        read_page(acme, InstanceQuery(limit=5))
    assert len(upstream.requests()) == 1
