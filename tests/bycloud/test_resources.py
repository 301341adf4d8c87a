import sys
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import (
    Address,
    BadPayload,
    Fault,
    Flavor,
    Image,
    Instance,
    InstancePage,
    PageLinks,
    PageMeta,
    SecurityGroup,
    VolumeAttachment,
    decode_instance,
    decode_instance_page,
    split_instances,
)

ID = "550e8400-e29b-41d4-a716-446655440000"
MOMENT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
DOCUMENTED = f"""{{
  "instances": [{{
    "id": "{ID}", "crn": "crn:spo1:compute:instance:{ID}", "name": "web-server-01", "description": "Primary web server",
    "status": "ACTIVE", "power_state": "RUNNING", "task_state": null, "vm_state": "ACTIVE",
    "flavor": {{"id": "{ID}", "name": "m1.medium", "vcpus": 2, "ram": 4096, "disk": 40}},
    "image": {{"id": "{ID}", "name": "Ubuntu 22.04 LTS"}},
    "addresses": {{"private-network": [
      {{"addr": "192.168.1.10", "version": 4, "type": "fixed", "mac_addr": "fa:16:3e:4f:5a:2b"}}]}},
    "security_groups": [{{"name": "default"}}],
    "volumes_attached": [{{"id": "{ID}", "device": "/dev/vdb", "delete_on_termination": false}}],
    "key_names": ["my-keypair", "backup-key"],
    "metadata": {{"environment": "production", "team": "backend"}},
    "tags": ["web", "frontend"],
    "fault": {{"code": 500, "message": "No valid host was found", "details": "string",
      "created": "2024-01-15T10:30:00Z"}},
    "created_at": "2024-01-15T10:30:00Z", "updated_at": "2024-01-15T10:30:00Z",
    "launched_at": "2024-01-15T10:30:00Z", "terminated_at": "2024-01-15T10:30:00Z"
  }}],
  "meta": {{"total": 150, "limit": 20, "marker": "{ID}", "has_more": true}},
  "links": {{"self": "https://api.spo1.mycloud.com/v1/instances?limit=20",
    "next": "https://api.spo1.mycloud.com/v1/instances?limit=20&marker={ID}", "previous": null}}
}}""".encode()

FIELDS = [*Instance.__struct_fields__, *InstancePage.__struct_fields__, *Flavor.__struct_fields__, "addr", "created"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["2024-01-15T10:30:00Z", "2024-01-15T10:30:00", "0001-01-01T00:00:00+23:59"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=6),
    max_leaves=12,
)


def test_the_documented_example_is_read_field_by_field() -> None:
    page = decode_instance_page(DOCUMENTED)
    assert page == InstancePage(
        instances=(
            Instance(
                id=ID,
                crn=f"crn:spo1:compute:instance:{ID}",
                name="web-server-01",
                description="Primary web server",
                status="ACTIVE",
                power_state="RUNNING",
                task_state=None,
                vm_state="ACTIVE",
                flavor=Flavor(id=ID, name="m1.medium", vcpus=2, ram=4096, disk=40),
                image=Image(id=ID, name="Ubuntu 22.04 LTS"),
                addresses={
                    "private-network": (
                        Address(addr="192.168.1.10", version=4, type="fixed", mac_addr="fa:16:3e:4f:5a:2b"),
                    )
                },
                security_groups=(SecurityGroup(name="default"),),
                volumes_attached=(VolumeAttachment(id=ID, device="/dev/vdb", delete_on_termination=False),),
                key_names=("my-keypair", "backup-key"),
                metadata={"environment": "production", "team": "backend"},
                tags=("web", "frontend"),
                fault=Fault(code=500, message="No valid host was found", details="string", created=MOMENT),
                created_at=MOMENT,
                updated_at=MOMENT,
                launched_at=MOMENT,
                terminated_at=MOMENT,
            ),
        ),
        meta=PageMeta(total=150, limit=20, marker=ID, has_more=True),
        links=PageLinks(
            self="https://api.spo1.mycloud.com/v1/instances?limit=20",
            next=f"https://api.spo1.mycloud.com/v1/instances?limit=20&marker={ID}",
            previous=None,
        ),
    )


@pytest.mark.parametrize(
    "body", [b"{}", b'{"instances": null, "meta": null, "links": null}', b'{"new": {"thing": [1, 2.5, null]}}']
)
def test_a_page_may_lack_everything(body: bytes) -> None:
    assert decode_instance_page(body) == InstancePage()
    assert split_instances(body) == ()


@pytest.mark.parametrize("part", ["instances", "meta", "links"])
def test_any_one_part_may_be_missing_or_null(part: str) -> None:
    document = msgspec.json.decode(DOCUMENTED)
    whole = decode_instance_page(DOCUMENTED)
    expected = msgspec.structs.replace(whole, **{part: None})
    assert decode_instance_page(msgspec.json.encode(document | {part: None})) == expected
    del document[part]
    assert decode_instance_page(msgspec.json.encode(document)) == expected


def test_an_empty_list_is_told_from_a_missing_one() -> None:
    assert decode_instance_page(b'{"instances": []}').instances == ()


@pytest.mark.parametrize("field", Instance.__struct_fields__)
def test_every_field_of_an_instance_may_be_null_or_missing(field: str) -> None:
    instance = msgspec.json.decode(DOCUMENTED)["instances"][0]
    expected = msgspec.structs.replace(decode_instance(msgspec.json.encode(instance)), **{field: None})
    assert decode_instance(msgspec.json.encode(instance | {field: None})) == expected
    del instance[field]
    assert decode_instance(msgspec.json.encode(instance)) == expected


def test_an_instance_may_be_all_null_or_only_an_id() -> None:
    nothing = dict.fromkeys(Instance.__struct_fields__)
    assert decode_instance(msgspec.json.encode(nothing)) == Instance()
    assert decode_instance(b'{"id": "i-1"}') == Instance(id="i-1")


def test_the_parts_of_an_instance_may_be_hollow_too() -> None:
    body = b"""{"flavor": {"id": null}, "image": {}, "addresses": {"net": null, "other": [{"addr": null}]},
      "volumes_attached": [{}], "security_groups": [{"name": null}], "metadata": {"key": null}, "tags": [],
      "fault": {}}"""
    assert decode_instance(body) == Instance(
        flavor=Flavor(),
        image=Image(),
        addresses={"net": None, "other": (Address(),)},
        volumes_attached=(VolumeAttachment(),),
        security_groups=(SecurityGroup(),),
        metadata={"key": None},
        fault=Fault(),
        tags=(),
    )


def test_unknown_states_and_fields_pass() -> None:
    instance = decode_instance(b'{"status": "TELEPORTING", "task_state": "", "vm_state": "new", "zone": {"id": 1}}')
    assert (instance.status, instance.task_state, instance.vm_state) == ("TELEPORTING", "", "new")


def test_the_same_id_twice_stays_twice() -> None:
    page = decode_instance_page(b'{"instances": [{"id": "a", "name": "1"}, {"id": "a", "name": "2"}]}')
    assert page.instances == (Instance(id="a", name="1"), Instance(id="a", name="2"))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "'\"&;--",
        "\u202egnp.exe",
        "\x00\x1b[31m",
        "=cmd|' /C calc'!A0",
        "a" * 10_000,
        "\U0001f600",
    ],
)
def test_hostile_text_passes_through_untouched(text: str) -> None:
    body = msgspec.json.encode({"name": text, "tags": [text], "metadata": {text: text}, "addresses": {text: []}})
    assert decode_instance(body) == Instance(name=text, tags=(text,), metadata={text: text}, addresses={text: ()})


def test_odd_metadata_keys_pass() -> None:
    odd = {"": "empty", "__proto__": "x", "a.b[0]": "y", " ": "z", "$ref": "#"}
    assert decode_instance(msgspec.json.encode({"metadata": odd})).metadata == odd


def test_a_time_without_an_offset_is_utc_and_one_with_an_offset_keeps_it() -> None:
    instance = decode_instance(
        b'{"created_at": "2024-01-15T10:30:00", "updated_at": "2024-01-15T12:30:00.5+02:00",'
        b' "fault": {"created": "2024-01-15T10:30:00"}}'
    )
    assert instance.created_at == MOMENT
    assert instance.updated_at == datetime(2024, 1, 15, 12, 30, 0, 500_000, tzinfo=timezone(timedelta(hours=2)))
    assert instance.fault
    assert instance.fault.created == MOMENT


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "$"),
        (b'"page"', "$"),
        (b'{"instances": {}}', "$.instances"),
        (b'{"instances": [null]}', "$.instances[0]"),
        (b'{"instances": [{}, [], {}]}', "$.instances[1]"),
        (b'{"instances": [{"id": 7}]}', "$.instances[0].id"),
        (b'{"instances": [{}, {}, {}, {"flavor": {"ram": "4096"}}]}', "$.instances[3].flavor.ram"),
        (b'{"instances": [{"flavor": {"vcpus": true}}]}', "$.instances[0].flavor.vcpus"),
        (b'{"instances": [{"tags": "web"}]}', "$.instances[0].tags"),
        (b'{"instances": [{"tags": [null]}]}', "$.instances[0].tags[0]"),
        (b'{"instances": [{"metadata": {"a": 1}}]}', "$.instances[0].metadata[...]"),
        (b'{"instances": [{"created_at": "yesterday"}]}', "$.instances[0].created_at"),
        (b'{"instances": [{"created_at": 1700000000}]}', "$.instances[0].created_at"),
        (b'{"instances": [{"addresses": []}]}', "$.instances[0].addresses"),
        (b'{"meta": {"total": "150"}}', "$.meta.total"),
        (b'{"meta": {"total": 1e30}}', "$.meta.total"),
        (b'{"links": {"next": 5}}', "$.links.next"),
    ],
)
def test_a_wrong_type_is_named_with_its_path(body: bytes, path: str) -> None:
    with pytest.raises(BadPayload) as caught:
        decode_instance_page(body, request_id="req-1")
    assert (caught.value.path, caught.value.status, caught.value.request_id) == (path, 200, "req-1")
    assert "`" not in caught.value.path


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b'{"instances": [', b"{} {}", b"\xff\xfe", b'{"instances": [{"name": "\xff"}]}', b"NaN"],
)
def test_what_is_not_json_is_told_so(body: bytes) -> None:
    with pytest.raises(BadPayload, match="not JSON") as caught:
        decode_instance_page(body)
    assert caught.value.path == "$"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"new": ' + b"[" * 100_000, b'{"a":' * 100_000])
def test_nesting_without_end_is_a_bad_payload(body: bytes) -> None:
    with pytest.raises(BadPayload):
        decode_instance_page(body)


def test_an_answer_nested_beyond_reason_is_told_so() -> None:
    deep = sys.getrecursionlimit() * 10
    with pytest.raises(BadPayload, match="deeply"):
        decode_instance_page(b'{"new": ' + b"[" * deep + b"]" * deep + b"}")


def test_the_instances_can_be_had_as_the_text_they_came_in() -> None:
    body = b'{"instances": [ {"id" : "a", "n": 1.50, "x":{"y":[ ]}} ,\n{"id":"\\u0062"}, {}], "meta": {}}'
    assert split_instances(body) == (b'{"id" : "a", "n": 1.50, "x":{"y":[ ]}}', b'{"id":"\\u0062"}', b"{}")


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"instances": {}}', b'{"instances": [{]}'])
def test_what_is_no_page_cannot_be_split(body: bytes) -> None:
    with pytest.raises(BadPayload):
        split_instances(body)


@given(JSON)
def test_any_json_decodes_or_is_a_bad_payload_with_a_path(document: object) -> None:
    body = msgspec.json.encode(document)
    page, error = None, None
    try:
        page = decode_instance_page(body)
    except BadPayload as problem:
        error = problem
    if page is not None:
        # Whatever can be decoded whole can be split, and each piece decodes to the same instance.
        assert tuple(map(decode_instance, split_instances(body))) == (page.instances or ())
    else:
        assert error is not None
        assert error.path.startswith("$")
        assert error.message


@given(st.dictionaries(st.sampled_from(Instance.__struct_fields__), JSON, max_size=4))
def test_any_object_decodes_as_an_instance_or_is_a_bad_payload(fields: dict[str, object]) -> None:
    try:
        instance = decode_instance(msgspec.json.encode(fields))
    except BadPayload:
        return
    moments = [instance.created_at, instance.updated_at, instance.launched_at, instance.terminated_at]
    assert all(moment.tzinfo for moment in moments if moment)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_decode_or_are_a_bad_payload(body: bytes) -> None:
    for decode in (decode_instance_page, decode_instance, split_instances):
        try:
            decode(body)
        except BadPayload:
            continue
