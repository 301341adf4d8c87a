"""One instance, found in the index, by its name, or on the pages that a walk reads; and instances that are gone."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.db import OperationalError
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import Client, Instance, InstanceQuery
from portal.fleet.lookup import confirm_gone
from portal.fleet.models import Body, ChangeKind, IndexedFleet, ObservedChange
from portal.fleet.privacy import delete_fleet
from portal.gateway import ApiSession, FetchFailed, FetchPolicy
from portal.instances import indexed, lookup
from portal.instances.lookup import InstanceNotFoundError, find_instance
from portal.instances.services import list_instances
from tests.fleet.conftest import Walk, fleet_of, open_session
from tests.fleet.lists import delete, list_all, list_gone, list_missing
from tests.upstream import Upstream

NOBODY = "00000000-0000-4000-8000-000000000000"
MINUTE = timedelta(minutes=1)


def miss(session: ApiSession, instance_id: str = NOBODY, **more: Any) -> InstanceNotFoundError:
    with pytest.raises(InstanceNotFoundError) as error:
        find_instance(session, instance_id, **more)
    return error.value


def ask(upstream: Upstream) -> list[str]:
    return [request["query"] for request in upstream.requests()]


def see(session: ApiSession, number: int = 0) -> tuple[str, Instance]:
    """An instance of the first page, which a member has opened."""
    instance = list_instances(session, InstanceQuery()).instances[number]
    assert instance.id
    return instance.id, instance


def test_an_instance_of_a_page_that_was_opened_costs_no_request(acme: ApiSession, upstream: Upstream) -> None:
    instance_id, instance = see(acme, 3)
    upstream.clear()
    found = find_instance(acme, instance_id)
    assert (found.cached.value.instance, found.is_indexed, found.absence) == (instance, True, None)
    assert found.cached.upstream_call.target == f"/v1/instances?name={instance.name}&limit=100"
    assert ask(upstream) == []


def test_an_instance_of_the_walk_costs_no_request_either(acme: ApiSession, walk: Walk, upstream: Upstream) -> None:
    walk(acme)
    last = list_all(acme)[-1]
    upstream.clear()
    assert find_instance(acme, last).is_indexed
    assert ask(upstream) == []


def test_an_instance_that_is_not_indexed_is_found_by_its_name_in_one_request_and_indexed(
    acme: ApiSession, upstream: Upstream
) -> None:
    last = list_all(acme)[-1]
    name = name_of(acme, last)
    upstream.clear()
    found = find_instance(acme, last, name=name)
    assert not found.is_indexed
    assert ask(upstream) == [f"name={name}&limit=100"]
    assert find_instance(acme, last).is_indexed
    assert len(ask(upstream)) == 1


def name_of(session: ApiSession, instance_id: str) -> str:
    """As ByCloud has it. Nothing is cached or indexed."""
    page = Client(session.region, session.credential).list_instances(InstanceQuery(limit=100))
    assert page.meta
    page = Client(session.region, session.credential).list_instances(InstanceQuery(limit=100, marker=page.meta.marker))
    return next(each.name or "" for each in page.instances or () if each.id == instance_id)


def test_a_stale_instance_is_fetched_again_by_its_name(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id, instance = see(acme)
    upstream.clear()
    clock.shift(MINUTE)
    assert not find_instance(acme, instance_id).cached.is_fresh
    assert ask(upstream) == []
    assert find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE).cached.is_fresh
    assert find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE).is_indexed
    assert ask(upstream) == [f"name={instance.name}&limit=100"]
    find_instance(acme, instance_id, policy=FetchPolicy.FORCE)
    assert len(ask(upstream)) == 2


def test_an_instance_stays_readable_in_an_outage_though_the_cache_is_lost(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id, instance = see(acme)
    caches["pages"].clear()
    clock.shift(MINUTE)
    upstream.script(times=9, status=503)
    found = find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE)
    assert found.cached.value.instance == instance
    assert found.cached.error is not None
    assert found.cached.error.kind == "server-fault"


def test_of_a_failed_refresh_the_later_sighting_is_shown(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id, _instance = see(acme)
    find_instance(acme, instance_id, policy=FetchPolicy.FORCE)
    clock.shift(MINUTE)
    list_instances(acme, InstanceQuery(limit=50))
    clock.shift(MINUTE)
    upstream.script(times=9, status=503)
    found = find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE)
    assert found.is_indexed
    assert round(found.cached.age_seconds) == 60
    assert found.cached.error is not None


def test_a_renamed_instance_is_found_by_the_walk(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    walk(acme)
    instance_id, _instance = see(acme)
    clock.shift(timedelta(hours=1))
    upstream.change(instance_id, action="set", fields={"name": "its-new-name"})
    found = find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE)
    assert found.cached.value.instance.name == "its-new-name"
    assert found.absence is None


def test_an_instance_that_is_not_listed_under_its_name_may_have_been_renamed(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    walk(acme)
    instance_id, _instance = see(acme)
    seen_at = find_instance(acme, instance_id).cached.fetched_at
    clock.shift(timedelta(seconds=20))
    delete(upstream, instance_id)
    found = find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE)
    assert found.absence
    assert (found.absence.is_gone, found.absence.since) == (False, seen_at)
    assert found.absence.until > seen_at
    # Nothing is written: a page in between would say that it is there.
    assert find_instance(acme, instance_id).absence is None
    assert list_missing(acme) == set()


def lose(acme: ApiSession, walk: Walk, upstream: Upstream) -> str:
    """An instance that one walk has not found any more."""
    walk(acme)
    instance_id, _instance = see(acme)
    delete(upstream, instance_id)
    walk(acme)
    assert list_missing(acme) == {instance_id}
    return instance_id


def test_a_missing_instance_is_looked_up_by_its_name_before_it_is_called_gone(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id = lose(acme, walk, upstream)
    clock.shift(timedelta(seconds=20))
    upstream.clear()
    found = find_instance(acme, instance_id)
    assert found.is_gone
    assert len(ask(upstream)) == 1
    assert list_gone(acme) == {instance_id}
    vanished = ObservedChange.objects.get(fleet=fleet_of(acme), kind=ChangeKind.VANISHED)
    assert found.absence
    assert (vanished.since, vanished.until) == (found.absence.since, found.absence.until)
    # From now on it is known.
    assert find_instance(acme, instance_id).absence == found.absence
    assert len(ask(upstream)) == 1


def test_a_missing_instance_that_cannot_be_looked_up_is_not_called_gone(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id = lose(acme, walk, upstream)
    clock.shift(timedelta(seconds=20))
    upstream.script(times=9, status=503)
    found = find_instance(acme, instance_id)
    assert found.absence
    assert not found.is_gone
    assert found.cached.error
    assert list_gone(acme) == set()


def test_a_missing_instance_of_a_name_that_many_have_is_not_called_gone(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id = lose(acme, walk, upstream)
    clock.shift(timedelta(seconds=20))
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000"} for number in range(100)]
    upstream.script(body={"instances": rows, "meta": {"has_more": True, "marker": rows[-1]["id"]}})
    assert not find_instance(acme, instance_id).is_gone
    assert list_gone(acme) == set()


def test_an_instance_that_is_gone_comes_back_when_it_is_listed(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id = lose(acme, walk, upstream)
    clock.shift(timedelta(seconds=20))
    gone = find_instance(acme, instance_id)
    assert gone.is_gone
    clock.shift(MINUTE)
    upstream.clear()
    assert find_instance(acme, instance_id, policy=FetchPolicy.FORCE).is_gone
    assert len(ask(upstream)) >= 1
    clock.shift(MINUTE)
    upstream.script(body={"instances": [{"id": instance_id.upper(), "name": gone.cached.value.instance.name}]})
    back = find_instance(acme, instance_id, policy=FetchPolicy.FORCE)
    assert back.absence is None
    assert find_instance(acme, instance_id).absence is None


def test_an_id_that_is_nowhere_is_missing_after_the_whole_list(acme: ApiSession, upstream: Upstream) -> None:
    missing = miss(acme)
    assert missing.is_over
    assert (missing.searched, missing.total, missing.next_marker) == (150, 150, None)
    assert missing.totals
    assert missing.totals.oldest
    upstream.clear()
    assert miss(acme, policy=FetchPolicy.REVALIDATE).is_over
    assert ask(upstream) == []


def test_an_instance_that_no_page_has_shown_yet_is_found_by_the_walk(acme: ApiSession, upstream: Upstream) -> None:
    upstream.limit_pages(20, refuses=False)
    list_instances(acme, InstanceQuery(limit=100))
    last = list_all(acme)[-1]
    missing = miss(acme, last, name="its-old-name")
    assert not missing.is_over
    assert (missing.searched, missing.total) == (100, 150)
    assert missing.coverage
    upstream.clear()
    found = find_instance(acme, last, name="its-old-name", policy=FetchPolicy.REVALIDATE)
    assert found.cached.value.instance.id == last


def test_as_long_as_the_walk_waits_the_search_is_not_over(acme: ApiSession, upstream: Upstream) -> None:
    upstream.limit_pages(20, refuses=False)
    miss(acme)
    upstream.script(status=429, headers={"Retry-After": "30"}, match="marker=", times=9)
    missing = miss(acme, policy=FetchPolicy.REVALIDATE)
    assert not missing.is_over
    assert missing.coverage
    assert missing.coverage.pause == "rate-limited"


def test_a_list_that_goes_on_and_does_not_say_where_is_no_answer(acme: ApiSession, upstream: Upstream) -> None:
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000"} for number in range(1, 6)]
    upstream.script(times=None, body={"instances": [*rows, {"id": 7}], "meta": {"has_more": True}})
    with pytest.raises(FetchFailed) as failure:
        find_instance(acme, NOBODY)
    assert failure.value.error.path == "$.links.next"


def test_a_search_waits_for_the_budget_without_an_error(
    acme: ApiSession, upstream: Upstream, settings: Settings
) -> None:
    upstream.limit_pages(20, refuses=False)
    miss(acme)
    settings.PAGE_FRESH_SECONDS, settings.BYCLOUD_RATE_PER_MINUTE = 0, 6
    asked = len(ask(upstream))
    missing = miss(acme, policy=FetchPolicy.REVALIDATE)
    assert missing.coverage
    assert missing.coverage.pause == "rate-limit-reached"
    assert len(ask(upstream)) == asked


def test_a_walk_that_fails_is_no_answer(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=500, match="marker=", times=9)
    with pytest.raises(FetchFailed) as failure:
        find_instance(acme, NOBODY)
    assert failure.value.error.kind == "server-fault"


def test_an_index_that_cannot_be_read_is_done_without(
    acme: ApiSession, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id, instance = see(acme)

    def fail(*_arguments: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(indexed, "find_sighting", fail)
    monkeypatch.setattr(indexed, "find_fleet", fail)
    upstream.clear()
    found = find_instance(acme, instance_id, name=instance.name)
    assert (found.cached.value.instance, found.is_indexed) == (instance, False)
    assert len(ask(upstream)) == 1
    assert miss(acme).coverage is None


def test_what_is_known_is_shown_though_the_index_fails_in_between(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id, _instance = see(acme)
    clock.shift(MINUTE)
    delete(upstream, instance_id)

    def fail(*_arguments: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(indexed, "find_fleet", fail)
    found = find_instance(acme, instance_id, policy=FetchPolicy.REVALIDATE)
    assert found.is_indexed


def test_an_instance_whose_json_is_damaged_in_the_index_is_done_without_it(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance_id, instance = see(acme)
    Body.objects.filter(instance__instance_id=instance_id).update(body=b"no deflate at all")
    found = find_instance(acme, instance_id, name=instance.name)
    assert (found.cached.value.instance, found.is_indexed) == (instance, False)
    # Neither does a page of the list fail that has it in another state, which is compared with the one before.
    clock.shift(MINUTE)
    upstream.change(instance_id, action="set", fields={"description": "changed"})
    page = list_instances(acme, InstanceQuery(), policy=FetchPolicy.FORCE)
    assert page.instances[0].description == "changed"


def test_a_fleet_that_is_deleted_while_an_instance_is_looked_up_is_no_failure(
    acme: ApiSession, walk: Walk, upstream: Upstream, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = lose(acme, walk, upstream)
    clock.shift(timedelta(seconds=20))

    def confirm(fleet: IndexedFleet, *arguments: Any, **named: Any) -> None:
        delete_fleet(fleet)
        confirm_gone(fleet, *arguments, **named)

    monkeypatch.setattr(lookup, "confirm_gone", confirm)
    assert find_instance(acme, instance_id).is_gone


def test_an_instance_of_another_credential_is_not_there(
    acme: ApiSession, globex: ApiSession, walk: Walk, upstream: Upstream
) -> None:
    walk(acme)
    walk(globex)
    instance_id, instance = see(acme)
    assert miss(globex, instance_id, name=instance.name).searched == 12


def test_members_with_the_same_credential_find_the_same(acme: ApiSession, otto: Member, upstream: Upstream) -> None:
    instance_id, _instance = see(acme)
    upstream.clear()
    assert find_instance(open_session(otto, "sandbox-acme-token"), instance_id).is_indexed
    assert ask(upstream) == []
