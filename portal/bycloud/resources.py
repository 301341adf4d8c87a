"""ByCloud's answers as frozen values, decoded once, at the edge.

Unknown fields are ignored, every field may be missing or null, every state is an open set of words. A wrong type is a
`BadPayload` that names the JSON path. Source: api/compute/list-instances.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from portal.bycloud.errors import BadPayload


class Flavor(msgspec.Struct, frozen=True):
    """`ram` is in MiB and `disk` in GB by all appearances; the docs state no units."""

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


class Fault(msgspec.Struct, frozen=True):
    code: int | None = None
    message: str | None = None
    details: str | None = None
    created: datetime | None = None

    def __post_init__(self) -> None:
        _set_utc(self, "created")


class Instance(msgspec.Struct, frozen=True):
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

    def __post_init__(self) -> None:
        _set_utc(self, "created_at", "updated_at", "launched_at", "terminated_at")


class PageMeta(msgspec.Struct, frozen=True):
    """`marker` is read as the id of this page's last item, as in the docs' example."""

    total: int | None = None
    limit: int | None = None
    marker: str | None = None
    has_more: bool | None = None


class PageLinks(msgspec.Struct, frozen=True):
    """Absolute URLs. They are never followed: a marker is taken out of them and checked."""

    self: str | None = None
    next: str | None = None
    previous: str | None = None


class InstancePage(msgspec.Struct, frozen=True):
    instances: tuple[Instance, ...] | None = None
    meta: PageMeta | None = None
    links: PageLinks | None = None


class _RawInstances(msgspec.Struct, frozen=True):
    instances: tuple[msgspec.Raw, ...] | None = None


def _set_utc(value: msgspec.Struct, *names: str) -> None:
    """A time without an offset is UTC: the docs show `Z` everywhere."""
    for name in names:
        moment = getattr(value, name)
        if moment is not None and moment.tzinfo is None:
            msgspec.structs.force_setattr(value, name, moment.replace(tzinfo=UTC))


def decode_instance_page(body: bytes, *, request_id: str | None = None) -> InstancePage:
    """Decode one list answer. Raises `BadPayload`, naming the JSON path and keeping the answer's request id."""
    return _decode(_PAGE_DECODER, body, request_id)


def decode_instance(body: bytes) -> Instance:
    """Decode one instance object. Raises `BadPayload`, naming the JSON path."""
    return _decode(_INSTANCE_DECODER, body)


def split_instances(body: bytes) -> tuple[bytes, ...]:
    """Each instance of a list answer as the untouched JSON text it came in. Raises `BadPayload`."""
    return tuple(bytes(raw) for raw in _decode(_RAW_DECODER, body).instances or ())


_PAGE_DECODER = msgspec.json.Decoder(InstancePage)
_INSTANCE_DECODER = msgspec.json.Decoder(Instance)
_RAW_DECODER = msgspec.json.Decoder(_RawInstances)


_T = TypeVar("_T")


def _decode(decoder: "msgspec.json.Decoder[_T]", body: bytes, request_id: str | None = None) -> _T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        raise BadPayload(problem, path=path.rstrip("`") or "$", status=200, request_id=request_id) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadPayload("The answer is not JSON", status=200, request_id=request_id) from error
    except RecursionError:
        # Not chained: its traceback is as deep as the nesting that caused it.
        raise BadPayload("The answer is nested too deeply", status=200, request_id=request_id) from None
