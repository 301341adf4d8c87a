"""What interrupts a walk: errors, limits, crashes, other walkers, and time."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from portal.bycloud import InstanceQuery
from portal.credentials.models import Credential
from portal.fleet import walk as walking
from portal.fleet.feed import find_fleet
from portal.fleet.models import (
    IndexedInstance,
    Outcome,
    Pass,
)
from portal.fleet.privacy import delete_orphans
from portal.fleet.walk import StepState, find_due, make_step
from portal.gateway import (
    ApiSession,
    FetchPolicy,
    check_credential,
    fetch_for_walk,
    read_meter,
    read_page,
)
from tests.fleet.conftest import Walk, fleet_of
from tests.fleet.lists import list_all, list_present
from tests.upstream import Upstream


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"mode": "reset"}, {"mode": "not-json"}])
def test_trouble_pauses_a_walk_which_then_goes_on_where_it_was(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, fault: dict[str, Any]
) -> None:
    make_step(acme)
    upstream.script(times=None, **fault)
    step = make_step(acme)
    assert step.state == StepState.WAITING
    assert fleet_of(acme).pause
    assert make_step(acme).state == StepState.WAITING
    upstream.clear()
    clock.move_to(step.due_at + timedelta(seconds=1))
    assert make_step(acme).state == StepState.MADE
    walk = fleet_of(acme).passes.get()
    assert (walk.seen, walk.is_checking, fleet_of(acme).pause) == (150, True, "")


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejection_stops_the_walk_and_empties_nothing(
    acme: ApiSession, upstream: Upstream, walk: Walk, clock: time_machine.Traveller, status: int
) -> None:
    pause = "rejected" if status == 401 else "forbidden"
    walk(acme)
    present = list_present(acme)
    clock.shift(timedelta(hours=2))
    make_step(acme)
    upstream.script(times=None, status=status)
    step = make_step(acme)
    assert step.state == StepState.STOPPED
    assert (fleet_of(acme).pause, list_present(acme)) == (pause, present)
    latest = fleet_of(acme).passes.latest("number")
    assert (latest.outcome, latest.seen) == (Outcome.ABANDONED, 100)
    assert make_step(acme).state == StepState.STOPPED
    # Accepted again, the next walk begins at the beginning: the rights may be others.
    upstream.clear()
    check_credential(acme)
    assert walk(acme).outcome == Outcome.COMPLETE
    assert (fleet_of(acme).pause, list_present(acme)) == ("", present)


def test_the_limit_stops_a_walk_for_a_while_and_people_go_on(
    acme: ApiSession, upstream: Upstream, settings: Settings, clock: time_machine.Traveller
) -> None:
    upstream.limit_pages(20, refuses=False)
    settings.BYCLOUD_RATE_PER_MINUTE = 5
    for _ in range(3):
        assert make_step(acme, is_urgent=True).state == StepState.MADE
    step = make_step(acme, is_urgent=True)
    assert (step.state, fleet_of(acme).pause) == (StepState.WAITING, "rate-limit-reached")
    assert len(upstream.requests()) == 3
    read_page(acme, InstanceQuery(limit=20, name="web-*"), policy=FetchPolicy.FORCE)
    assert read_meter(acme).minute.used == 4
    clock.move_to(step.due_at)
    assert make_step(acme, is_urgent=True).state == StepState.MADE
    assert fleet_of(acme).passes.get().seen == 80


def test_a_429_is_obeyed(acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller) -> None:
    upstream.script(status=429, headers={"Retry-After": "300"})
    step = make_step(acme)
    assert step.due_at >= timezone.now() + timedelta(seconds=299)
    assert fleet_of(acme).pause == "rate-limited"


@pytest.mark.parametrize("broken", ["write_page", "fetch_for_walk"])
def test_a_process_that_dies_repeats_one_page(
    acme: ApiSession,
    upstream: Upstream,
    clock: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    """Before or after the answer; in both cases before anything of it is committed."""

    class DiedError(BaseException):
        pass

    regular = getattr(walking, broken)

    def die(*arguments: Any, **named: Any) -> None:
        regular(*arguments, **named)
        raise DiedError

    upstream.limit_pages(50, refuses=False)
    while True:
        with monkeypatch.context() as patch:
            patch.setattr(walking, broken, die)
            with pytest.raises(DiedError):
                make_step(acme)
        make_step(acme)
        walk = fleet_of(acme).passes.get()
        if walk.outcome != Outcome.WALKING:
            break
    assert (walk.outcome, walk.seen, walk.duplicates, walk.pages) == (Outcome.COMPLETE, 150, 0, 4)
    assert list_present(acme) == set(list_all(acme))


def test_the_lease_of_a_process_that_died_expires(acme: ApiSession, clock: time_machine.Traveller) -> None:
    make_step(acme)
    fleet = fleet_of(acme)
    fleet.lease, fleet.leased_until = "another", timezone.now() + timedelta(seconds=30)
    fleet.save()
    assert make_step(acme).state == StepState.BUSY
    clock.shift(timedelta(seconds=31))
    assert make_step(acme).state == StepState.MADE


def test_of_two_walkers_at_once_one_walks(
    acme: ApiSession, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[StepState] = []

    def fetch_while_another_tries(session: ApiSession, query: InstanceQuery) -> Any:
        states.append(make_step(acme).state)
        return fetch_for_walk(session, query)

    monkeypatch.setattr(walking, "fetch_for_walk", fetch_while_another_tries)
    assert make_step(acme).state == StepState.MADE
    assert states == [StepState.BUSY]
    assert len(upstream.requests()) == 1


def test_who_has_lost_the_lease_writes_nothing(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was so slow that another process has made the step."""
    make_step(acme)

    def fetch_slowly(session: ApiSession, query: InstanceQuery) -> Any:
        monkeypatch.setattr(walking, "fetch_for_walk", fetch_for_walk)
        clock.shift(timedelta(minutes=2))
        assert make_step(acme).state == StepState.MADE
        return fetch_for_walk(session, query)

    monkeypatch.setattr(walking, "fetch_for_walk", fetch_slowly)
    assert make_step(acme).state == StepState.BUSY
    walk = fleet_of(acme).passes.get()
    assert (walk.pages, walk.seen, walk.duplicates) == (2, 150, 0)


def test_a_credential_that_is_replaced_midway_leaves_nothing(acme: ApiSession, monkeypatch: pytest.MonkeyPatch) -> None:
    make_step(acme)

    def fetch_meanwhile(session: ApiSession, query: InstanceQuery) -> Any:
        page = fetch_for_walk(session, query)
        Credential.objects.all().delete()
        delete_orphans()
        return page

    monkeypatch.setattr(walking, "fetch_for_walk", fetch_meanwhile)
    make_step(acme)
    assert find_fleet(acme) is None
    assert not IndexedInstance.objects.exists()
    assert make_step(acme).state == StepState.OFF


def test_walks_follow_each_other_at_the_pace_of_size_and_budget(
    acme: ApiSession, settings: Settings, upstream: Upstream, walk: Walk, clock: time_machine.Traveller
) -> None:
    settings.BYCLOUD_RATE_PER_HOUR = 1000
    done = walk(acme)
    fleet = fleet_of(acme)
    for pages, seconds in ((3, 60), (11, 198), (101, 1818), (1001, 18018)):
        done.pages = pages
        assert find_due(fleet, done) == done.started_at + timedelta(seconds=seconds)
        assert find_due(fleet, done, is_urgent=True) == find_due(fleet, done)


def test_within_a_walk_pages_are_spread_unless_somebody_waits(
    acme: ApiSession, settings: Settings, upstream: Upstream, walk: Walk, clock: time_machine.Traveller
) -> None:
    settings.BYCLOUD_RATE_PER_HOUR, settings.BYCLOUD_RATE_PER_MINUTE = 1000, 1000
    walk(acme)
    upstream.limit_pages(1, refuses=False)
    clock.shift(timedelta(hours=5))
    states = [make_step(acme).state for _ in range(12)]
    assert states == [StepState.MADE] * 10 + [StepState.MADE, StepState.WAITING]
    assert make_step(acme, is_urgent=True).state == StepState.MADE
    clock.shift(timedelta(seconds=18 * 3))
    assert make_step(acme).state == StepState.MADE


def test_a_walk_that_cannot_go_on_for_an_hour_begins_anew(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    make_step(acme)
    upstream.script(times=None, match="marker=", mode="not-json")
    for _ in range(40):
        clock.shift(timedelta(minutes=2))
        make_step(acme)
    passes = Pass.objects.order_by("number")
    assert passes[0].outcome == Outcome.ABANDONED
    assert passes.count() > 1


def test_without_an_index_nobody_walks(acme: ApiSession, settings: Settings, upstream: Upstream) -> None:
    settings.FLEET_INDEX = False
    assert make_step(acme).state == StepState.OFF
    assert not upstream.requests()


def test_the_last_ten_passes_are_kept(acme: ApiSession, walk: Walk) -> None:
    for _ in range(12):
        walk(acme)
    assert fleet_of(acme).passes.count() == 10
