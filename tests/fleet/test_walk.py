"""Walks through the sandbox's list, over HTTP, with everything that can come between."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import Client, InstanceQuery, Region
from portal.credentials.models import Credential
from portal.fleet import walk as walking
from portal.fleet.feed import find_fleet
from portal.fleet.models import (
    ChangeKind,
    IndexedInstance,
    ObservedChange,
    Outcome,
    Pass,
    Term,
)
from portal.fleet.privacy import delete_orphans
from portal.fleet.walk import StepState, find_due, make_step
from portal.gateway import (
    ApiSession,
    FetchPolicy,
    check_credential,
    fetch_for_walk,
    read_largest_page,
    read_meter,
    read_page,
)
from portal.sandbox.server import Sandbox
from tests.fleet.conftest import Walk, fleet_of, open_session
from tests.upstream import Upstream


def list_present(session: ApiSession) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), missing_at=None)
    return set(rows.values_list("instance_id", flat=True))


def list_missing(session: ApiSession) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), missing_at__isnull=False, gone_at=None)
    return set(rows.values_list("instance_id", flat=True))


def list_gone(session: ApiSession) -> set[str]:
    rows = IndexedInstance.objects.filter(fleet=fleet_of(session), gone_at__isnull=False)
    return set(rows.values_list("instance_id", flat=True))


def list_all(session: ApiSession) -> list[str]:
    """The ids that ByCloud lists now, newest first."""
    client, ids, marker = Client(session.region, session.credential), [], None
    while True:
        page = client.list_instances(InstanceQuery(limit=20, marker=marker))
        ids += [instance.id or "" for instance in page.instances or ()]
        if not page.meta or not page.meta.has_more:
            return ids
        marker = page.meta.marker


def delete(upstream: Upstream, *instance_ids: str) -> None:
    for instance_id in instance_ids:
        upstream.change(instance_id, action="delete", seconds=0)


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
