"""Filters match what checking every instance would give, at any size and after any change."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.sandbox.catalog import FLAVORS, IMAGES
from portal.sandbox.changes import change_instance
from portal.sandbox.filters import Filters
from portal.sandbox.fleet import Fleet
from portal.sandbox.pattern import acme_pattern

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PATTERN = acme_pattern()
SIZE = 2345
unhurried = settings(deadline=None, max_examples=60)


def fleet(size: int = SIZE) -> Fleet:
    return Fleet("acme", PATTERN, size, NOW)


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
def test_what_is_selected_is_what_looking_at_each_would_select(asked: Filters) -> None:
    assert FLEET.select(asked, NOW) == [
        number for number, each in enumerate(EVERYTHING) if each and asked.matches(each)
    ]


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
        if number < size:
            change_instance(changing, number, change, settle_seconds=0)
    now = datetime.now(UTC) + timedelta(seconds=1)
    current = [(number, changing.find_instance(number, now)) for number in range(size)]
    expected = [number for number, each in current if each and asked.matches(each)]
    assert changing.select(asked, now) == expected


def test_a_fleet_is_the_same_each_time() -> None:
    again = fleet()
    assert [again.find_instance(number, NOW) for number in range(SIZE)] == EVERYTHING


def test_every_id_leads_back_to_its_number_and_no_other_id_does() -> None:
    for number in (0, 1, 149, SIZE - 1):
        assert FLEET.find_number(FLEET.identities.id_of(number)) == number
    assert FLEET.find_number(FLEET.identities.id_of(SIZE)) is None
    assert FLEET.find_number("550e8400-e29b-41d4-a716-446655440000") is None
