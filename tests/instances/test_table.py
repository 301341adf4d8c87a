"""Cached tables: identical to a new rendering, never with other rows, zones or ages, and limited in number."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import time_machine
from django.utils import timezone, translation

from portal.bycloud import Instance, InstanceQuery, Region
from portal.core.fragment_cache import LruCache
from portal.instances import table
from portal.instances.columns import DEFAULT_NAMES
from portal.instances.controls import DisplayOptions
from portal.instances.links import ListView
from portal.instances.table import Table, render_table

SPO1 = Region("spo1", "https://api.spo1.example")
FIRST = ListView()
USUAL = DisplayOptions(DEFAULT_NAMES, "comfortable")
ID = "550e8400-e29b-41d4-a716-446655440000"
WEB = Instance(id=ID, name="web <1>", status="ACTIVE", tags=("a",), created_at=datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> LruCache[Table]:
    empty: LruCache[Table] = LruCache(table.MOST_BYTES)
    monkeypatch.setattr(table, "_cache", empty)
    return empty


def render(
    instance: Instance = WEB, *, region: Region = SPO1, view: ListView = FIRST, layout: DisplayOptions = USUAL
) -> Table:
    table = render_table((instance,), region=region, view=view, layout=layout)
    assert table
    return table


def test_the_same_table_is_rendered_once(clock: time_machine.Traveller, kept: LruCache[Table]) -> None:
    first = render()
    assert render(msgspec.structs.replace(WEB)) is first
    assert kept.total_bytes == len(first.source)
    assert "web &lt;1&gt;" in first.html


def test_no_rows_are_no_table() -> None:
    assert render_table((), region=SPO1, view=FIRST, layout=USUAL) is None


@pytest.mark.parametrize(
    "other",
    [
        {"instance": msgspec.structs.replace(WEB, status="ERROR")},
        {"instance": msgspec.structs.replace(WEB, tags=("b",))},
        {"region": Region("sao2", "https://api.sao2.example")},
        {"view": ListView(InstanceQuery(limit=20, status="ACTIVE"))},
        {"layout": DisplayOptions((*DEFAULT_NAMES, "ram"), "comfortable")},
        {"layout": DisplayOptions(DEFAULT_NAMES, "compact")},
    ],
    ids=["a status", "a tag", "a region", "a filter", "a column", "a density"],
)
def test_what_shows_otherwise_is_another_table(clock: time_machine.Traveller, other: dict[str, Region]) -> None:
    first = render()
    assert render(**other).source != first.source  # type: ignore[arg-type]
    assert render().source == first.source


def test_another_time_zone_language_or_age_is_another_table(clock: time_machine.Traveller) -> None:
    clock.move_to(datetime(2026, 11, 23, 12, 10, tzinfo=UTC))
    first = render()
    with timezone.override("America/Sao_Paulo"):
        assert "09:00:00 (UTC−03:00)" in render().html
    with translation.override("de"):
        assert render() is not first
    clock.shift(timedelta(seconds=59))
    assert render() is first
    clock.shift(timedelta(seconds=1))
    assert "11 minutes ago" in render().html


def test_a_table_holds_nothing_of_its_reader() -> None:
    source = render().source.lower()
    assert not [word for word in (b"csrf", b"<form", b"otto") if word in source]
