"""What the index holds of an instance."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import Instance, decode_instance
from portal.fleet.models import LONGEST_VALUE, ChangeKind, IndexedInstance
from portal.fleet.records import (
    KEYS,
    META,
    MOST_TERMS,
    REF_KEYS,
    SORT_FIELDS,
    find_id,
    list_facts,
    make_digest,
    make_record,
    pack_body,
    read_body,
)
from portal.fleet.texts import LONGEST_TEXT, fold, strip_mac
from portal.instances.columns import COLUMNS

WEB: dict[str, Any] = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "crn": "crn:spo1:compute:instance:550e8400-e29b-41d4-a716-446655440000",
    "name": "Web-14",
    "description": "Primary WEB server",
    "status": "SHUTOFF",
    "power_state": "SHUTDOWN",
    "task_state": None,
    "vm_state": "STOPPED",
    "flavor": {"id": "f-1", "name": "m1.medium", "vcpus": 2, "ram": 4096, "disk": 40},
    "image": {"id": "i-1", "name": "Ubuntu 22.04 LTS"},
    "addresses": {"Backend": [{"addr": "10.16.0.147", "version": 4, "mac_addr": "FA:16:3E:4F:5A:2B"}]},
    "security_groups": [{"name": "default"}],
    "volumes_attached": [{"id": "v-1", "device": "/dev/vdb", "delete_on_termination": False}],
    "key_names": ["my-keypair"],
    "metadata": {"Team": "Storefront"},
    "tags": ["Canary", "web"],
    "created_at": "2024-01-15T10:30:00Z",
    "host": {"rack": "R7"},
}


def record_of(**changes: Any) -> Any:
    source = msgspec.json.encode(WEB | changes)
    return make_record(decode_instance(source), source)


@pytest.mark.parametrize(
    "text",
    [
        *("550e8400", "446655440000", "crn:spo1", "WEB-14", "*14"[1:], "primary web", "SHUTOFF", "m1.med", "4096"),
        *("22.04", "10.16.0.147", "fa:16:3e:4f:5a:2b", "fa163e4f5a2b", "backend", "default", "v-1", "/dev/vdb"),
        *("my-keypair", "team=storefront", "canary", "2024-01-15T10:30"),
        # What is shown, in each language, and what no column shows.
        *("Stopped", "4 GiB", "40 GB", "Parada", "R7"),
    ],
)
def test_everything_that_is_stored_or_shown_is_in_the_text(text: str) -> None:
    assert fold(text) in record_of().text


def test_names_of_fields_are_not_in_the_text() -> None:
    for word in ("metadata", "flavor", "delete_on_termination", "false", "null", "none"):
        assert word not in record_of().text


def test_two_values_never_read_as_one() -> None:
    assert "canaryweb" not in record_of().text
    assert "canary\nweb" in record_of().text


@pytest.mark.parametrize("address", ["fa:16:3e:4f:5a:2b", "fa-16-3e-4f-5a-2b", "fa16.3e4f.5a2b", "fa163e4f5a2b"])
def test_a_mac_address_is_the_same_in_any_notation(address: str) -> None:
    assert strip_mac(address) in record_of().text


def test_the_terms() -> None:
    assert record_of().terms == {
        ("flavor_id", "f-1"): "m1.medium",
        ("image_id", "i-1"): "Ubuntu 22.04 LTS",
        ("status", "shutoff"): "SHUTOFF",
        ("power", "shutdown"): "SHUTDOWN",
        ("flavor", "m1.medium"): "m1.medium",
        ("image", "ubuntu 22.04 lts"): "Ubuntu 22.04 LTS",
        ("tag", "canary"): "Canary",
        ("tag", "web"): "web",
        ("network", "backend"): "Backend",
        ("ip", "00000000000000000000ffff0a100093"): "10.16.0.147",
        ("group", "default"): "default",
        ("key", "my-keypair"): "my-keypair",
        ("meta.team", "storefront"): "Storefront",
    }
    assert {key for key, _value in record_of().terms if not key.startswith(META)} <= {*KEYS, *REF_KEYS}


def test_the_terms_of_an_instance_are_limited_in_number_and_length() -> None:
    terms = record_of(tags=[f"tag-{number}" for number in range(10_000)]).terms
    assert len(terms) == MOST_TERMS
    assert ("tag", "x" * 300) not in record_of(tags=["x" * 300]).terms
    assert ("tag", "x" * LONGEST_VALUE) in record_of(tags=["x" * LONGEST_VALUE]).terms


def test_the_columns() -> None:
    columns = record_of().columns
    assert columns["vcpus"] == 2
    assert columns["created_at"] == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert columns["name_key"] == b"web-0214"
    assert columns["terminated_at"] is columns["task_state_key"] is None
    assert record_of(flavor={"ram": 10**40, "disk": -(10**40)}).columns["ram"] == 10**12


def test_every_column_of_the_list_can_be_sorted_by() -> None:
    assert list(SORT_FIELDS) == list(COLUMNS)
    fields = {field.name for field in IndexedInstance._meta.get_fields()}
    assert set(SORT_FIELDS.values()) <= fields
    assert set(record_of().columns) <= fields


def test_a_record_does_not_depend_on_the_language_of_whoever_looks() -> None:
    with translation.override("pt-br"):
        other = record_of()
    assert other == record_of()


def test_a_time_that_no_calendar_in_utc_has_is_absent() -> None:
    assert record_of(created_at="0001-01-01T00:00:00+10:00").columns["created_at"] is None


@given(st.binary(max_size=2000))
def test_a_body_comes_back_untouched(source: bytes) -> None:
    assert read_body(pack_body(source)) == source


def test_the_body_of_an_instance_takes_a_third() -> None:
    source = msgspec.json.encode(WEB)
    assert len(pack_body(source)) < len(source) / 2
    assert make_digest(source) != make_digest(source + b" ")


@pytest.mark.parametrize(
    "source",
    [
        b'{"id":"x","name":"nul \\u0000 and \\ud800"}',
        b'{"id":"x","tags":"web","flavor":[],"addresses":{"net":[{"addr":4},7]}}',
        b'{"id":"x","name":NaN}',
        b'{"id":"x","name":"\xff"}',
        b'{"id":"x","deep":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"id":"x","number":' + b"9" * 5000 + b"}",
        b'{"id":"x","tags":[' + b",".join([b'"t"'] * 100_000) + b"]}",
        b'{"id":"x","description":"' + b"y" * 100_000 + b'"}',
        b'{"id":"x","addresses":{"n":[{"addr":"fe80::1%\\u0000"}]}}',
    ],
)
def test_odd_instances_have_records_that_a_database_can_hold(source: bytes) -> None:
    record = make_record(decode_instance(source), source)
    assert "\0" not in record.text
    assert len(record.text) <= 2 * LONGEST_TEXT
    for (key, value), shown in record.terms.items():
        assert "\0" not in key + value + shown
    record.text.encode()


@pytest.mark.parametrize("given_id", [None, "", "x" * 201, "a\0b"])
def test_an_instance_without_a_usable_id_is_not_indexed(given_id: str | None) -> None:
    assert find_id(Instance(id=given_id)) is None
    assert find_id(Instance(id="ABC")) == "abc"


def test_the_facts_whose_changes_are_recorded() -> None:
    instance = decode_instance(msgspec.json.encode(WEB))
    assert list_facts(instance) == {
        ChangeKind.STATE: "SHUTOFF\nSHUTDOWN\n",
        ChangeKind.FLAVOR: "m1.medium",
        ChangeKind.ADDRESSES: "10.16.0.147",
        ChangeKind.NAME: "Web-14",
        ChangeKind.TAGS: "Canary\nweb",
        ChangeKind.METADATA: "Team=Storefront",
    }
    assert set(list_facts(Instance()).values()) == {"", "\n\n"}
