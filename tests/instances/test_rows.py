"""Rows, active filters, pager and the values of an instance's page."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.safestring import SafeString

from portal.bycloud import Address, ApiKey, BearerToken, Flavor, Image, Instance, InstancePage, InstanceQuery, Region
from portal.core.filters import LONGEST_IN_TABLE
from portal.fleet.values import KnownValues, NamedRef
from portal.gateway import ApiSession, Cached, CachedInstance, UpstreamCall
from portal.instances import controls
from portal.instances.facts import NetworkAddress, build_details
from portal.instances.filters import build_active_filters
from portal.instances.links import ListView
from portal.instances.live import describe_curl
from portal.instances.rows import MOST_ENTRIES, Row, build_rows, describe_sizes
from portal.instances.services import Listing

SPO1 = Region("spo1", "https://api.spo1.example")
ID = "550e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "440e8400-e29b-41d4-a716-446655440000"
LIST = "/spo1/instances/"
FIRST = ListView()
CALL = UpstreamCall("/v1/instances?name=a%27b", 0.1, "req-1", from_store=False)


def row(instance: Instance, view: ListView = FIRST) -> Row:
    return build_rows((instance,), region=SPO1, view=view)[0]


def listing(count: int, *, total: int | None, first: int | None, more: bool = False) -> Listing:
    return Listing(
        page=Cached(InstancePage(), datetime.now(UTC) - timedelta(seconds=1), CALL),
        instances=tuple(Instance(id=ID) for _ in range(count)),
        total=total,
        next_marker=ID if more else None,
        has_previous=bool(first and first > 1),
        previous_marker=None,
        first_position=first,
    )


def test_a_row_leads_to_its_instance_with_its_name_and_the_way_back() -> None:
    view = ListView(InstanceQuery(name="web-*", tags=("a", "b"), limit=50), density="compact")
    assert row(Instance(id=ID, name="web 1&2"), view).url == (
        f"{LIST}{ID}/?name=web+1%262&back=name%3Dweb-%252A%26tags%3Da,b%26limit%3D50%26density%3Dcompact"
    )


@pytest.mark.parametrize("name", [None, "", "x" * 256, "a\x00b"])
def test_a_name_that_cannot_be_a_hint_is_left_out_of_the_link(name: str | None) -> None:
    assert row(Instance(id=ID, name=name)).url == f"{LIST}{ID}/"


@pytest.mark.parametrize("identifier", [None, "", "7", "../../x"])
def test_an_instance_without_a_proper_id_has_no_link(identifier: str | None) -> None:
    assert row(Instance(id=identifier, name="web")).url == ""
    assert row(Instance(id=identifier)).key == "0"


def test_an_id_in_capitals_stands_in_small_letters_in_addresses() -> None:
    shown = row(Instance(id=ID.upper(), name="web", image=Image(id=ID.upper(), name="debian")))
    assert (shown.id, shown.key) == (ID.upper(), ID)
    assert shown.url == f"{LIST}{ID}/?name=web"
    assert shown.image is not None
    assert shown.image.url == f"{LIST}?image_id={ID}"


def test_an_image_filters_the_same_list_by_its_id() -> None:
    asked = InstanceQuery(status="ACTIVE", limit=20, marker=ID)
    image = row(Instance(image=Image(id=ID, name="Debian")), ListView(asked)).image
    assert image
    assert (image.text, image.url) == ("Debian", f"{LIST}?status=ACTIVE&image_id={ID}")


@pytest.mark.parametrize(("image", "text"), [(Image(name="Debian"), "Debian"), (Image(id="7"), "7")])
def test_an_image_without_a_proper_id_has_no_link(image: Image, text: str) -> None:
    shown = row(Instance(image=image)).image
    assert shown
    assert (shown.text, shown.url) == (text, "")


@pytest.mark.parametrize("image", [None, Image()])
def test_no_image_is_no_image(image: Image | None) -> None:
    assert row(Instance(image=image)).image is None


def test_three_tags_are_shown_and_the_rest_kept_apart() -> None:
    shown = row(Instance(tags=("a", "b", "c", "d,e")), ListView(InstanceQuery(tags=("z",), limit=20)))
    assert [tag.text for tag in shown.tags.first] == ["a", "b", "c"]
    assert shown.tags.first[0].url == f"{LIST}?tags=z,a"
    assert shown.tags.more == (("d,e", ""),)
    assert (shown.tags.more_count, shown.tags.words, shown.tags.hidden) == (1, "1 more tag", "")


def test_addresses_are_those_of_all_networks_without_the_absent_ones() -> None:
    addresses = {"one": (Address(addr="10.0.0.1"), Address()), "none": None, "two": (Address(addr="10.0.0.2"),) * 2}
    shown = row(Instance(addresses=addresses))
    assert [each.text for each in shown.addresses.first] == ["10.0.0.1"]
    assert [each.text for each in shown.addresses.more] == ["10.0.0.2", "10.0.0.2"]


def test_entries_that_are_too_many_to_unfold_are_counted() -> None:
    addresses = tuple(Address(addr=f"10.0.0.{number}") for number in range(MOST_ENTRIES + 3))
    shown = row(Instance(addresses={"net": addresses})).addresses
    assert len(shown.first) + len(shown.more) == MOST_ENTRIES
    assert (shown.more_count, shown.hidden) == (MOST_ENTRIES + 2, "and 3 more")


def test_a_text_with_something_to_mark_is_markup_and_any_other_is_not() -> None:
    shown = row(Instance(id=ID, name="web\u200b<b>", tags=("a&b", "é ê")))
    assert isinstance(shown.name, SafeString)
    assert shown.name.endswith("</span>&lt;b&gt;")
    assert shown.copy_label == "Copy the ID of web[U+200B]<b>"
    assert [type(tag.text) for tag in shown.tags.first] == [str, str]


@pytest.mark.parametrize(
    ("flavor", "sizes"),
    [
        (None, ""),
        (Flavor(), ""),
        (Flavor(vcpus=2, ram=4096, disk=40), "2 vCPU · 4 GiB · 40 GB"),
        (Flavor(vcpus=0, ram=512), "0 vCPU · 512 MiB"),
        (Flavor(disk=0), "0 GB"),
    ],
)
def test_sizes_are_told_as_far_as_they_are_known(flavor: Flavor | None, sizes: str) -> None:
    assert describe_sizes(flavor) == sizes


def test_a_text_that_is_too_long_for_a_table_is_cut() -> None:
    shown = row(Instance(id=ID, name="x" * 10_000, tags=("y" * 10_000,)))
    assert shown.name == "x" * LONGEST_IN_TABLE + "…"
    assert shown.tags.first[0].text == "y" * LONGEST_IN_TABLE + "…"
    assert shown.tags.first[0].url == ""


def test_tokens_name_what_is_known_by_name() -> None:
    query = InstanceQuery(name="a", status="B", tags=("c", "d"), flavor_id=ID, image_id=OTHER_ID, limit=20)
    tokens = build_active_filters(ListView(query), region=SPO1, known=KnownValues(flavors=(NamedRef(ID, "m1"),)))
    assert [(token.label, token.value) for token in tokens] == [
        ("Name", "a"),
        ("Status", "B"),
        ("Tag", "c"),
        ("Tag", "d"),
        ("Flavor", "m1"),
        ("Image", OTHER_ID),
    ]


@pytest.mark.parametrize(
    ("count", "total", "first", "range_text", "count_text"),
    [
        (20, 150, 21, "21–40 of 150", "150"),
        (20, None, 21, "21–40", "at least 40"),
        (20, 150, None, "20 shown of 150", "150"),
        (20, None, None, "20 shown", "at least 20"),
    ],
)
def test_range_and_count_say_no_more_than_is_known(
    count: int, total: int | None, first: int | None, range_text: str, count_text: str
) -> None:
    page = listing(count, total=total, first=first)
    assert (controls.describe_range(page), controls.describe_count(page)) == (range_text, count_text)


def test_more_to_come_counts_as_one_more_at_least() -> None:
    assert controls.describe_count(listing(20, total=None, first=1, more=True)) == "at least 21"


def test_a_swapped_page_is_announced_with_its_range_and_time() -> None:
    page = controls.describe_page(listing(20, total=150, first=1), is_filtered=True)
    assert page.startswith("Instances 1–20 of 150, as of ")


def test_a_swapped_page_without_rows_is_announced_as_what_it_is() -> None:
    assert controls.describe_page(listing(0, total=0, first=1), is_filtered=True) == "No matches"
    assert controls.describe_page(listing(0, total=0, first=1), is_filtered=False) == "No instances yet"


def test_a_network_without_addresses_keeps_its_line() -> None:
    stored = CachedInstance(Instance(addresses={"empty": (), "null": None, "one": (Address(addr="10.0.0.1"),)}), b"{}")
    assert build_details(stored, region=SPO1).addresses.shown == (
        NetworkAddress("empty", None),
        NetworkAddress("null", None),
        NetworkAddress("one", Address(addr="10.0.0.1")),
    )


@pytest.mark.parametrize(
    ("status", "age", "uptime"),
    [
        ("ACTIVE", timedelta(days=3, hours=5), "3 days"),
        ("SHUTOFF", timedelta(days=3), ""),
        ("ACTIVE", timedelta(days=-1), ""),
    ],
)
def test_the_uptime_of_an_instance_that_is_running_counts_from_its_launch(
    status: str, age: timedelta, uptime: str
) -> None:
    instance = Instance(status=status, launched_at=datetime.now(UTC) - age)
    assert build_details(CachedInstance(instance, b"{}"), region=SPO1).uptime == uptime


def test_the_json_is_broken_into_lines_and_nothing_else() -> None:
    stored = CachedInstance(Instance(id=ID), b'{"b":1.50,"a":"\\u00e7","b":12345678901234567890123}')
    assert build_details(stored, region=SPO1).json_text == (
        '{\n  "b": 1.50,\n  "a": "\\u00e7",\n  "b": 12345678901234567890123\n}'
    )


def test_the_curl_command_quotes_what_was_asked_and_holds_no_secret() -> None:
    bearer = describe_curl(ApiSession(SPO1, BearerToken("secret")), CALL)
    key = describe_curl(ApiSession(SPO1, ApiKey("AKIA1", "secret")), CALL)
    assert bearer == (
        "curl --get 'https://api.spo1.example/v1/instances?name=a%27b'"
        ' --header "Authorization: Bearer $BYCLOUD_TOKEN"'
    )
    assert key.endswith('--header "X-Api-Key: $BYCLOUD_API_KEY"')
    assert "secret" not in bearer + key
