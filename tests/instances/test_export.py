"""Exported pages: correct values, no formulas, and safe file names."""

import csv
import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import Address, Flavor, Image, Instance, Region
from portal.instances.columns import COLUMNS, find_columns
from portal.instances.export import name_file, write_csv, write_json

SPO1 = Region("spo1", "https://api.spo1.example")
ID = "550e8400-e29b-41d4-a716-446655440000"
AT = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
WEB = Instance(
    id=ID, name="web", status="ACTIVE", tags=("a", "b"), created_at=AT, flavor=Flavor(vcpus=2, ram=4096, disk=40)
)


def rows(*instances: Instance, names: tuple[str, ...]) -> list[list[str]]:
    text = write_csv(instances, find_columns(names)).decode("utf-8-sig")
    return list(csv.reader(StringIO(text, newline="")))


def test_a_row_has_the_id_and_then_the_columns_that_are_shown() -> None:
    names = ("name", "state", "tags", "age", "terminated", "vcpus", "ram", "disk")
    assert rows(WEB, names=names) == [
        ["id", "name", "status", "tags", "created_at", "terminated_at", "flavor.vcpus", "flavor.ram", "flavor.disk"],
        [ID, "web", "ACTIVE", "a; b", "2026-11-23T14:32:07Z", "", "2", "4096", "40"],
    ]


@pytest.mark.parametrize("language", ["en", "pt-br"])
def test_names_and_values_are_bycloud_s_own_in_every_language(language: str) -> None:
    odd = Instance(id=ID, status="Shutoff", task_state="powering-on", flavor=Flavor(id=ID), image=Image(id=ID))
    with translation.override(language):
        head, row = rows(odd, names=("state", "task_state", "flavor", "image"))
    assert dict(zip(head, row, strict=True)) == {
        "id": ID,
        "status": "Shutoff",
        "task_state": "powering-on",
        # An id is not a name.
        "flavor.name": "",
        "image.name": "",
    }


def test_every_column_of_a_file_has_a_field_of_bycloud_s() -> None:
    """But for the names of networks, which are keys and have no name themselves."""
    parts = {"flavor": Flavor, "image": Image, "addresses": Address}
    for field in rows(names=tuple(COLUMNS))[0]:
        name, _, part = field.partition(".")
        assert name in Instance.__struct_fields__ or field == "networks"
        assert not part or part in parts[name].__struct_fields__


def test_every_column_can_be_exported_also_of_an_instance_that_has_nothing() -> None:
    head, full, empty = rows(WEB, Instance(), names=tuple(COLUMNS))
    assert len(head) == len(full) == len(empty) == len(COLUMNS) == len(set(head))
    assert set(empty) == {""}


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", " =", "＝", "＠", "\u00a0=", "\u3000=", "\u200b＝", "\ufeff="])
def test_what_a_spreadsheet_would_run_is_text(sign: str) -> None:
    formula = f"{sign}1+1|cmd"
    row = rows(Instance(id=formula, name=formula, tags=(formula, "b")), names=("name", "tags"))[1]
    assert row == [f"'{formula}", f"'{formula}", f"'{formula}; b"]


def test_a_number_below_nothing_stays_a_number() -> None:
    assert rows(Instance(flavor=Flavor(ram=-1)), names=("ram",))[1] == ["", "-1"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_text_begins_as_a_formula_and_none_is_lost(text: str) -> None:
    cell = rows(Instance(name=text), names=("name",))[1][1]
    assert cell.replace("'", "") == text.replace("'", "")
    assert not cell.lstrip(" ").startswith(tuple("=+-@\t\r"))


@pytest.mark.parametrize("separator", [";", ",", "\t", "\n", "\r", "\v", "|", "; ", ";\u00a0", ';"', "؛", ";;", "\t;"])
def test_what_follows_another_country_s_separator_is_no_formula_either(separator: str) -> None:
    row = rows(Instance(name=f"x{separator}=2+5", tags=("a", "=1+1", "b;＠x")), names=("name", "tags"))[1]
    assert row[1] == f"x{separator}'=2+5"
    assert row[2] == "a; '=1+1; b;'＠x"


@pytest.mark.parametrize("sign", ["\t", "\n", "\r"])
def test_a_separator_at_the_very_beginning_hides_no_formula(sign: str) -> None:
    assert rows(Instance(name=f"{sign}=1"), names=("name",))[1][1] == f"'{sign}'=1"


def test_json_has_every_field_and_where_it_comes_from() -> None:
    page = json.loads(write_json([WEB], region=SPO1, fetched_at=AT, source="/v1/instances?limit=20"))
    assert (page["region"], page["fetched_at"]) == ("spo1", "2026-11-23T14:32:07Z")
    assert page["source"] == "/v1/instances?limit=20"
    assert page["instances"][0]["created_at"] == "2026-11-23T14:32:07Z"
    assert set(page["instances"][0]) == set(Instance.__struct_fields__)


def test_a_file_is_named_by_region_and_time() -> None:
    assert name_file(SPO1, AT, "csv") == "instances-spo1-20261123T143207Z.csv"
