"""All instances that match as a file: what is in it, against plain Python."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.bycloud import Address, Fault, Flavor, Image, Instance, InstancePage, InstanceQuery, decode_instance
from portal.core.csv_safety import csv_cell
from portal.fleet.index import write_page
from portal.fleet.models import Body, IndexedFleet, IndexedInstance
from portal.fleet.privacy import delete_fleet
from portal.gateway import FetchedPage
from portal.instances import export_all
from portal.instances.columns import COLUMNS
from portal.instances.export_all import (
    NAMES,
    ExportInterruptedError,
    TooManyExportsError,
    start_export,
    write_export,
)
from portal.instances.export_plan import Export, name_file, plan_export
from portal.instances.indexed import OpenIndex
from portal.instances.links import ListView
from tests.fleet.rows import SEEN_AT, SESSION, keep_fleet, keep_instances, write_instances

ID = "550e8400-e29b-41d4-a716-4466554400{:02}"
WEB = Instance(
    id=ID.format(0),
    crn="crn:spo1:compute:instance:x",
    name="web-1",
    status="ACTIVE",
    flavor=Flavor(id="f", name="small", vcpus=2, ram=4096, disk=40),
    image=Image(id="i", name="Ubuntu"),
    addresses={"private": (Address(addr="10.0.0.1", mac_addr="fa:16:3e:00:00:01"), Address(addr="10.0.0.2"))},
    tags=("a", 'say "b"'),
    metadata={"team": "storefront"},
    created_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
)
BROKEN = Instance(id=ID.format(1), name="=1+1", fault=Fault(code=500, message="No host", created=WEB.created_at))
EMPTY = Instance(id=ID.format(2))
WHOLE = ListView()

pytestmark = pytest.mark.django_db


def plan(fleet: IndexedFleet, view: ListView = WHOLE, ids: Sequence[str] = ()) -> Export:
    return plan_export(OpenIndex(fleet, None), view, ids)


def write(fleet: IndexedFleet, form: Any, view: ListView = WHOLE) -> str:
    return b"".join(write_export(plan(fleet, view), form)).decode("utf-8-sig")


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def read_lines(text: str) -> list[dict[str, Any]]:
    assert text.endswith("\n")
    return [json.loads(line) for line in text[:-1].split("\n")]


def keep_sources(*sources: bytes) -> IndexedFleet:
    """A fleet with this JSON, as it is."""
    fleet, instances = keep_fleet(), tuple(map(decode_instance, sources))
    write_page(fleet, FetchedPage(SESSION, page=InstancePage(instances), sources=sources, fetched_at=SEEN_AT))
    return fleet


def test_csv_has_every_field_under_bycloud_s_own_name_with_raw_values() -> None:
    empty, broken, web = sorted(
        read_csv(write(keep_instances([WEB, BROKEN, EMPTY]), "csv")), key=lambda row: row["name"]
    )
    assert {name: value for name, value in web.items() if value} == {
        "id": WEB.id,
        "crn": WEB.crn,
        "name": "web-1",
        "status": "ACTIVE",
        "flavor.id": "f",
        "flavor.name": "small",
        "flavor.vcpus": "2",
        "flavor.ram": "4096",
        "flavor.disk": "40",
        "image.id": "i",
        "image.name": "Ubuntu",
        "addresses": "10.0.0.1; 10.0.0.2",
        "addresses.mac_addr": "fa:16:3e:00:00:01",
        "networks": "private",
        "tags": 'a; say "b"',
        "metadata": "team=storefront",
        "created_at": "2026-11-01T12:00:00Z",
        "last_seen": "2026-11-29T00:00:00Z",
        "coverage": "3 of 3, incomplete",
    }
    assert (broken["name"], broken["fault.code"], broken["fault.message"]) == ("'=1+1", "500", "No host")
    assert broken["fault.created"] == "2026-11-01T12:00:00Z"
    assert {name for name, value in empty.items() if value} == {"id", "last_seen", "coverage"}


def test_every_field_that_is_documented_and_every_column_of_the_list_is_in_it() -> None:
    parts = {"flavor": Flavor, "image": Image, "fault": Fault}
    documented = {name for name in Instance.__struct_fields__ if name not in parts}
    documented |= {f"{name}.{part}" for name, kind in parts.items() for part in kind.__struct_fields__}
    assert documented <= set(NAMES)
    assert {column.field or column.name for column in COLUMNS.values()} <= set(NAMES)
    assert len(NAMES) == len(set(NAMES))


class CsvTest(TestCase):
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5))
    def test_every_text_is_read_back_as_it_was_escaped(self, names: list[str]) -> None:
        fleet = keep_instances(Instance(id=ID.format(number), name=name) for number, name in enumerate(names))
        found = {row["id"]: row["name"] for row in read_csv(write(fleet, "csv"))}
        assert found == {ID.format(number): csv_cell(name) for number, name in enumerate(names)}


def test_json_lines_are_bycloud_s_own_json_after_a_line_about_them() -> None:
    sources = (
        b'{"id": "%s", "name": "caf\\u00e9", "new_field": 1.50}' % ID.format(0).encode(),
        b'{\n  "id": "%s",\r\n  "name": "b"\n}' % ID.format(1).encode(),
        '{"id":"%s","name":"c\u2028d"}'.replace("%s", ID.format(2)).encode(),
    )
    text = write(keep_sources(*sources), "jsonl", ListView(sort="-name"))
    about, *rows = text[:-1].split("\n")
    assert rows == [
        sources[2].decode(),
        sources[0].decode(),
        f'{{   "id": "{ID.format(1)}",    "name": "b" }}',
    ]
    assert json.loads(about)["export"] | {"made_at": ""} == {
        "region": "spo1",
        "query": "sort=-name",
        "made_at": "",
        "instances": 3,
        "oldest_seen": "2026-11-29T00:00:00Z",
        "newest_seen": "2026-11-29T00:00:00Z",
        "known": 3,
        "total": 3,
        "is_complete": False,
    }


def test_what_is_no_json_is_mended_and_what_is_damaged_costs_its_row_alone() -> None:
    fleet = keep_sources(
        b'{"id": "%s", "name": "a\nb", "x": NaN}' % ID.format(0).encode(), b'{"id": "%s"}' % ID.format(1).encode()
    )
    damaged = IndexedInstance.objects.get(instance_id=ID.format(1))
    Body.objects.filter(instance=damaged).update(body=b"no deflate at all")
    _about, first, second = read_lines(write(fleet, "jsonl"))
    assert first == {"id": ID.format(0), "name": "a b", "x": ""}
    assert second == {"id": ID.format(1), "unreadable": ["$"]}
    rows = read_csv(write(fleet, "csv"))
    assert [(row["id"], row["unreadable"]) for row in rows] == [(ID.format(0), ""), (ID.format(1), "$")]


def test_a_field_that_cannot_be_read_is_named() -> None:
    (row,) = read_csv(write(keep_sources(b'{"id": "%s", "flavor": {"ram": []}}' % ID.format(0).encode()), "csv"))
    assert (row["flavor.ram"], row["unreadable"]) == ("", "flavor.ram")


def test_query_filters_and_order_choose_the_rows() -> None:
    fleet = keep_instances(
        Instance(id=ID.format(number), name=f"web-{number}", tags=("even",) if number % 2 == 0 else ())
        for number in range(12)
    )

    def names(view: ListView) -> list[str]:
        return [row["name"] for row in read_csv(write(fleet, "csv", view))]

    assert names(ListView()) == [f"web-{number}" for number in range(12)]
    assert names(ListView(q="web-1", sort="-name")) == ["web-11", "web-10", "web-1"]
    live = ListView(InstanceQuery(limit=20, tags=("even",), marker=ID.format(3)))
    assert names(live) == [f"web-{number}" for number in range(0, 12, 2)]
    assert [
        row["name"] for row in read_csv(b"".join(write_export(plan(fleet, ids=[ID.format(3)]), "csv")).decode())
    ] == ["web-3"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_all_chunks_are_in_it_once(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(export_all, "ROWS_PER_CHUNK", 2)
    fleet = keep_instances(Instance(id=ID.format(number), name=f"{number}") for number in range(count))
    assert [row["name"] for row in read_csv(write(fleet, "csv"))] == [str(number) for number in range(count)]
    assert len(read_lines(write(fleet, "jsonl"))) == count + 1


def test_a_chunk_is_one_query_and_nothing_is_read_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_all, "ROWS_PER_CHUNK", 2)
    pieces = write_export(plan(keep_instances([WEB, BROKEN, EMPTY])), "jsonl")
    with CaptureQueriesContext(connection) as queries:
        next(pieces)
        assert len(queries) == 0
        next(pieces)
        assert len(queries) == 1


def test_the_set_is_fixed_first_and_what_comes_later_is_not_in_it() -> None:
    fleet = keep_instances([WEB, BROKEN])
    export = plan(fleet)
    write_instances(fleet, [EMPTY])
    assert len(read_csv(b"".join(write_export(export, "csv")).decode("utf-8-sig"))) == 2


def test_when_its_fleet_is_deleted_meanwhile_the_file_does_not_end_as_if_it_were_whole() -> None:
    fleet = keep_instances([WEB, BROKEN])
    pieces = write_export(plan(fleet), "csv")
    next(pieces)
    delete_fleet(fleet)
    with pytest.raises(ExportInterruptedError):
        next(pieces)


def test_the_file_says_how_much_of_the_list_it_has() -> None:
    fleet = keep_instances([WEB, BROKEN])
    fleet.passes.create(number=1, started_at=SEEN_AT, limit=100, last_total=40)
    assert name_file(plan(fleet), "csv") == "instances-spo1-20261129T000000Z-incomplete-2-of-40.csv"
    fleet.completed_at = SEEN_AT
    fleet.passes.update(last_total=2)
    assert name_file(plan(fleet, ListView(q="web")), "jsonl") == "instances-spo1-20261129T000000Z-1-of-2.jsonl"


def test_only_some_are_written_at_once_and_one_that_is_closed_makes_room() -> None:
    export = plan(keep_instances([WEB]))
    running = [start_export(export, "csv") for _ in range(export_all.MOST_EXPORTS)]
    with pytest.raises(TooManyExportsError):
        start_export(export, "csv")
    # One that was not read at all, and one that was read to its end.
    running[0].close()  # type: ignore[attr-defined]
    assert b"".join(running[1]).startswith("\ufeff".encode())
    running[:2] = [start_export(export, "csv") for _ in range(2)]
    with pytest.raises(TooManyExportsError):
        start_export(export, "csv")
    for pieces in running:
        pieces.close()  # type: ignore[attr-defined]
