"""ByCloud's responses as frozen structs.

Unknown fields are ignored, every field may be missing or null, and every status may have unknown values. A field of the
wrong type is dropped, and a record that is not an instance becomes a `PartialInstance` without data. A body without a
list raises `InvalidResponse` with the JSON path. Source: api/compute/list-instances.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from typing import ClassVar, TypeVar

import msgspec

from portal.bycloud.errors import InvalidResponse
from portal.bycloud.tolerant import BYTE_ORDER_MARK, read_as, read_json, repair

EXCERPT_BYTES = 2000


class Flavor(msgspec.Struct, frozen=True):
    """`ram` appears to be in MiB and `disk` in GB; the docs state no units."""

    id: str | None = None
    name: str | None = None
    vcpus: int | None = None
    ram: int | None = None
    disk: int | None = None


class Image(msgspec.Struct, frozen=True):
    id: str | None = None
    name: str | None = None


class Address(msgspec.Struct, frozen=True):
    addr: str | None = None
    version: int | None = None
    type: str | None = None
    mac_addr: str | None = None


class SecurityGroup(msgspec.Struct, frozen=True):
    name: str | None = None


class VolumeAttachment(msgspec.Struct, frozen=True):
    id: str | None = None
    device: str | None = None
    delete_on_termination: bool | None = None


class _Timestamps(msgspec.Struct, frozen=True):
    """A time without an offset is UTC: the docs use `Z` everywhere."""

    times: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        for name in self.times:
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                msgspec.structs.force_setattr(self, name, moment.replace(tzinfo=UTC))


class Fault(_Timestamps, frozen=True):
    times: ClassVar = ("created",)

    code: int | None = None
    message: str | None = None
    details: str | None = None
    created: datetime | None = None


class Instance(_Timestamps, frozen=True):
    times: ClassVar = ("created_at", "updated_at", "launched_at", "terminated_at")

    id: str | None = None
    crn: str | None = None
    name: str | None = None
    description: str | None = None
    status: str | None = None
    power_state: str | None = None
    task_state: str | None = None
    vm_state: str | None = None
    flavor: Flavor | None = None
    image: Image | None = None
    addresses: Mapping[str, tuple[Address, ...] | None] | None = None
    security_groups: tuple[SecurityGroup, ...] | None = None
    volumes_attached: tuple[VolumeAttachment, ...] | None = None
    key_names: tuple[str, ...] | None = None
    metadata: Mapping[str, str | None] | None = None
    tags: tuple[str, ...] | None = None
    fault: Fault | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    launched_at: datetime | None = None
    terminated_at: datetime | None = None


class PartialInstance(Instance, frozen=True):
    """An instance that could be parsed only in part. `unreadable` has the JSON paths of the fields that failed.

    Those fields are absent. `$` alone is the path of a record that is not an instance. `excerpt` is the beginning of
    its JSON. It is a separate type, so that a response cannot set these fields itself.
    """

    unreadable: tuple[str, ...] = ()
    excerpt: str = ""


class PageMeta(msgspec.Struct, frozen=True):
    """`marker` is taken as the id of the page's last item, as in the example of the docs."""

    total: int | None = None
    limit: int | None = None
    marker: str | None = None
    has_more: bool | None = None


class PageLinks(msgspec.Struct, frozen=True):
    """Absolute URLs. They are never followed: only the marker is taken from them and checked."""

    self: str | None = None
    next: str | None = None
    previous: str | None = None


class InstancePage(msgspec.Struct, frozen=True):
    instances: tuple[Instance, ...] | None = None
    meta: PageMeta | None = None
    links: PageLinks | None = None


class PartialPage(InstancePage, frozen=True):
    """A page that could be parsed only in part. `unreadable` counts how often each JSON path failed."""

    unreadable: Mapping[str, int] = {}


class _RawPage(msgspec.Struct, frozen=True):
    instances: tuple[msgspec.Raw, ...] | None = None
    meta: msgspec.Raw = msgspec.Raw(b"null")
    links: msgspec.Raw = msgspec.Raw(b"null")


class _RawList(msgspec.Struct, frozen=True):
    instances: msgspec.Raw = msgspec.Raw(b"null")


def list_unreadable(instance: Instance) -> frozenset[str]:
    """The fields that could not be parsed, or only in part, and their subfields: `flavor`, `flavor.ram`."""
    if not isinstance(instance, PartialInstance):
        return frozenset()
    if is_unreadable(instance):
        return frozenset(Instance.__struct_fields__)
    names = set()
    for path in instance.unreadable:
        field, _, part = path.removeprefix("$.").partition(".")
        field = field.partition("[")[0]
        names.add(field)
        parts = _PARTS[field].__struct_fields__ if field in _PARTS and not part else (part,)
        names |= {f"{field}.{each}" for each in parts}
    return frozenset(names)


def list_unreadable_paths(instance: Instance) -> tuple[str, ...]:
    """The JSON paths within the instance: `fault.code`, `tags[...]`; `$` for a record that is not an instance."""
    return (
        tuple(path.removeprefix("$.") for path in instance.unreadable) if isinstance(instance, PartialInstance) else ()
    )


def list_addresses(instance: Instance) -> tuple[str, ...]:
    """All IP addresses of all networks, in the order of the response."""
    return tuple(filter(None, map(attrgetter("addr"), _list_all_addresses(instance))))


def list_mac_addresses(instance: Instance) -> tuple[str, ...]:
    """Without duplicates: an interface with two addresses appears twice in the response."""
    return tuple(dict.fromkeys(each.mac_addr for each in _list_all_addresses(instance) if each.mac_addr))


def _list_all_addresses(instance: Instance) -> Iterable[Address]:
    return chain.from_iterable(filter(None, (instance.addresses or {}).values()))


def is_unreadable(instance: Instance) -> bool:
    """Whether the record is not an instance at all."""
    return isinstance(instance, PartialInstance) and "$" in instance.unreadable


def decode_instance_page(body: bytes, *, request_id: str | None = None) -> InstancePage:
    """Decode a list response. Other problems make it a `PartialPage`, but a body without a list raises
    `InvalidResponse` with the JSON path and the request id.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return _PAGE_DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        page = _decode_repaired(_RAW_DECODER, body, request_id)
    instances = None if page.instances is None else tuple(decode_instance(bytes(raw)) for raw in page.instances)
    meta, odd_meta = read_as(PageMeta, _read_raw(page.meta), may_be_null=True)
    links, odd_links = read_as(PageLinks, _read_raw(page.links), may_be_null=True)
    paths = [f"$.meta{path[1:]}" for path in odd_meta] + [f"$.links{path[1:]}" for path in odd_links]
    for instance in instances or ():
        if isinstance(instance, PartialInstance):
            paths += [f"$.instances[...]{path[1:]}" for path in instance.unreadable]
    if not paths:
        return InstancePage(instances, meta, links)
    return PartialPage(instances, meta, links, dict(sorted(Counter(paths).items())))


def decode_instance(body: bytes) -> Instance:
    """Decode one instance object; a `PartialInstance` if some of it could not be parsed."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return _INSTANCE_DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        instance, unreadable = read_as(Instance, _read_raw(repair(body)))
    if instance and not unreadable:
        return instance
    known = msgspec.structs.asdict(instance) if instance else {}
    excerpt = body[:EXCERPT_BYTES].decode(errors="replace")
    return PartialInstance(**known, unreadable=unreadable, excerpt=excerpt)


def split_instances(body: bytes) -> tuple[bytes, ...]:
    """The original JSON of each instance in a list response. Raises `InvalidResponse`."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return tuple(bytes(raw) for raw in _RAW_DECODER.decode(body).instances or ())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        repaired = [bytes(raw) for raw in _decode_repaired(_RAW_DECODER, body, None).instances or ()]
    # `repair` keeps the length, so each instance is at the same offset.
    place = repair(body).find(bytes(_decode_repaired(_RAW_LIST_DECODER, body, None).instances)) + 1
    sources = []
    for text in repaired:
        place = _find_value(body, place)
        sources.append(body[place : place + len(text)])
        place += len(text)
    return tuple(sources)


def trim_instance_page(body: bytes, most: int) -> tuple[bytes, int]:
    """The list response with its first `most` instances, and the number of those dropped. Raises `InvalidResponse`."""
    page = _decode_repaired(_RAW_DECODER, body.removeprefix(BYTE_ORDER_MARK), None)
    left_out = len(page.instances or ()) - most
    if page.instances is None or left_out <= 0:
        return body, 0
    return msgspec.json.encode(msgspec.structs.replace(page, instances=page.instances[:most])), left_out


_PARTS: Mapping[str, type[msgspec.Struct]] = {"flavor": Flavor, "image": Image, "fault": Fault}
_PAGE_DECODER = msgspec.json.Decoder(InstancePage)
_INSTANCE_DECODER = msgspec.json.Decoder(Instance)
_RAW_DECODER = msgspec.json.Decoder(_RawPage)
_RAW_LIST_DECODER = msgspec.json.Decoder(_RawList)


_T = TypeVar("_T")


def _decode_repaired(decoder: "msgspec.json.Decoder[_T]", body: bytes, request_id: str | None) -> _T:
    """Decode the body as it is; if that fails, with its JSON errors repaired by `repair`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        raise InvalidResponse(problem, path=path.rstrip("`") or "$", status=200, request_id=request_id) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Not chained: the traceback may be as deep as the nesting.
        repaired = repair(body)
    if repaired == body:
        raise InvalidResponse("The answer is not JSON", status=200, request_id=request_id)
    return _decode_repaired(decoder, repaired, request_id)


def _read_raw(raw: msgspec.Raw | bytes) -> object:
    """Any JSON. If it cannot be parsed, a value that fits no type."""
    try:
        return read_json(bytes(raw))
    except (ValueError, RecursionError):
        return NotImplemented


def _find_value(body: bytes, place: int) -> int:
    """The offset at which the next entry of a list begins."""
    while body[place : place + 1] in _BETWEEN_VALUES:
        place += 1
    return place


_BETWEEN_VALUES = frozenset({b" ", b"\t", b"\r", b"\n", b","})
