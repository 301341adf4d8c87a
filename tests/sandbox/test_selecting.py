"""Computed filters match what checking every instance would give, at any size and after any change."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.sandbox.catalog import FLAVORS, IMAGES
from portal.sandbox.changes import change_instance, create_instance
from portal.sandbox.filters import Filters
from portal.sandbox.fleet import Fleet
from portal.sandbox.names import NameSeries
from portal.sandbox.pattern import acme_pattern

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATTERN = acme_pattern(1)
SIZE = 2345
unhurried = settings(deadline=None, max_examples=60)


def fleet(size: int = SIZE) -> Fleet:
    return Fleet("acme", PATTERN, size, NOW, seed=1)


FLEET = fleet()
EVERYTHING = [FLEET.find_instance(number, NOW) for number in range(SIZE)]
names = st.one_of(
    st.sampled_from([each["name"] for each in EVERYTHING if each]),
    st.builds(
        lambda name, cut: name[:cut] + "*",
        st.sampled_from([each["name"] for each in EVERYTHING if each]),
        st.integers(min_value=0, max_value=20),
    ),
    st.sampled_from(["web-1", "web-001*", "web-1٣*", "web-", "canary-*", "canary-02", "canary-01", "w", "**", "zz*"]),
)
filters = st.builds(
    Filters,
    name=st.none() | names,
    status=st.none() | st.sampled_from(["ACTIVE", "build", "ERROR", "Hibernating", "nothing"]),
    tags=st.frozensets(st.sampled_from(["web", "production", "frontend", "canary", "nothing"]), max_size=2),
    flavor_id=st.none() | st.sampled_from([each["id"] for each in FLAVORS.values()]),
    image_id=st.none() | st.sampled_from([each["id"] for each in IMAGES.values()]),
)


@unhurried
@given(filters)
def test_arithmetic_selects_what_looking_at_each_would_select(asked: Filters) -> None:
    expected = [number for number, each in enumerate(EVERYTHING) if each and asked.take(each)]
    selection = FLEET.select(asked, NOW)
    assert selection.total == len(expected)
    assert list(selection.below()) == expected[::-1]


@unhurried
@given(filters, st.integers(min_value=-5, max_value=SIZE + 5))
def test_a_selection_is_walked_from_any_place_both_ways(asked: Filters, place: int) -> None:
    expected = [number for number, each in enumerate(EVERYTHING) if each and asked.take(each)]
    selection = FLEET.select(asked, NOW)
    assert list(selection.below(place)) == [number for number in reversed(expected) if number < place]
    assert list(selection.above(place)) == [number for number in expected if number > place]


@unhurried
@given(
    asked=st.sampled_from(
        [
            Filters(),
            Filters(name="web-*"),
            Filters(status="Active"),
            Filters(tags=frozenset({"web"})),
            Filters(name="new-*"),
        ]
    ),
    size=st.integers(min_value=0, max_value=400),
    changes=st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=400),
            st.sampled_from(
                [
                    {"action": "delete", "seconds": 0},
                    {"action": "rename", "name": "web-99"},
                    {"action": "stop", "seconds": 0},
                    {"action": "set", "fields": {"tags": ["web"], "flavor": None}},
                    {"action": "create", "seconds": 0},
                ]
            ),
        ),
        max_size=6,
    ),
)
def test_changed_instances_are_selected_by_what_they_are_now(
    asked: Filters, size: int, changes: list[tuple[int, dict[str, object]]]
) -> None:
    changing = fleet(size)
    for number, change in changes:
        if number < changing.end:
            change_instance(changing, number, change, settle_seconds=0)
    now = datetime.now(UTC) + timedelta(seconds=1)
    current = [(number, changing.find_instance(number, now)) for number in range(changing.end)]
    expected = [number for number, each in current if each and asked.take(each)]
    selection = changing.select(asked, now)
    assert (selection.total, list(selection.below())) == (len(expected), expected[::-1])
    assert list(selection.above(size // 2)) == [number for number in expected if number > size // 2]


@unhurried
@given(
    st.integers(min_value=0, max_value=10**6),
    st.sampled_from([NameSeries("a*b", lone=True), NameSeries("a*b-"), NameSeries("a*b-", first=3, step=7)]),
)
def test_a_name_finds_its_own_block(block: int, series: NameSeries) -> None:
    found = [each for blocks in series.blocks(series.name(block), 10**6 + 1) for each in blocks]
    assert found == [block]


@pytest.mark.parametrize("asked", [Filters(), Filters(name="web-*"), Filters(name="web-1*", status="active")])
def test_a_million_instances_are_counted_and_paged_without_being_visited(asked: Filters) -> None:
    large = fleet(1_000_000)
    built = 0
    original = large._original

    def counted(number: int) -> dict[str, object]:
        nonlocal built
        built += 1
        return original(number)

    large._original = counted  # type: ignore[method-assign]
    selection = large.select(asked, NOW)
    page = [large.find_instance(number, NOW) for number in islice(selection.below(500_000), 20)]
    assert selection.total > 5_000
    assert all(each and asked.take(each) for each in page)
    assert built == len(page) == 20


def test_one_seed_gives_one_fleet_and_another_seed_another() -> None:
    again, other = fleet(), Fleet("acme", acme_pattern(2), SIZE, NOW, seed=2)
    assert [again.find_instance(number, NOW) for number in range(SIZE)] == EVERYTHING
    assert other.find_instance(0, NOW) != EVERYTHING[0]


def test_every_id_leads_back_to_its_number_and_no_other_id_does() -> None:
    for number in (0, 1, 149, SIZE - 1):
        assert FLEET.find_number(FLEET.identities.id_of(number)) == number
    assert FLEET.find_number(FLEET.identities.id_of(SIZE)) is None
    assert FLEET.find_number("550e8400-e29b-41d4-a716-446655440000") is None


def test_a_created_instance_is_the_newest_of_its_fleet() -> None:
    growing = fleet(3)
    made = create_instance(growing, {"name": "fresh"}, settle_seconds=0)
    newest = next(growing.select(Filters(), datetime.now(UTC)).below())
    assert growing.find_instance(newest, datetime.now(UTC)) == made | {"power_state": "RUNNING"}
