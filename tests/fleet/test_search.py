"""What a query finds, and in which order: in the database as in plain Python."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.bycloud import Address, Flavor, Image, Instance, SecurityGroup
from portal.fleet import search
from portal.fleet.query import Condition, Value, parse
from portal.fleet.records import SORT_FIELDS
from portal.fleet.search import select, sort, sum_up
from tests.fleet import oracle
from tests.fleet.rows import keep_instances, write_instances

NOW = datetime(2026, 11, 29, tzinfo=UTC)
ID = "550e8400-e29b-41d4-a716-446655440000"

NAMES = ("web-2", "web-14", "Web-014", "WEB-staging", "db 1", "100%", "a_b", "back\\slash", "ção", "Straße", 'say "hi"')
PLAIN = st.sampled_from(["web", "Canary", "blue", "ção", "a_b", "payments", "100%"])
ADDRESSES = ("10.16.0.147", "10.16.0.14", "192.0.2.8", "fd00:10:0::4", "2001:db8::14")
MACS = ("fa:16:3e:4f:5a:2b", "fa:16:3e:00:00:01")
FLAVORS = tuple(
    Flavor(id=f"f-{ram}", name=f"m1.{ram}", vcpus=vcpus, ram=ram) for vcpus, ram in ((1, 512), (2, 2048), (8, 8704))
)
STATES = (
    ("ACTIVE", "RUNNING"),
    ("ACTIVE", "SHUTDOWN"),
    ("SHUTOFF", "SHUTDOWN"),
    ("REBOOT", "RUNNING"),
    ("ERROR", None),
    ("QUEUED", None),
    (None, None),
)


def make_instance(state: tuple[str | None, str | None], **fields: Any) -> Instance:
    return Instance(status=state[0], power_state=state[1], **fields)


instances = st.lists(
    st.builds(
        make_instance,
        id=st.uuids(version=4).map(str),
        state=st.sampled_from(STATES),
        name=st.none() | st.sampled_from(NAMES),
        description=st.none() | st.sampled_from(["Public web server", "Straße\u00a07"]),
        flavor=st.none() | st.sampled_from(FLAVORS),
        image=st.none()
        | st.sampled_from([Image(id="i-1", name="Ubuntu 24.04 LTS"), Image(id="i-2", name="Debian 13")]),
        addresses=st.none()
        | st.dictionaries(
            st.sampled_from(["private", "Storage"]),
            st.builds(Address, addr=st.sampled_from(ADDRESSES), version=st.just(4), mac_addr=st.sampled_from(MACS)).map(
                lambda address: (address,)
            ),
        ),
        security_groups=st.none() | PLAIN.map(lambda name: (SecurityGroup(name),)),
        key_names=st.none() | PLAIN.map(lambda name: (name,)),
        metadata=st.none() | st.dictionaries(st.sampled_from(["team", "Env"]), PLAIN, max_size=2),
        tags=st.none() | st.lists(PLAIN, max_size=3, unique=True).map(tuple),
        created_at=st.none() | st.integers(0, 100).map(lambda hours: NOW - timedelta(hours=hours)),
        updated_at=st.none() | st.integers(0, 9).map(lambda times: NOW - times * timedelta(minutes=20)),
    ),
    min_size=4,
    max_size=10,
    unique_by=lambda one: one.id,
)

parts = PLAIN | st.sampled_from(
    [*NAMES, *ADDRESSES, *MACS, "eb-", "web-1", "LTS", "stopped", "ativa", "%", "_", "\\", "16"]
)
TEXT_KEYS = ("name", "status", "flavor", "image", "tag", "network", "group", "key", "meta.team")
sizes = st.sampled_from(["1", "2", ">=2", "<8", ">0.5", "0.5..2", "8.5", "<=0.5"])
ages = st.sampled_from(["<24h", ">24h", "<=2d", ">=2d", "1d..3d", "12h..1d"])
networks = st.sampled_from(["10.16.0.0/16", "10.16.0.14", "fd00::/8", "0.0.0.0/0", "2001:db8:0::14"])


def make_condition(
    key: str, texts: list[str], *, starred: bool, sides: tuple[bool, bool], excluded: bool
) -> dict[str, Any]:
    before, after = sides if starred else (False, False)
    return {"key": key, "values": [(text, before, after) for text in texts], "excluded": excluded}


def make_conditions(key: Any, texts: Any, *, most: int, starred: bool) -> Any:
    return st.builds(
        make_condition,
        key,
        st.lists(texts, min_size=1, max_size=most, unique=True),
        starred=st.just(starred),
        sides=st.tuples(st.booleans(), st.booleans()),
        excluded=st.booleans(),
    )


conditions = st.lists(
    make_conditions(st.just(""), parts, most=1, starred=True)
    | make_conditions(st.sampled_from(TEXT_KEYS), parts, most=3, starred=True)
    | make_conditions(st.sampled_from(["ram", "vcpus"]), sizes, most=2, starred=False)
    | make_conditions(st.just("created"), ages, most=2, starred=False)
    | make_conditions(st.just("is"), st.sampled_from(["stuck", "Warning"]), most=2, starred=False)
    | make_conditions(st.just("ip"), networks, most=2, starred=False),
    min_size=1,
    max_size=2,
)
# Many at once, because a fleet takes longer to make than to search.
queries = st.lists(conditions, min_size=10, max_size=20)


def make_query_condition(key: str, values: list[tuple[str, bool, bool]], *, excluded: bool) -> Condition:
    return Condition(key, tuple(Value(*value) for value in values), excluded)


class SearchProperties(TestCase):
    @given(instances, queries)
    def test_the_index_finds_what_plain_python_finds(
        self, fleet: list[Instance], queries: list[list[dict[str, Any]]]
    ) -> None:
        indexed = keep_instances(fleet)
        for query in queries:
            selection = select(indexed, [make_query_condition(**one) for one in query], now=NOW)
            assert selection.problems == ()
            assert set(selection.rows.values_list("instance_id", flat=True)) == oracle.find(fleet, query, NOW), query

    @given(instances, st.sampled_from(sorted(SORT_FIELDS)))
    def test_every_order_is_total_and_has_absent_values_last(self, fleet: list[Instance], column: str) -> None:
        rows = select(keep_instances(fleet), (), now=NOW).rows
        there = list(sort(rows, column).values_list(SORT_FIELDS[column], "pk"))
        back = list(sort(rows, f"-{column}").values_list(SORT_FIELDS[column], "pk"))
        if column == "age":
            there, back = back, there
        known = [row for row in there if row[0] is not None]
        assert known == sorted(known)
        assert [row for row in back if row[0] is not None] == known[::-1]
        for order in (there, back):
            assert [row for row in order if row[0] is None] == order[len(known) :]
            assert len(order) == len(fleet)


@pytest.mark.django_db
def test_numbers_that_no_column_holds_can_still_be_summed() -> None:
    absurd = [Instance(id=f"{number}", flavor=Flavor(vcpus=10**40, ram=10**40)) for number in range(3)]
    totals = sum_up(select(keep_instances(absurd), (), now=NOW).rows)
    assert totals.instances == 3
    assert totals.vcpus == totals.ram == 3 * 10**12


@pytest.mark.django_db
def test_every_page_is_the_same_from_either_end() -> None:
    """Rows near the end are read from there."""
    fleet = keep_instances(
        Instance(id=f"{number}", name=f"web-{number % 4}" if number % 4 else None) for number in range(11)
    )
    rows = sort(select(fleet, (), now=NOW).rows, "name")
    expected = [instance_id for (instance_id,) in rows.values_list("instance_id")]
    for first in range(12):
        found = search.read_instances(rows, first=first, count=3, total=11)
        assert [one.id for one in found] == expected[first : first + 3]


@pytest.mark.django_db
def test_sums_of_the_whole_fleet_follow_each_page() -> None:
    fleet = keep_instances([Instance(id="1", flavor=Flavor(vcpus=2))])
    other = keep_instances([Instance(id="1", flavor=Flavor(vcpus=4))], "spo1:other")
    assert search.sum_up_all(fleet).vcpus == 2
    write_instances(fleet, [Instance(id="1", flavor=Flavor(vcpus=8)), Instance(id="2")])
    assert (search.sum_up_all(fleet).vcpus, search.sum_up_all(fleet).instances) == (8, 2)
    assert search.sum_up_all(other).vcpus == 4


@pytest.mark.django_db
def test_rows_stay_the_same_when_they_are_narrowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = keep_instances(Instance(id=f"{number}", name=f"web-{number}") for number in range(5))
    keep_instances([Instance(id="7", name="web-7")], "spo1:other")
    for few in (3, 5):
        monkeypatch.setattr(search, "FEW", few)
        rows = search.narrow(select(fleet, parse("web"), now=NOW).rows)
        names = [one.name for one in search.read_instances(sort(rows, "-name"), first=1, count=3, total=rows.count())]
        assert (rows.count(), names) == (5, ["web-3", "web-2", "web-1"])


@pytest.mark.django_db
def test_what_is_missing_is_found_by_asking_for_it_only() -> None:
    fleet = keep_instances(Instance(id=f"{number}", name=f"web-{number}") for number in range(4))
    for number, hours in ((1, 2), (2, 30)):
        fleet.instances.filter(instance_id=f"{number}").update(missing_at=NOW - timedelta(hours=hours))
    found = {
        "": {"0", "3"},
        "missing:<1d": {"1"},
        "missing:*": {"1", "2"},
        "missing:>1d web": {"2"},
        "-missing:<1d": {"0", "3"},
        "missing:lots": {"0", "3"},
    }
    for query, ids in found.items():
        rows = select(fleet, parse(query), now=NOW).rows
        assert set(rows.values_list("instance_id", flat=True)) == ids, query


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["is:", "is:lost", "is:stuck*", "is:*"])
def test_what_an_instance_can_be_is_named(query: str) -> None:
    selection = select(keep_instances([Instance(id="7")]), parse(query), now=NOW)
    assert selection.rows.count() == 1
    assert "stuck" in selection.problems[0]
