"""The table: absent values are dashes, long ones are cut, lists can be expanded, and external text is escaped."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import Address, Fault, Flavor, Image, Instance, Region, SecurityGroup, VolumeAttachment
from portal.core.filters import LONGEST_IN_TABLE
from portal.instances.columns import COLUMNS
from portal.instances.controls import DisplayOptions
from portal.instances.links import ListView
from portal.instances.table import build_table

SPO1 = Region("spo1", "https://api.spo1.example")
ID = "550e8400-e29b-41d4-a716-446655440000"
HOSTILE = '"><script>alert(1)</script>&<b onclick=x>'
TAGS = {"tr", "th", "td", "a", "bdi", "span", "code", "button", "details", "summary", "time"}


def render(instance: Instance, names: tuple[str, ...], *, density: str = "comfortable") -> str:
    """The body of a table with one row."""
    table = build_table((instance,), region=SPO1, view=ListView(), options=DisplayOptions(names, density))
    html = render_to_string("instances/_table.html", {"table": table, "region": SPO1})
    return html.partition("<tbody")[2].partition(">")[2]


def cell(instance: Instance, name: str) -> str:
    """The inside of one cell."""
    found = re.search(r"<td[^>]*>(.*)</td>", render(instance, ("name", name)))
    assert found
    return found[1]


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in {"name", "state", "id"}])
def test_an_absent_value_is_a_dash(name: str) -> None:
    assert cell(Instance(id=ID), name) == "–"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("description", "Web"),
        ("power_state", "RUNNING"),
        ("ram", "4 GiB"),
        ("disk", "0 GB"),
        ("vcpus", "0"),
        ("keys", "a 4 more b c d e"),
        ("flavor", "m1 0 vCPU · 4 GiB · 0 GB"),
    ],
)
def test_a_value_is_shown_by_its_kind(name: str, shown: str) -> None:
    instance = Instance(
        description="Web",
        power_state="RUNNING",
        flavor=Flavor(name="m1", vcpus=0, ram=4096, disk=0),
        key_names=("a", "b", "c", "d", "e"),
    )
    assert words(cell(instance, name)).replace("+4 ", "") == shown


def test_a_large_number_is_grouped() -> None:
    assert words(cell(Instance(flavor=Flavor(vcpus=12_345)), "vcpus")) == "12,345"


def test_a_flavor_without_a_name_still_has_its_sizes() -> None:
    assert words(cell(Instance(flavor=Flavor(vcpus=2)), "flavor")) == "2 vCPU"


def test_more_than_a_few_unfold_and_say_how_many() -> None:
    addresses = {"net": tuple(Address(addr=f"10.0.0.{number}") for number in range(1, 5))}
    html = cell(Instance(id=ID, addresses=addresses, tags=tuple("abcd")), "addresses")
    assert html.index("10.0.0.1") < html.index("<details") < html.index("10.0.0.2")
    assert f'<details id="addresses-{ID}">' in html
    assert '<span aria-hidden="true">+3</span><span class="visually-hidden">3 more IP addresses</span>' in html
    assert "1 more tag<" in cell(Instance(id=ID, tags=tuple("abcd")), "tags")
    assert "<details" not in cell(Instance(id=ID, tags=tuple("abc")), "tags")


def test_what_can_be_copied_says_what_it_is_and_is_copied_whole() -> None:
    long = "crn:" + "x" * 300
    assert f'data-copy="{long}" aria-label="Copy {long[:LONGEST_IN_TABLE]}…"' in cell(Instance(crn=long), "crn")
    assert '10.0.0.1</bdi></code><button type="button" class="copy" data-copy="" aria-label="Copy 10.0.0.1">' in cell(
        Instance(addresses={"net": (Address(addr="10.0.0.1"),)}), "addresses"
    )


@pytest.mark.parametrize("name", ["description", "keys", "vm_state"])
def test_a_long_value_is_cut(name: str) -> None:
    long = "y" * 10_000
    shown = words(cell(Instance(description=long, key_names=(long,), vm_state=long), name))
    assert shown == "y" * LONGEST_IN_TABLE + "…"


def test_a_state_has_its_shape_its_word_and_the_faults_first_words() -> None:
    html = cell(Instance(status="ERROR", fault=Fault(message="No valid host")), "state")
    assert html == (
        '<span class="status status-error"><bdi>Error</bdi></span>'
        '<span class="sub fault"><bdi>No valid host</bdi></span>'
    )
    assert words(cell(Instance(status="ACTIVE", power_state="SHUTDOWN"), "state")) == "Active power: shut down"


def test_an_instance_without_an_id_or_a_name_has_a_row_all_the_same() -> None:
    html = render(Instance(), ("name",))
    assert words(html) == "no name –"
    assert "href" not in html


@given(st.sampled_from([HOSTILE, "\u202eabc", "=1+1", "&amp;"]) | st.text(max_size=50))
def test_no_text_from_outside_is_markup(text: str) -> None:
    instance = Instance(
        id=text,
        name=text,
        status=text,
        crn=text,
        description=text,
        power_state=text,
        task_state=text,
        vm_state=text,
        flavor=Flavor(name=text),
        image=Image(id=ID, name=text),
        addresses={text: (Address(addr=text, mac_addr=text),) * 4},
        security_groups=(SecurityGroup(text),),
        volumes_attached=(VolumeAttachment(id=text),),
        key_names=(text,),
        metadata={text: text},
        tags=(text,),
        fault=Fault(message=text),
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    html = render(instance, tuple(COLUMNS)).partition("</tbody>")[0]
    inside = re.sub(r'="[^"]*"', "", html)
    assert {tag.lower() for tag in re.findall(r"</?([^\s>]*)", inside)} <= TAGS
    assert not re.search(r"<[^>]*\son\w+", inside)


def test_no_instances_are_no_table() -> None:
    assert build_table((), region=SPO1, view=ListView(), options=DisplayOptions(("name",), "comfortable")) is None
