import json
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.bycloud import (
    Address,
    Fault,
    Flavor,
    Image,
    Instance,
    InstancePage,
    InvalidResponse,
    PageLinks,
    PageMeta,
    PartialInstance,
    PartialPage,
    SecurityGroup,
    VolumeAttachment,
    decode_instance,
    decode_instance_page,
    is_unreadable,
    list_unreadable,
    list_unreadable_paths,
    split_instances,
    trim_instance_page,
)
from portal.bycloud.tolerant import DEEPEST, repair

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
        (b"NaN", "$"),
        (b'{"instances": {}}', "$.instances"),
        (b'{"instances": "none", "meta": {"total": 0}}', "$.instances"),
    ],
)
def test_what_is_no_list_is_named_with_its_path(body: bytes, path: str) -> None:
    with pytest.raises(InvalidResponse) as caught:
        decode_instance_page(body, request_id="req-1")
    assert (caught.value.path, caught.value.status, caught.value.request_id) == (path, 200, "req-1")
    assert "`" not in caught.value.path


@pytest.mark.parametrize(
    ("field", "sent", "path", "read"),
    [
        ("id", 7, "id", None),
        ("name", {"first": "web"}, "name", None),
        ("power_state", 1, "power_state", None),
        ("flavor", [], "flavor", None),
        ("flavor", {"vcpus": True, "ram": 1}, "flavor.vcpus", Flavor(ram=1)),
        ("flavor", {"vcpus": 1.5, "ram": 1}, "flavor.vcpus", Flavor(ram=1)),
        ("flavor", {"vcpus": "two", "disk": 1e30, "ram": 1}, "flavor.disk flavor.vcpus", Flavor(ram=1)),
        ("fault", {"code": "E-500", "message": "no"}, "fault.code", Fault(message="no")),
        ("fault", {"created": "2024-01-15", "message": "no"}, "fault.created", Fault(message="no")),
        ("tags", "web", "tags", None),
        ("tags", [None, "web", 7], "tags[...]", ("web",)),
        ("metadata", [], "metadata", None),
        ("metadata", {"a": [], "b": "c", "d": None, "e": 1.5}, "metadata[...]", {"b": "c", "d": None}),
        ("addresses", [], "addresses", None),
        ("addresses", {"a": 4, "b": [{"addr": "x"}]}, "addresses[...]", {"b": (Address(addr="x"),)}),
        ("addresses", {"b": [4, {"addr": "x"}]}, "addresses[...][...]", {"b": (Address(addr="x"),)}),
        ("addresses", {"b": [{"addr": "x", "version": "six"}]}, "addresses[...][...].version", {"b": (Address("x"),)}),
        ("created_at", "", "created_at", None),
        ("created_at", "2024-01-15", "created_at", None),
        ("created_at", "yesterday", "created_at", None),
        ("created_at", 1700000000, "created_at", None),
        ("created_at", "2024-01-15T10:30:00+25:00", "created_at", None),
    ],
)
def test_a_field_that_cannot_be_read_costs_that_field(field: str, sent: object, path: str, read: object) -> None:
    whole = msgspec.json.decode(DOCUMENTED)["instances"][0]
    odd = msgspec.json.encode(whole | {field: sent})
    instance = decode_instance(odd)
    assert list_unreadable_paths(instance) == tuple(path.split())
    assert field in list_unreadable(instance)
    fields = {name: getattr(instance, name) for name in Instance.__struct_fields__}
    assert msgspec.structs.replace(Instance(), **fields) == msgspec.structs.replace(
        decode_instance(msgspec.json.encode(whole)), **{field: read}
    )
    assert isinstance(instance, PartialInstance)
    assert instance.excerpt == odd.decode()[:2000]


@pytest.mark.parametrize(
    ("field", "sent", "read"),
    [
        ("flavor", {"ram": 4096.0}, Flavor(ram=4096)),
        ("flavor", {"ram": "4096", "disk": "40.0"}, Flavor(ram=4096, disk=40)),
        ("fault", {"code": "500"}, Fault(code=500)),
        ("volumes_attached", [{"delete_on_termination": "true"}], (VolumeAttachment(delete_on_termination=True),)),
        ("metadata", {"cores": 4, "is_new": True}, {"cores": "4", "is_new": "true"}),
        ("name", "half \ud800 a pair", "half \ufffd a pair"),
        ("tags", ["\udfff", "\U0001f600"], ("\ufffd", "\U0001f600")),
        ("metadata", {"\ud83d": "\ude00"}, {"\ufffd": "\ufffd"}),
    ],
)
def test_what_says_the_same_in_another_notation_is_read(field: str, sent: object, read: object) -> None:
    body = json.dumps({"instances": [{"id": ID, field: sent}]}).encode()
    assert decode_instance_page(body).instances == (msgspec.structs.replace(Instance(id=ID), **{field: read}),)
    assert split_instances(body) == (json.dumps({"id": ID, field: sent}).encode(),)


@pytest.mark.parametrize("record", ["null", "7", '"web-01"', "[]", "true", "1e999", "9" * 5000])
def test_a_record_that_is_no_instance_keeps_its_place(record: str) -> None:
    page = decode_instance_page(f'{{"instances": [{{"id": "a"}}, {record}, {{"id": "b"}}]}}'.encode())
    assert page.instances
    first, odd, last = page.instances
    assert (first, last) == (Instance(id="a"), Instance(id="b"))
    assert is_unreadable(odd)
    assert list_unreadable(odd) == set(Instance.__struct_fields__)
    assert (isinstance(odd, PartialInstance) and odd.excerpt) == record[:2000]


@pytest.mark.parametrize(
    ("meta", "read"),
    [
        ({"total": "150", "limit": "20", "has_more": True}, PageMeta(total=150, limit=20, has_more=True)),
        ({"total": [], "marker": 7, "limit": 20.0}, PageMeta(limit=20)),
        ([], None),
        ("none", None),
    ],
)
@pytest.mark.parametrize(("links", "read_links"), [([], None), ({"next": 5, "self": "x"}, PageLinks(self="x"))])
def test_what_is_odd_about_a_page_costs_no_row(
    meta: object, read: PageMeta | None, links: object, read_links: PageLinks | None
) -> None:
    page = decode_instance_page(msgspec.json.encode({"instances": [{"id": ID}], "meta": meta, "links": links}))
    assert (page.instances, page.meta, page.links) == ((Instance(id=ID),), read, read_links)


def test_a_page_says_how_often_what_could_not_be_read_and_no_values() -> None:
    records = [{"id": ID, "tags": [None, 5], "metadata": {"secret-name": []}}, {"tags": 7}, 7]
    page = decode_instance_page(msgspec.json.encode({"instances": records, "links": []}))
    assert isinstance(page, PartialPage)
    assert page.unreadable == {
        "$.instances[...]": 1,
        "$.instances[...].metadata[...]": 1,
        "$.instances[...].tags": 1,
        "$.instances[...].tags[...]": 1,
        "$.links": 1,
    }


def test_no_answer_can_say_of_itself_that_it_is_partial() -> None:
    page = decode_instance_page(b'{"instances": [{"id": "a", "unreadable": ["$"], "excerpt": "x"}], "unreadable": {}}')
    assert page == InstancePage(instances=(Instance(id="a"),))


SLIPS = (
    b'\xef\xbb\xbf{"meta": {"total": 1, "list": [1]}, "instances": [ {"id": "a", "name": "web"} ,\n {"id":"b"}]}',
    b'{"new": NaN, "instances": [{"id": "a", "cpu": -Infinity, "name": "web"}, {"id":"b", "x": "NaN \\" NaN"}]}',
    b'{"instances": [{"id": "a", "junk": "\\ud800", "name": "web"}, {"id":"b"}]}',
    b'{"instances": [{"id": "a", "junk": "\\ud83d\\ud83d\\ude00 \\\\ud800", "name": "web"}, {"id":"b"}]}',
    b'{"instances": [{"id": "a", "name": "web", "junk": "two\nlines\x00"}, {"id":"b"}]}',
    b'{"instances": [{"id": "a", "name": "web", "junk": "\xff\xed\xa0\x80"}, {"id":"b"}]}',
    b'{"instances": [{"id": "a", "name": "web", "junk": 1e999}, {"id":"b"}]}',
)


@pytest.mark.parametrize("body", SLIPS)
def test_a_slip_of_notation_hides_nothing_and_the_text_stays_as_it_was_sent(body: bytes) -> None:
    page = decode_instance_page(body)
    assert page.instances == (Instance(id="a", name="web"), Instance(id="b"))
    sources = split_instances(body)
    assert all(source in body for source in sources)
    assert tuple(map(decode_instance, sources)) == page.instances
    assert [source[:1] + source[-1:] for source in sources] == [b"{}", b"{}"]


@pytest.mark.parametrize("body", SLIPS)
def test_a_page_can_be_trimmed_to_what_was_asked_for(body: bytes) -> None:
    assert trim_instance_page(body, 2) == (body, 0)
    trimmed, left_out = trim_instance_page(body, 1)
    whole = decode_instance_page(body)
    assert decode_instance_page(trimmed) == msgspec.structs.replace(whole, instances=(whole.instances or ())[:1])
    assert left_out == 1


@pytest.mark.parametrize("unit", [b'"', b'\\"', b"\\u", b"\\ud800", b"NaN", b'"NaN', b"-Infinity", b"\\\\"])
def test_mending_takes_time_in_proportion(unit: bytes) -> None:
    def measure(count: int) -> float:
        body = b'"NaN' + unit * count
        began_at = time.thread_time()
        repair(body)
        return time.thread_time() - began_at

    measure(1000)
    assert measure(80_000) < 5 * max(measure(20_000), 0.01) * 4


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b'{"instances": [', b"{} {}", b"\xff\xfe"],
)
def test_what_is_not_json_is_told_so(body: bytes) -> None:
    with pytest.raises(InvalidResponse, match="not JSON") as caught:
        decode_instance_page(body)
    assert caught.value.path == "$"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"new": ' + b"[" * 100_000, b'{"a":' * 100_000])
def test_nesting_without_end_is_a_bad_payload(body: bytes) -> None:
    with pytest.raises(InvalidResponse):
        decode_instance_page(body)


@pytest.mark.parametrize("deep", [DEEPEST - 3, DEEPEST - 2, DEEPEST + 1, sys.getrecursionlimit() * 10])
def test_what_is_nested_beyond_reason_costs_itself(deep: int) -> None:
    nested = b"[" * deep + b'"]"' + b"]" * deep
    records = [
        b'{"id": "a", "tags": ["[[[[", "\\"]"]}',
        b'{"id": "b", "new": %s}' % nested,
        b'{"id": "c", "tags": %s}' % nested,
    ]
    body = b'{"instances": [%s], "new": %s, "meta": {"total": 3}}' % (b", ".join(records), nested)
    page = decode_instance_page(body)
    assert page.meta == PageMeta(total=3)
    assert page.instances is not None
    assert [one.id for one in page.instances] == ["a", "b", "c"]
    assert page.instances[0].tags == ("[[[[", '"]')
    assert [list_unreadable_paths(one) for one in page.instances] == [(), (), ("tags[...]",)]
    assert split_instances(body) == tuple(records)
    assert trim_instance_page(body, 1)[1] == 2
    assert decode_instance(records[2]).id == "c"


def test_the_instances_can_be_had_as_the_text_they_came_in() -> None:
    body = b'{"instances": [ {"id" : "a", "n": 1.50, "x":{"y":[ ]}} ,\n{"id":"\\u0062"}, {}], "meta": {}}'
    assert split_instances(body) == (b'{"id" : "a", "n": 1.50, "x":{"y":[ ]}}', b'{"id":"\\u0062"}', b"{}")


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"instances": {}}', b'{"instances": [{]}'])
def test_what_is_no_page_cannot_be_split(body: bytes) -> None:
    with pytest.raises(InvalidResponse):
        split_instances(body)


@given(JSON)
def test_any_json_decodes_or_is_a_bad_payload_with_a_path(document: object) -> None:
    body = msgspec.json.encode(document)
    page, error = None, None
    try:
        page = decode_instance_page(body)
    except InvalidResponse as problem:
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
    except InvalidResponse:
        return
    moments = [instance.created_at, instance.updated_at, instance.launched_at, instance.terminated_at]
    assert all(moment.tzinfo for moment in moments if moment)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_decode_or_are_a_bad_payload(body: bytes) -> None:
    for decode in (decode_instance_page, decode_instance, split_instances):
        try:
            decode(body)
        except InvalidResponse:
            continue
