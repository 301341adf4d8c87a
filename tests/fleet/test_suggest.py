"""Suggestions for what is typed in the search box."""

from datetime import UTC, datetime

import pytest

from portal.bycloud import Address, Image, Instance
from portal.fleet.models import IndexedFleet, IndexedInstance
from portal.fleet.query import LONGEST_TEXT
from portal.fleet.suggest import MOST_INSTANCES, MOST_SUGGESTED, Suggestion, suggest
from portal.fleet.values import CountedValue, list_values
from tests.fleet.rows import keep_instances

pytestmark = pytest.mark.django_db

ID = "550e8400-e29b-41d4-a716-44665544000{}"
NAMES = ("web-1", "web-14", "Web-2", "db-1", "canary")
TAGS = (("web", "canary"), ("web", "blue"), ("web",), ('say, "hi"',), ())


@pytest.fixture
def fleet() -> IndexedFleet:
    return keep_instances(
        Instance(
            id=ID.format(number),
            name=name,
            status="ERROR" if number == 3 else "ACTIVE",
            image=Image(id="i", name="Ubuntu 24.04 LTS"),
            addresses={"private": (Address(addr=f"10.16.0.{number}", version=4),)},
            tags=tags,
            metadata={"Cost centre": "7", "team": "payments"} if number < 2 else {},
        )
        for number, (name, tags) in enumerate(zip(NAMES, TAGS, strict=True))
    )


def typed(fleet: IndexedFleet, text: str) -> tuple[Suggestion, ...]:
    """With the caret where `|` is, or at the end."""
    before, _, after = text.partition("|")
    return suggest(fleet, before + after, len(before))


def shown(fleet: IndexedFleet, text: str) -> list[tuple[str, int | None]]:
    return [(one.shown, one.instances) for one in typed(fleet, text)]


def texts(fleet: IndexedFleet, text: str) -> list[str]:
    return [one.text for one in typed(fleet, text)]


def test_values_of_a_key_come_with_their_counts_the_most_frequent_first(fleet: IndexedFleet) -> None:
    assert shown(fleet, "status:") == [("ACTIVE", 4), ("ERROR", 1)]
    assert shown(fleet, "tag:") == [("web", 3), ("blue", 1), ("canary", 1), ('say, "hi"', 1)]


def test_values_that_begin_with_what_is_typed_come_before_those_that_contain_it(fleet: IndexedFleet) -> None:
    assert shown(fleet, "tag:B") == [("blue", 1), ("web", 3)]
    assert shown(fleet, 'image:"ubuntu 2') == [("Ubuntu 24.04 LTS", 5)]
    assert shown(fleet, "ip:10.16.0.4") == [("10.16.0.4", 1)]
    assert shown(fleet, "meta.TEAM:pay") == [("payments", 2)]
    assert shown(fleet, "name:WEB") == [("web-1", None), ("Web-2", None), ("web-14", None)]
    assert shown(fleet, "ram>=") == []


def test_a_value_makes_the_whole_canonical_text(fleet: IndexedFleet) -> None:
    assert texts(fleet, "  TAG:we|  status:ERROR") == ["tag:web status:ERROR "]
    assert texts(fleet, "-tag:blue,can") == ["-tag:blue,canary "]
    assert texts(fleet, "tag:ca|x,blue db") == ["tag:canary,blue db "]
    assert texts(fleet, "tag:say") == ['tag:"say, ""hi""" ']
    assert typed(fleet, "tag:can")[0].at == len("tag:canary ")


def test_a_word_is_completed_to_a_key_a_value_or_the_name_of_an_instance(fleet: IndexedFleet) -> None:
    found = typed(fleet, "db -can")
    assert [(one.shown, one.text, one.instances) for one in found] == [
        ("tag:canary", "db -tag:canary ", 1),
        ("canary", "", None),
    ]
    assert found[1].instance_id == ID.format(4)
    assert shown(fleet, "web") == [("tag:web", 3), ("web-1", None), ("Web-2", None), ("web-14", None)]
    assert shown(fleet, "web-1") == [("web-1", None), ("web-14", None)]


def test_keys_are_found_by_a_part_and_leave_the_caret_behind_the_colon(fleet: IndexedFleet) -> None:
    assert typed(fleet, "web st|x name:db")[0] == Suggestion("status:", "web status: name:db", len("web status:"))
    assert [one.shown for one in typed(fleet, "team")] == ["meta.team:"]
    assert [one.shown for one in typed(fleet, "meta.c")] == ['meta."cost centre":']
    assert len(typed(fleet, "")) == MOST_SUGGESTED


def test_after_a_key_that_is_changed_the_key_is_what_is_completed(fleet: IndexedFleet) -> None:
    assert "tag:" in [one.shown for one in typed(fleet, "ta|:web")]


@pytest.mark.parametrize("text", ["x" * LONGEST_TEXT + "tag:c", "tag:canary " * 60 + "tag:c"])
def test_what_would_be_too_long_is_not_suggested(fleet: IndexedFleet, text: str) -> None:
    assert typed(fleet, text) == ()


def test_there_are_never_more_than_ten() -> None:
    fleet = keep_instances(
        Instance(id=ID.format(number), name=f"ram-{number}", tags=tuple(f"ram{number}{tag}" for tag in range(9)))
        for number in range(9)
    )
    found = typed(fleet, "ram")
    assert len(found) == MOST_SUGGESTED
    assert sum(bool(one.instance_id) for one in found) == MOST_INSTANCES
    assert len(typed(fleet, "tag:ram")) == MOST_SUGGESTED


def test_only_instances_that_exist_are_counted_and_found(fleet: IndexedFleet) -> None:
    IndexedInstance.objects.filter(instance_id__in=[ID.format(0), ID.format(4)]).update(
        missing_at=datetime(2026, 11, 29, tzinfo=UTC)
    )
    assert list_values(fleet, "tag", most=2) == (CountedValue("tag", "web", 2), CountedValue("tag", "blue", 1))
    assert shown(fleet, "canary") == []


def test_another_fleet_has_no_part_in_it(fleet: IndexedFleet) -> None:
    other = keep_instances([Instance(id=ID.format(9), name="web-secret", tags=("web", "hidden"))], scope="spo1:other")
    assert shown(fleet, "hidden") == shown(fleet, "web-s") == []
    assert shown(fleet, "tag:web") == [("web", 3)]
    assert shown(other, "tag:") == [("hidden", 1), ("web", 1)]
