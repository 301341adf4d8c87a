"""Walks through the list of the sandbox, over HTTP, while it changes or is not what it should be."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import InstanceQuery, Region
from portal.fleet.models import (
    ChangeKind,
    IndexedInstance,
    ObservedChange,
    Outcome,
    Term,
)
from portal.fleet.walk import StepState, make_step
from portal.gateway import (
    ApiSession,
    FetchPolicy,
    read_largest_page,
    read_page,
)
from portal.sandbox.server import Sandbox
from tests.fleet.conftest import Walk, fleet_of, open_session
from tests.fleet.lists import delete, list_all, list_gone, list_missing, list_present
from tests.upstream import Upstream


def test_a_walk_reads_the_whole_list(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    done = walk(acme)
    assert (done.outcome, done.seen, done.duplicates, done.pages) == (Outcome.COMPLETE, 150, 0, 3)
    assert (done.first_total, done.last_total) == (150, 150)
    assert len(upstream.requests()) == 3
    assert list_present(acme) == set(list_all(acme))
    fleet = fleet_of(acme)
    assert fleet.completed_at == done.started_at
    assert fleet.baseline_at
    assert not ObservedChange.objects.exists()


@pytest.mark.slow
def test_5000_instances_take_51_requests_within_the_share_of_scans(
    ada: Member, settings: Settings, clock: time_machine.Traveller
) -> None:
    with Sandbox(instances=5000) as large:
        settings.BYCLOUD_REGIONS = {"spo1": Region("spo1", large.url)}
        session = open_session(ada, "sandbox-acme-token")
        steps: list[StepState] = []
        while not steps or fleet_of(session).baseline_at is None:
            step = make_step(session)
            clock.move_to(max(step.due_at, timezone.now()))
            steps.append(step.state)
        assert steps.count(StepState.MADE) == 51
        assert StepState.WAITING in steps
        log = [datetime.fromisoformat(request["at"]) for request in Upstream(large.url).requests()]
    assert len(log) == 51
    # A person always finds room: 60 a minute, of which scans take 36 at most.
    assert max(sum(at <= other < at + timedelta(minutes=1) for other in log) for at in log) <= 36
    assert fleet_of(session).instances.count() == 5000


def test_a_list_of_one_page_takes_one_request(globex: ApiSession, upstream: Upstream, walk: Walk) -> None:
    assert walk(globex).outcome == Outcome.COMPLETE
    assert len(upstream.requests()) == 1
    assert len(list_present(globex)) == 12


def test_an_empty_list_is_complete(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    upstream.script(times=None, body={"instances": [], "meta": {"total": 0, "has_more": False}})
    done = walk(acme)
    assert (done.outcome, done.seen) == (Outcome.COMPLETE, 0)


def test_the_largest_page_is_learned_from_a_shorter_one(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    upstream.limit_pages(50, refuses=False)
    assert walk(acme).pages == 4
    assert read_largest_page(acme.region) == 50
    assert walk(acme).limit == 50


def test_the_largest_page_is_learned_from_refusals(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    upstream.limit_pages(50, refuses=True)
    assert walk(acme).outcome == Outcome.COMPLETE
    assert [request["status"] for request in upstream.requests()] == [400, 400, 200, 200, 200, 200]
    assert read_largest_page(acme.region) == 50


def test_a_rejected_request_that_no_page_size_mends_is_an_error(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(times=None, status=400)
    states = [make_step(acme).state for _ in range(5)]
    assert states[-1] == StepState.WAITING
    assert fleet_of(acme).pause == "invalid-request"
    assert len(upstream.requests()) == 4
    assert read_largest_page(acme.region) is None


def test_what_vanishes_is_missing_after_one_walk_and_gone_after_two(
    acme: ApiSession, upstream: Upstream, walk: Walk, clock: time_machine.Traveller
) -> None:
    first = walk(acme)
    victim = list_all(acme)[70]
    last_seen = IndexedInstance.objects.get(instance_id=victim).last_seen
    delete(upstream, victim)
    second = walk(acme)
    assert (list_missing(acme), list_gone(acme)) == ({victim}, set())
    assert not ObservedChange.objects.exists()
    walk(acme)
    assert (list_missing(acme), list_gone(acme)) == (set(), {victim})
    change = ObservedChange.objects.get()
    assert (change.kind, change.instance_id) == (ChangeKind.VANISHED, victim)
    assert (change.since, change.until) == (last_seen, second.finished_at)
    assert first.outcome == second.outcome == Outcome.COMPLETE
    # Found for 30 days, then deleted with everything that only it had.
    clock.shift(timedelta(days=31))
    walk(acme)
    assert not IndexedInstance.objects.filter(instance_id=victim).exists()
    assert not ObservedChange.objects.exists()
    assert not Term.objects.filter(facets=None).exists()


def test_what_comes_back_is_present_again(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    walk(acme)
    victim = list_all(acme)[70]
    delete(upstream, victim)
    walk(acme)
    assert list_missing(acme) == {victim}
    upstream.reset()
    walk(acme)
    assert (list_missing(acme), list_gone(acme)) == (set(), set())
    delete(upstream, victim)
    walk(acme)
    walk(acme)
    assert list_gone(acme) == {victim}
    upstream.reset()
    walk(acme)
    assert victim in list_present(acme)
    assert list(ObservedChange.objects.order_by("id").values_list("kind", flat=True)) == ["vanished", "appeared"]


def test_a_live_page_brings_a_missing_instance_back(
    acme: ApiSession, upstream: Upstream, walk: Walk, clock: time_machine.Traveller
) -> None:
    walk(acme)
    victim = list_all(acme)[3]
    delete(upstream, victim)
    walk(acme)
    upstream.reset()
    clock.shift(timedelta(minutes=1))
    read_page(acme, InstanceQuery(limit=20), policy=FetchPolicy.FORCE)
    assert not list_missing(acme)


def test_many_that_vanish_at_once_wait_for_a_second_walk(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    walk(acme)
    victims = list_all(acme)[:40]
    delete(upstream, *victims)
    walk(acme)
    assert (list_missing(acme), fleet_of(acme).held_back) == (set(), 40)
    walk(acme)
    assert (list_missing(acme), fleet_of(acme).held_back) == (set(victims), 0)
    walk(acme)
    assert list_gone(acme) == set(victims)


def test_many_that_vanish_for_one_walk_only_were_never_missing(
    acme: ApiSession, upstream: Upstream, walk: Walk
) -> None:
    walk(acme)
    upstream.script(times=1, body={"instances": [], "meta": {"total": 0, "has_more": False}})
    assert walk(acme).outcome == Outcome.COMPLETE
    assert fleet_of(acme).held_back == 150
    walk(acme)
    assert fleet_of(acme).held_back == 0
    assert list_present(acme) == set(list_all(acme))


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        # The end comes too early, with and without a word of it.
        ({"mode": "emptied", "match": "marker"}, Outcome.DRIFTED),
        ({"body": {"instances": [], "meta": {"has_more": False}}, "match": "marker"}, Outcome.DRIFTED),
        ({"mode": "endless"}, Outcome.ENDLESS),
        ({"mode": "total-behind"}, Outcome.DRIFTED),
    ],
)
def test_a_walk_that_was_not_whole_says_nothing_of_absence(
    acme: ApiSession, upstream: Upstream, walk: Walk, fault: dict[str, Any], outcome: Outcome
) -> None:
    walk(acme)
    upstream.script(times=None, **fault)
    for _ in range(3):
        assert walk(acme).outcome == outcome
    upstream.clear()
    assert list_present(acme) == set(list_all(acme))


def test_duplicates_are_counted_once(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    upstream.limit_pages(50, refuses=False)
    upstream.script(times=None, mode="duplicates")
    done = walk(acme)
    upstream.clear()
    assert (done.outcome, done.seen) == (Outcome.COMPLETE, 150)
    assert done.duplicates >= 100
    assert list_present(acme) == set(list_all(acme))


def test_pages_without_rows_are_walked_over(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    upstream.limit_pages(50, refuses=False)
    walk(acme)
    upstream.script(mode="empty-page", match="marker")
    assert walk(acme).outcome == Outcome.DRIFTED
    assert not list_missing(acme)
    upstream.script(times=None, mode="empty-page")
    assert walk(acme).outcome in {Outcome.DRIFTED, Outcome.ABANDONED}
    assert not list_missing(acme)


def test_what_is_created_meanwhile_is_found_at_the_end(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    make_step(acme)
    upstream.create(3)
    while (latest := fleet_of(acme).passes.get()).outcome == Outcome.WALKING:
        make_step(acme)
    assert (latest.outcome, latest.seen) == (Outcome.COMPLETE, 153)
    assert list_present(acme) == set(list_all(acme))


def gone_marker(**answer: Any) -> dict[str, Any]:
    return {"times": 1, "match": "marker=", **answer}


@pytest.mark.parametrize(
    "answer",
    [{"status": 400}, {"status": 404}, {"status": 422}, {"mode": "emptied"}],
    ids=["400", "404", "422", "no more rows"],
)
def test_a_marker_whose_instance_is_gone_is_stepped_back_over(
    acme: ApiSession, upstream: Upstream, walk: Walk, answer: dict[str, Any]
) -> None:
    upstream.script(**gone_marker(**answer))
    done = walk(acme)
    assert (done.outcome, done.seen) == (Outcome.COMPLETE, 150)
    assert list_present(acme) == set(list_all(acme))


def test_a_walk_whose_markers_are_all_rejected_is_given_up(acme: ApiSession, upstream: Upstream, walk: Walk) -> None:
    upstream.script(times=None, match="marker=", status=404)
    done = walk(acme)
    assert done.outcome == Outcome.ABANDONED
    assert len(list_present(acme)) == 100
    assert len(upstream.requests()) < 15
