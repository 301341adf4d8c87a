"""Every page that somebody looks at feeds the index, and none depends on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.bycloud import BearerToken, InstanceQuery, decode_instance
from portal.fleet.feed import USE_STEP, find_fleet
from portal.fleet.models import Body, ChangeKind, Facet, IndexedFleet, IndexedInstance, ObservedChange, Term, Text
from portal.fleet.records import read_body
from portal.gateway import ApiSession, FetchPolicy, read_page
from portal.sandbox.server import Sandbox
from tests.fleet.conftest import Walk, fleet_of, open_session
from tests.upstream import Upstream

PAGE = InstanceQuery(limit=20)


def look(session: ApiSession, query: InstanceQuery = PAGE) -> list[str]:
    """What a member sees who presses Refresh: the ids of the page."""
    page = read_page(session, query, policy=FetchPolicy.FORCE)
    return [instance.id or "" for instance in page.value.instances or ()]


def list_kinds(session: ApiSession) -> list[tuple[str, str, str]]:
    changes = ObservedChange.objects.filter(fleet=fleet_of(session)).order_by("id")
    return [(change.kind, change.before, change.after) for change in changes]


def test_a_page_is_in_the_index_as_it_came(acme: ApiSession, sandbox: Sandbox) -> None:
    page = read_page(acme, PAGE)
    rows = {row.instance_id: row for row in IndexedInstance.objects.filter(fleet=fleet_of(acme))}
    assert set(rows) == {instance.id for instance in page.value.instances or ()}
    for instance in page.value.instances or ():
        row = rows[instance.id or ""]
        assert decode_instance(read_body(Body.objects.get(pk=row.pk).body)) == instance
        assert (instance.name or "").lower() in Text.objects.get(pk=row.pk).text
        assert row.first_seen == row.last_seen == page.fetched_at
        tags = Term.objects.filter(facets__instance=row, key="tag").values_list("value", flat=True)
        assert sorted(tags) == sorted({tag.lower() for tag in instance.tags or ()})


def test_a_page_without_changes_is_only_stamped(acme: ApiSession, clock: time_machine.Traveller) -> None:
    look(acme)
    before = list(Facet.objects.order_by("term", "instance").values_list()), list(Body.objects.values_list())
    clock.shift(timedelta(minutes=1))
    look(acme)
    assert (list(Facet.objects.order_by("term", "instance").values_list()), list(Body.objects.values_list())) == before
    row = IndexedInstance.objects.first()
    assert row
    assert row.last_seen - row.first_seen == timedelta(minutes=1)
    assert list_kinds(acme) == []


def test_a_page_without_changes_costs_a_few_queries(acme: ApiSession, clock: time_machine.Traveller) -> None:
    """The fleet, what is known of the rows, their stamps, and the revision. The rest is about the transaction."""
    look(acme)
    clock.shift(timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        look(acme)
    of_tables = [query["sql"] for query in queries if "fleet_" in query["sql"]]
    assert len(of_tables) == 4
    assert len(queries) < 10


def test_changes_are_recorded_with_both_times(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first = look(acme)[0]
    clock.shift(timedelta(minutes=1))
    tags = sorted(Term.objects.filter(facets__instance__instance_id=first, key="tag").values_list("value", flat=True))
    upstream.change(first, action="set", fields={"name": "new-1", "tags": ["Blue"], "metadata": {"a": "b"}})
    look(acme)
    changes = {change.kind: change for change in ObservedChange.objects.all()}
    assert changes.keys() == {ChangeKind.NAME, ChangeKind.TAGS, ChangeKind.METADATA}
    assert (changes[ChangeKind.TAGS].after, changes[ChangeKind.METADATA].after) == ("Blue", "a=b")
    assert changes[ChangeKind.NAME].until - (changes[ChangeKind.NAME].since or 0) == timedelta(minutes=1)  # type: ignore[operator]
    assert changes[ChangeKind.NAME].name == changes[ChangeKind.NAME].after == "new-1"
    assert changes[ChangeKind.TAGS].before.lower().split("\n") == tags
    facets = Facet.objects.filter(instance__instance_id=first)
    assert list(facets.filter(term__key="tag").values_list("term__value", "term__shown")) == [("blue", "Blue")]
    assert "new-1" in Text.objects.get(instance__instance_id=first).text


def test_state_flavor_and_addresses_are_recorded_too(acme: ApiSession, upstream: Upstream) -> None:
    first = look(acme)[0]
    fields = {
        "flavor": {"id": "f", "name": "x9.huge", "vcpus": 64, "ram": 1, "disk": 1},
        "addresses": {"net": [{"addr": "10.9.9.9"}, {"addr": "10.9.9.8"}]},
        "status": "ERROR",
        "power_state": "NOSTATE",
        "task_state": None,
    }
    upstream.change(first, action="set", fields=fields)
    look(acme)
    after = {kind: after for kind, _before, after in list_kinds(acme)}
    assert after == {
        ChangeKind.FLAVOR: "x9.huge",
        ChangeKind.ADDRESSES: "10.9.9.8\n10.9.9.9",
        ChangeKind.STATE: "ERROR\nNOSTATE\n",
    }
    assert IndexedInstance.objects.get(instance_id=first).vcpus == 64


def test_what_changes_in_its_order_only_is_no_change(acme: ApiSession, upstream: Upstream) -> None:
    first = look(acme)[0]
    upstream.change(first, action="set", fields={"tags": ["a", "b"]})
    look(acme)
    count = ObservedChange.objects.count()
    upstream.change(first, action="set", fields={"tags": ["b", "a"]})
    look(acme)
    assert ObservedChange.objects.count() == count


def test_what_appears_is_recorded_after_the_first_complete_walk_only(
    acme: ApiSession, upstream: Upstream, walk: Walk
) -> None:
    look(acme)
    assert walk(acme).outcome == "complete"
    assert list_kinds(acme) == []
    first = look(acme)[0]
    row = IndexedInstance.objects.get(instance_id=first)
    for table in (Facet, Text, Body):
        table.objects.filter(instance=row).delete()
    row.delete()
    look(acme)
    assert list_kinds(acme) == [(ChangeKind.APPEARED, "", "")]
    assert ObservedChange.objects.get().since == fleet_of(acme).completed_at


def test_a_page_that_comes_late_overwrites_nothing_newer(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first = look(acme)[0]
    clock.shift(timedelta(minutes=-10))
    upstream.change(first, action="rename", name="older")
    look(acme)
    assert "older" not in Text.objects.get(instance__instance_id=first).text
    clock.shift(timedelta(minutes=20))
    look(acme)
    assert "older" in Text.objects.get(instance__instance_id=first).text


def test_an_instance_that_comes_twice_is_one(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(mode="duplicates")
    assert len(look(acme)) == 20
    assert IndexedInstance.objects.count() == 10


@pytest.mark.parametrize(
    "mode", ["nulls", "wrong-types", "no-records", "odd-records", "hostile", "odd-times", "only-ids"]
)
def test_odd_pages_are_indexed_as_far_as_they_can_be(acme: ApiSession, upstream: Upstream, mode: str) -> None:
    upstream.script(mode=mode)
    page = read_page(acme, PAGE, policy=FetchPolicy.FORCE)
    ids = {instance.id for instance in page.value.instances or () if instance.id}
    assert set(IndexedInstance.objects.values_list("instance_id", flat=True)) == ids
    look(acme)


def test_two_credentials_have_two_indexes(acme: ApiSession, globex: ApiSession) -> None:
    look(acme)
    look(globex)
    theirs = IndexedInstance.objects.filter(fleet=fleet_of(globex))
    assert theirs.count() == 12
    assert IndexedInstance.objects.filter(fleet=fleet_of(acme)).count() == 20
    assert not Term.objects.filter(facets__instance__in=theirs).exclude(fleet=fleet_of(globex)).exists()


def test_members_with_the_same_credential_share_one(acme: ApiSession, sandbox: Sandbox, otto: object) -> None:
    look(acme)
    look(open_session(otto, "sandbox-acme-token"))  # type: ignore[arg-type]
    assert IndexedFleet.objects.count() == 1


def test_nothing_is_kept_for_a_credential_that_is_not_stored(sandbox: Sandbox, acme: ApiSession) -> None:
    stranger = ApiSession(acme.region, BearerToken("sandbox-globex-token"), member_id="7")
    assert len(look(stranger)) == 12
    assert find_fleet(stranger) is None


def test_looking_counts_as_use_but_a_walk_does_not(acme: ApiSession, clock: time_machine.Traveller, walk: Walk) -> None:
    look(acme)
    used_at = fleet_of(acme).used_at
    walk(ApiSession(acme.region, acme.credential))
    assert fleet_of(acme).used_at == used_at
    clock.shift(USE_STEP * 2)
    look(acme)
    assert fleet_of(acme).used_at > used_at


def test_without_the_index_pages_are_as_ever(acme: ApiSession, settings: Settings) -> None:
    settings.FLEET_INDEX = False
    assert len(look(acme)) == 20
    assert not IndexedFleet.objects.exists()


def test_with_a_table_lost_pages_are_as_ever(acme: ApiSession) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE fleet_text")
    assert len(look(acme)) == 20
    assert not IndexedInstance.objects.exists()


@contextmanager
def full_disk() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1073741823")


# SQLite takes the whole transaction back when the disk is full, and the test's would be one.
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="How a full disk is made is SQLite's own")
def test_with_a_full_disk_pages_are_as_ever(acme: ApiSession) -> None:
    with full_disk():
        assert len(look(acme, InstanceQuery(limit=100))) == 100
    assert not IndexedInstance.objects.exists()
    look(acme)
    assert IndexedInstance.objects.count() == 20
