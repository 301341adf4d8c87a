"""What is read of the changes in a fleet, as in plain Python, and how they are told."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.bycloud import Instance
from portal.fleet.change_words import compare, describe_change, describe_difference, describe_span
from portal.fleet.changes import MOST, Change, Place, find_newest, list_changes, read_changes, select_changes
from portal.fleet.models import ChangeKind, IndexedFleet, ObservedChange
from portal.fleet.search import list_indexed
from tests.fleet.rows import keep_fleet, keep_instances

NOW = datetime(2026, 11, 29, 14, 31, tzinfo=UTC)
IDS = tuple(f"550e8400-e29b-41d4-a716-44665544000{number}" for number in range(3))

observed = st.lists(
    st.tuples(st.sampled_from(IDS), st.sampled_from(list(ChangeKind)), st.integers(0, 6).map(lambda each: each * 10)),
    max_size=30,
)


def keep_changes(fleet: IndexedFleet, observed: Iterable[tuple[str, ChangeKind, int]]) -> list[ObservedChange]:
    """Changes of an id and a kind, so many minutes ago."""
    return ObservedChange.objects.bulk_create(
        ObservedChange(
            fleet=fleet, instance_id=instance_id, name="web-14", kind=kind, until=NOW - timedelta(minutes=minutes)
        )
        for instance_id, kind, minutes in observed
    )


class TestReading(TestCase):
    @given(
        observed=observed,
        others=observed,
        minutes=st.none() | st.integers(0, 70),
        recorded=st.integers(0, 30),
        kinds=st.sets(st.sampled_from(list(ChangeKind)), max_size=3),
        instance_id=st.sampled_from(["", *IDS]),
        size=st.integers(1, 12),
    )
    def test_pages_hold_what_matches_newest_first_and_once(
        self,
        *,
        observed: list[tuple[str, ChangeKind, int]],
        others: list[tuple[str, ChangeKind, int]],
        minutes: int | None,
        recorded: int,
        kinds: set[ChangeKind],
        instance_id: str,
        size: int,
    ) -> None:
        fleet, other = keep_fleet(), keep_fleet("spo1:other")
        kept = keep_changes(fleet, observed)
        foreign = keep_changes(other, others)
        assert find_newest(fleet) == max((row.pk for row in kept), default=0)
        since = None if minutes is None else NOW - timedelta(minutes=minutes)
        after = kept[min(recorded, len(kept) - 1)].pk if kept and recorded else 0
        expected = sorted(
            (
                Place(row.until, row.pk)
                for row in kept
                if (since is None or row.until >= since)
                and row.pk > after
                and (not kinds or row.kind in kinds)
                and instance_id in ("", row.instance_id)
            ),
            reverse=True,
        )
        rows = select_changes(fleet, since=since, after=after, kinds=kinds, instance_id=instance_id)
        pages, before = [], None
        while page := read_changes(rows, before=before, count=size):
            assert len(page) <= size
            pages += [change.place for change in page]
            before = page[-1].place
        assert pages == expected
        found = list_changes(fleet, since=since, kinds=kinds, instance_id=instance_id, count=size)
        assert not {change.number for change in found} & {row.pk for row in foreign}


@pytest.mark.django_db
def test_changes_of_the_instances_that_a_query_selects() -> None:
    fleet = keep_instances([Instance(id=IDS[0], name="web-1"), Instance(id=IDS[1], name="db-1")])
    ObservedChange.objects.all().delete()
    keep_changes(fleet, [(instance_id, ChangeKind.STATE, 1) for instance_id in IDS])
    rows = select_changes(fleet, within=list_indexed(fleet).filter(instance_id=IDS[1]))
    assert [change.instance_id for change in read_changes(rows)] == [IDS[1]]


@pytest.mark.django_db
def test_no_page_is_longer_than_the_longest() -> None:
    fleet = keep_fleet()
    keep_changes(fleet, [(IDS[0], ChangeKind.STATE, 1)] * (MOST + 1))
    assert len(list_changes(fleet, count=10_000)) == MOST


def make_change(
    kind: ChangeKind, before: str = "", after: str = "", *, minutes: float = 0, name: str = "web-14"
) -> Change:
    return Change(1, IDS[0], name, kind, before, after, NOW - timedelta(minutes=minutes), NOW)


@pytest.mark.parametrize(
    ("kind", "before", "after", "words"),
    [
        (ChangeKind.APPEARED, "", "", "Appeared"),
        (ChangeKind.VANISHED, "", "", "Vanished"),
        (ChangeKind.STATE, "ACTIVE\nRUNNING\n", "REBOOT\nRUNNING\n", "Active → Rebooting"),
        (ChangeKind.STATE, "ACTIVE\nRUNNING\n", "ACTIVE\nRUNNING\npowering-off", "Active → Stopping"),
        # The word alone would say that nothing has changed, and so would the detail.
        (ChangeKind.STATE, "ACTIVE\nRUNNING\n", "ACTIVE\nSHUTDOWN\n", "Active → Active (power: shut down)"),
        (ChangeKind.STATE, "BUILD\nNOSTATE\n", "BUILD\nRUNNING\n", "BUILD, NOSTATE → BUILD, RUNNING"),
        (ChangeKind.STATE, "\n\n", "QUEUED\n\n", "No state → QUEUED"),
        (ChangeKind.FLAVOR, "m1.small", "m1.large", "m1.small → m1.large"),
        (ChangeKind.NAME, "", "web-14", "– → web-14"),
        (ChangeKind.ADDRESSES, "10.16.0.4", "10.16.0.9", "+10.16.0.9 −10.16.0.4"),
        (ChangeKind.TAGS, "blue\nweb", "blue\ncanary\nweb", "+canary"),
        (ChangeKind.TAGS, "blue\nblue", "blue", "−blue"),
        (ChangeKind.METADATA, "team=a", "env=prod\nteam=b", "+env=prod +team=b −team=a"),
        (ChangeKind.TAGS, "", "\n".join("abcdefgh"), "+a +b +c +d +e and 3 more"),
    ],
)
def test_a_change_is_told_in_the_words_of_the_list(kind: ChangeKind, before: str, after: str, words: str) -> None:
    change = make_change(kind, before, after)
    assert describe_difference(change) == words
    assert describe_change(change) == f"web-14: {words}"


def test_a_change_is_told_in_the_language_of_the_reader() -> None:
    with translation.override("pt-br"):
        change = make_change(ChangeKind.STATE, "ACTIVE\nRUNNING\n", "SHUTOFF\nSHUTDOWN\n")
        assert describe_difference(change) == "Ativa → Parada"


def test_states_have_their_tones() -> None:
    found = compare(make_change(ChangeKind.STATE, "ACTIVE\nRUNNING\n", "ERROR\n\n"))
    assert found.before
    assert found.after
    assert (found.before.tone, found.after.tone) == ("ok", "error")


def test_an_instance_without_a_name_goes_by_the_beginning_of_its_id() -> None:
    assert describe_change(make_change(ChangeKind.VANISHED, name="")) == "550e8400: Vanished"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "11:31"),
        (0.9, "11:31"),
        (29, "between 11:02 and 11:31"),
        (24 * 60, "between 28 Nov 2026, 11:31 and 11:31"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_a_change_is_dated_as_exactly_as_is_known(minutes: float, words: str) -> None:
    with timezone.override(ZoneInfo("America/Sao_Paulo")):
        assert describe_span(make_change(ChangeKind.STATE, minutes=minutes)) == words


@time_machine.travel(NOW, tick=False)
def test_dates_are_left_out_on_the_day_that_is_named_already() -> None:
    with timezone.override(ZoneInfo("UTC")):
        change = make_change(ChangeKind.STATE, minutes=24 * 60)
        assert describe_span(change, day=date(2026, 11, 28)) == "between 14:31 and 29 Nov 2026, 14:31"
