"""Between walks: requests for what is in error or in transition, at the sandbox over HTTP."""

from datetime import timedelta
from urllib.parse import parse_qs

import pytest
import time_machine
from django.utils import timezone

from portal.fleet.models import IndexedInstance
from portal.fleet.query import parse
from portal.fleet.search import select
from portal.fleet.walk import StepState, make_step
from portal.gateway import ApiSession
from tests.fleet.conftest import Walk, fleet_of
from tests.fleet.lists import delete, list_all
from tests.upstream import Upstream

INTERVAL = timedelta(seconds=80)


@pytest.fixture
def walked(acme: ApiSession, upstream: Upstream, walk: Walk) -> ApiSession:
    """A fleet that was walked; its next walk is due in hours."""
    done = walk(acme)
    done.pages = 1000
    done.save()
    upstream.clear_log()
    return acme


def list_asked(upstream: Upstream) -> list[tuple[str, str]]:
    """The filter of each request."""
    asked = [parse_qs(request["query"]) for request in upstream.requests()]
    return [("status", each["status"][0]) if "status" in each else ("name", each["name"][0]) for each in asked]


def find(session: ApiSession, text: str) -> set[str]:
    rows = select(fleet_of(session), parse(text), now=timezone.now()).rows
    return set(rows.values_list("instance_id", flat=True))


def test_errors_are_found_long_before_the_next_walk(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    broken = next(each for each in list_all(walked) if each in find(walked, "status:ACTIVE"))
    upstream.change(broken, action="set", fields={"status": "ERROR"})
    upstream.clear_log()
    clock.shift(INTERVAL)
    assert make_step(walked).state is StepState.WAITING
    assert list_asked(upstream) == [("status", "ERROR")]
    assert broken in find(walked, "status:ERROR")


def test_what_was_in_transition_is_looked_up_by_its_name(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    building = find(walked, "status:BUILD")
    assert building
    for instance_id in building:
        upstream.change(instance_id, action="set", fields={"status": "ACTIVE", "task_state": None})
    for _ in range(40):
        clock.shift(INTERVAL)
        make_step(walked)
        if not find(walked, "status:BUILD"):
            break
    assert not find(walked, "status:BUILD")
    assert building <= find(walked, "status:ACTIVE")
    kinds = [kind for kind, _ in list_asked(upstream)]
    assert kinds[:4] == ["status", "name", "status", "name"]


def test_an_error_that_is_over_is_looked_up_by_its_name(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    mended = min(find(walked, "status:ERROR"))
    upstream.change(mended, action="set", fields={"status": "ACTIVE", "fault": None})
    clock.shift(INTERVAL)
    make_step(walked)
    # Those that are in transition were seen before it, so they are asked for first, but not for ever.
    for _ in range(40):
        clock.shift(INTERVAL)
        make_step(walked)
    assert mended in find(walked, "status:ACTIVE")


def test_one_that_is_not_there_any_more_keeps_no_other_waiting(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first, *others = IndexedInstance.objects.filter(instance_id__in=find(walked, "status:BUILD")).order_by("pk")
    assert others
    IndexedInstance.objects.filter(pk=first.pk).update(last_seen=first.last_seen - timedelta(days=1))
    delete(upstream, first.instance_id)
    for other in others:
        upstream.change(other.instance_id, action="set", fields={"status": "ACTIVE", "task_state": None})
    for _ in range(40):
        clock.shift(INTERVAL)
        make_step(walked)
    assert find(walked, "status:BUILD") == {first.instance_id}


def test_there_is_one_request_an_interval_whatever_it_brings(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(times=None, status=500)
    clock.shift(INTERVAL)
    for _ in range(20):
        make_step(walked)
        clock.shift(timedelta(seconds=2))
    assert len(upstream.requests()) == 1
    assert fleet_of(walked).pause == ""


def test_nothing_is_said_of_instances_that_an_answer_does_not_have(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    before = find(walked, "")
    upstream.script(times=None, body={"instances": [], "meta": {"total": 0, "has_more": False}})
    for _ in range(6):
        clock.shift(INTERVAL)
        make_step(walked)
    assert len(upstream.requests()) == 6
    assert find(walked, "") == before
    assert not IndexedInstance.objects.exclude(missing_at=None).exists()


def test_without_any_in_trouble_only_errors_are_asked_for(
    walked: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    IndexedInstance.objects.update(state_rank=500)
    upstream.script(times=None, body={"instances": [], "meta": {"total": 0, "has_more": False}})
    for _ in range(3):
        clock.shift(INTERVAL)
        make_step(walked)
    assert list_asked(upstream) == [("status", "ERROR")] * 3
