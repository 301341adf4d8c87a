"""The columns: what each shows, and which are visible."""

from datetime import UTC, datetime

import pytest
from django.conf import settings

from portal.accounts.models import Member
from portal.bycloud import Address, Flavor, Image, Instance, SecurityGroup, VolumeAttachment
from portal.instances.columns import (
    COLUMNS,
    DEFAULT_NAMES,
    QUANTITIES,
    Value,
    order_names,
    read_names,
    write_names,
)
from tests.conventions.test_docs import read_table

AT = datetime(2026, 11, 23, tzinfo=UTC)
ID = "550e8400-e29b-41d4-a716-446655440000"
FULL = Instance(
    id=ID,
    name="web-01",
    status="ACTIVE",
    crn="crn:1",
    description="A web server",
    power_state="RUNNING",
    task_state="REBOOTING",
    vm_state="active",
    flavor=Flavor(id="f", name="m1", vcpus=2, ram=4096, disk=0),
    image=Image(id="i", name="Debian"),
    addresses={
        "one": (Address(addr="10.0.0.1", mac_addr="fa:1"), Address(addr="10.0.0.2", mac_addr="fa:1")),
        "two": (Address(mac_addr="fa:2"),),
        "none": None,
    },
    security_groups=(SecurityGroup("default"), SecurityGroup()),
    volumes_attached=(VolumeAttachment(id="v"), VolumeAttachment()),
    key_names=("deploy",),
    metadata={"team": "web", "empty": None},
    tags=("a",),
    created_at=AT,
    updated_at=AT,
    launched_at=AT,
    terminated_at=AT,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "web-01"),
        ("state", "Rebooting"),
        ("addresses", ("10.0.0.1", "10.0.0.2")),
        ("flavor", "m1"),
        ("image", "Debian"),
        ("tags", ("a",)),
        ("age", AT),
        ("id", (ID,)),
        ("description", "A web server"),
        ("crn", ("crn:1",)),
        ("power_state", "RUNNING"),
        ("task_state", "REBOOTING"),
        ("vm_state", "active"),
        ("networks", ("one", "two", "none")),
        ("mac_addresses", ("fa:1", "fa:2")),
        ("security_groups", ("default",)),
        ("keys", ("deploy",)),
        ("volumes", ("v",)),
        ("metadata", ("team=web", "empty=")),
        ("updated", AT),
        ("launched", AT),
        ("terminated", AT),
        ("vcpus", 2),
        ("ram", 4096),
        ("disk", 0),
    ],
)
def test_a_column_reads_its_value(name: str, value: Value) -> None:
    assert COLUMNS[name].read(FULL) == value


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_an_instance_without_anything_is_absent(name: str) -> None:
    assert COLUMNS[name].read(Instance()) in {None, (), "No state"}


def test_an_id_stands_for_a_flavor_and_an_image_without_a_name() -> None:
    unnamed = Instance(flavor=Flavor(id="f"), image=Image(id="i"))
    assert (COLUMNS["flavor"].read(unnamed), COLUMNS["image"].read(unnamed)) == ("f", "i")


def test_quantities_are_the_columns_that_count() -> None:
    assert {name for name, column in COLUMNS.items() if column.kind in QUANTITIES} == {"vcpus", "ram", "disk"}


def test_names_are_put_in_order_with_the_first_column_always_there() -> None:
    assert order_names([]) == ("name",)
    assert order_names(["disk", "state", "no-such"]) == ("name", "state", "disk")


@pytest.mark.parametrize("names", [("name",), DEFAULT_NAMES, tuple(COLUMNS), ("name", "ram")])
def test_a_preference_is_read_as_it_was_written_and_fits_its_column(names: tuple[str, ...]) -> None:
    text = write_names(names)
    assert read_names(text) == names
    assert len(text) <= (Member._meta.get_field("columns").max_length or 0)


def test_each_width_has_its_class() -> None:
    styles = (settings.BASE_DIR / "static/css/components.css").read_text(encoding="utf-8")
    for width in {column.width for column in COLUMNS.values()}:
        assert f".w-{width} {{ width: {width / 2:g}rem; }}" in styles


def test_the_documented_names_are_those_in_the_code() -> None:
    table = read_table("docs/pages.md", first="Columns")
    always, by_default, chosen = (row[1].replace("`", "").split(", ") for row in table)
    assert (*always, *by_default) == DEFAULT_NAMES
    assert [*always, *by_default, *chosen] == list(COLUMNS)
