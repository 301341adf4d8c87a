"""The counts of the overview: the same as in plain Python, and what a list of their query has."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.bycloud import Flavor, Image, Instance
from portal.fleet.counts import SINGLE_KEYS, count_query, count_values
from portal.fleet.models import IndexedFleet
from portal.fleet.values import CountedValue, list_metadata_names
from tests.fleet.oracle import list_values
from tests.fleet.rows import keep_instances
from tests.memory import forget_everything

NOW = datetime(2026, 11, 29, tzinfo=UTC)
KEYS = ("status", "flavor", "image", "tag", "network", "meta.team")
WORDS = st.sampled_from(["web", "WEB", "db", "ção", 'say "hi"', "a*", "a,b", "-x", "key:value", " spaced "])

fleets = st.lists(
    st.builds(
        Instance,
        id=st.uuids(version=4).map(str),
        status=st.none() | st.sampled_from(["ACTIVE", "Active", "ERROR", "BUILD", "odd state"]),
        flavor=st.none() | WORDS.map(lambda name: Flavor(id="f", name=name)),
        image=st.none() | WORDS.map(lambda name: Image(id="i", name=name)),
        addresses=st.none() | st.dictionaries(WORDS, st.just(()), max_size=3),
        metadata=st.none() | st.dictionaries(st.sampled_from(["team", "Env"]), WORDS, max_size=2),
        tags=st.none() | st.lists(WORDS, max_size=4).map(tuple),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


def count_plainly(instances: Iterable[Instance], key: str) -> Counter[str]:
    # The words that are shown for a status are values of it, too, but not counted.
    return Counter(
        value
        for one in instances
        for value in ({(one.status or "").casefold()} - {""} if key == "status" else {*list_values(one, key)})
    )


def check(fleet: IndexedFleet, instances: list[Instance], key: str, most: int) -> None:
    # Each example is another fleet with the number of the one before, which was rolled back.
    forget_everything()
    found, plain = count_values(fleet, key, most=most), count_plainly(instances, key)
    counts = {each.text.casefold(): each.instances for each in found.values}
    assert len(counts) == min(most, len(plain))
    assert all(plain[value] == count for value, count in counts.items())
    assert sorted(counts.values(), reverse=True) == [each.instances for each in found.values]
    assert sorted(counts.values()) == sorted(sorted(plain.values())[-most:])
    assert found.more == len(plain) - len(counts)
    for each in found.values:
        assert count_query(fleet, each.query, now=NOW) == each.instances, each
    if key in SINGLE_KEYS or key.startswith("meta."):
        assert found.rest is not None
        assert found.without is not None
        assert sum(counts.values()) + found.rest + found.without == len(instances)
        assert count_query(fleet, found.without_query, now=NOW) == found.without
        if found.more:
            assert count_query(fleet, found.rest_query, now=NOW) == found.rest


class CountProperties(TestCase):
    @given(fleets, st.sampled_from(KEYS), st.integers(1, 4))
    def test_each_value_is_counted_as_in_plain_python_and_as_its_query_finds_it(
        self, instances: list[Instance], key: str, most: int
    ) -> None:
        check(keep_instances(instances), instances, key, most)

    @given(fleets, st.sampled_from(KEYS), st.sets(st.integers(0, 11)))
    def test_what_is_missing_is_not_counted(self, instances: list[Instance], key: str, numbers: set[int]) -> None:
        fleet = keep_instances(instances)
        missing = {one.id for number, one in enumerate(instances) if number in numbers}
        fleet.instances.filter(instance_id__in=missing).update(missing_at=NOW)
        check(fleet, [one for one in instances if one.id not in missing], key, 3)


@pytest.mark.django_db
def test_a_fleet_is_counted_by_itself() -> None:
    fleet = keep_instances([Instance(id="1", status="ACTIVE", metadata={"Team": "web"})])
    keep_instances([Instance(id="2", status="ACTIVE", metadata={"secret": "x", "team": "other"})], "spo1:other")
    (found,) = count_values(fleet, "status", most=8).values
    assert (found, found.query) == (CountedValue("status", "ACTIVE", 1), "status:ACTIVE")
    assert [each.text for each in count_values(fleet, "meta.team", most=8).values] == ["web"]
    assert list_metadata_names(fleet) == {"team": 1}
    assert count_query(fleet, "status:ACTIVE", now=NOW) == 1
