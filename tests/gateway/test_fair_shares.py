"""A member with many requests leaves the others their share of the rate limit and of the slots."""

from contextlib import ExitStack
from datetime import timedelta

import msgspec
import pytest
import time_machine
from django.conf import settings as portal_settings
from pytest_django import Settings

from portal.bycloud import InstanceQuery
from portal.gateway import ApiSession, Busy, FetchFailed, RateLimitReached, read_meter, read_page
from portal.gateway.concurrency import RESERVED_THREADS, acquire_slot
from portal.gateway.rate_limit import acquire_call
from portal.gateway.results import Priority
from tests.upstream import Upstream


@pytest.fixture(autouse=True)
def _documented_limit(settings: Settings) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 60
    settings.BYCLOUD_RATE_PER_HOUR = 1000
    settings.BYCLOUD_RATE_SCOPE = "credential"


def as_member(access: ApiSession, member_id: str, *, is_shared: bool = True) -> ApiSession:
    return msgspec.structs.replace(access, member_id=member_id, is_shared=is_shared)


def count_granted(access: ApiSession, priority: Priority = Priority.PERSON, tries: int = 70) -> int:
    granted = 0
    for _ in range(tries):
        try:
            acquire_call(access, priority)
        except RateLimitReached:
            continue
        granted += 1
    return granted


def test_made_up_filters_of_one_member_do_not_stop_the_others(acme: ApiSession, upstream: Upstream) -> None:
    greedy, other = as_member(acme, "1"), as_member(acme, "2")
    for number in range(30):
        read_page(greedy, InstanceQuery(name=f"made-up-{number}"))
    for number in range(30, 66):
        with pytest.raises(FetchFailed, match="rate-limit-reached"):
            read_page(greedy, InstanceQuery(name=f"made-up-{number}"))
    assert read_page(other, InstanceQuery(limit=50)).value.instances
    assert len(upstream.requests()) == 31


def test_each_may_use_half_of_what_the_others_have_left(acme: ApiSession, clock: time_machine.Traveller) -> None:
    assert [count_granted(as_member(acme, member_id)) for member_id in "12345678"] == [30, 15, 7, 4, 2, 1, 1, 0]
    assert read_meter(acme).minute.used == 60


def test_refreshes_of_one_leave_them_their_clicks(acme: ApiSession, clock: time_machine.Traveller) -> None:
    many_tabs = as_member(acme, "1")
    assert count_granted(many_tabs, Priority.REFRESH) == 24
    assert count_granted(many_tabs) == 6


def test_who_is_refused_is_told_when_their_own_part_goes_on(acme: ApiSession, clock: time_machine.Traveller) -> None:
    greedy = as_member(acme, "1")
    assert count_granted(greedy, tries=10) == 10
    clock.shift(timedelta(seconds=20))
    assert count_granted(greedy, tries=40) == 20
    clock.shift(timedelta(seconds=10))
    with pytest.raises(RateLimitReached) as refusal:
        acquire_call(greedy, Priority.PERSON)
    assert refusal.value.retry_at is not None
    clock.move_to(refusal.value.retry_at)
    assert count_granted(greedy) == 10


def test_the_hour_is_shared_in_the_same_way(
    acme: ApiSession, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.BYCLOUD_RATE_PER_HOUR = 40
    greedy, other = as_member(acme, "1"), as_member(acme, "2")
    assert count_granted(greedy) == 20
    clock.shift(timedelta(minutes=2))
    assert count_granted(greedy) == 0
    assert count_granted(other) == 10


def test_a_credential_of_their_own_is_used_whole_until_someone_else_uses_it_too(
    acme: ApiSession, clock: time_machine.Traveller
) -> None:
    alone, other = as_member(acme, "1", is_shared=False), as_member(acme, "2", is_shared=False)
    assert count_granted(alone) == 60
    clock.shift(timedelta(minutes=1))
    assert count_granted(other, tries=1) == 1
    assert count_granted(alone) == 29


def test_a_regions_rate_limit_is_shared(acme: ApiSession, settings: Settings) -> None:
    settings.BYCLOUD_RATE_SCOPE = "region"
    assert count_granted(as_member(acme, "1", is_shared=False)) == 30


def test_a_member_with_many_requests_leaves_slots_to_the_others() -> None:
    places = portal_settings.WEB_THREADS - RESERVED_THREADS
    with ExitStack() as waiting:
        for _ in range(places // 2):
            waiting.enter_context(acquire_slot("1"))
        with pytest.raises(Busy):
            waiting.enter_context(acquire_slot("1"))
        for _ in range(places // 4):
            waiting.enter_context(acquire_slot("2"))
        with pytest.raises(Busy):
            waiting.enter_context(acquire_slot("2"))
        waiting.enter_context(acquire_slot("3"))
        for _ in range(places - places // 2 - places // 4 - 1):
            waiting.enter_context(acquire_slot())
        with pytest.raises(Busy):
            waiting.enter_context(acquire_slot("4"))
    for _ in range(places):
        with acquire_slot("1"):
            pass
