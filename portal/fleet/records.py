"""An instance as the rows of the index: pure functions of the decoded instance and its untouched JSON."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from django.db import DataError

from portal.bycloud import Instance, list_addresses, list_mac_addresses
from portal.fleet.keys import LONGEST_OTHER, address_key, list_key, natural_key, state_rank
from portal.fleet.models import LONGEST_ID, LONGEST_VALUE, ChangeKind
from portal.fleet.status import derive_state
from portal.fleet.texts import fold, plain, strip_mac, write_text

# Part of each digest: instances are indexed anew when what is made of them changes.
VERSION = b"2"
# The keys of terms, as queries write them. A metadata entry has the key `meta.` and its own.
KEYS = ("status", "power", "task", "flavor", "image", "tag", "network", "ip", "group", "key")
META = "meta."
# Keys of terms that no query has: the ids of flavors and images, each shown as its name.
REF_KEYS = ("flavor_id", "image_id")
# Which field of `IndexedInstance` a column of the list is sorted by. The CRN ends with the id.
SORT_FIELDS = {
    "name": "name_key",
    "state": "state_rank",
    "addresses": "addresses_key",
    "flavor": "flavor_key",
    "image": "image_key",
    "tags": "tags_key",
    "age": "created_at",
    "id": "instance_id",
    "description": "description_key",
    "crn": "instance_id",
    "power_state": "power_state_key",
    "task_state": "task_state_key",
    "vm_state": "vm_state_key",
    "networks": "networks_key",
    "mac_addresses": "mac_addresses_key",
    "security_groups": "security_groups_key",
    "keys": "keys_key",
    "volumes": "volumes_key",
    "metadata": "metadata_key",
    "updated": "updated_at",
    "launched": "launched_at",
    "terminated": "terminated_at",
    "vcpus": "vcpus",
    "ram": "ram",
    "disk": "disk",
}

MOST_TERMS = 200
LONGEST_FACT = 4000
DIGEST_BYTES = 16
# Sums over a million instances must fit into 64 bits, too.
_LARGEST = 10**12
# What the JSON of instances has in common. Bodies that are stored already need it as it is.
_DICTIONARY = (
    b'"terminated_at":null,"launched_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z",'
    b'"created_at":"2026-01-01T00:00:00Z","fault":null,"tags":["production","web"],"metadata":{"team":"",'
    b'"environment":"production"},"key_names":["default"],"volumes_attached":[{"id":"","device":"/dev/vdb",'
    b'"delete_on_termination":false}],"security_groups":[{"name":"default"}],"addresses":{"private-network":'
    b'[{"addr":"10.0.0.1","version":4,"type":"fixed","mac_addr":"fa:16:3e:"}]},"image":{"id":"","name":"Ubuntu '
    b'22.04 LTS"},"flavor":{"id":"","name":"m1.medium","vcpus":2,"ram":4096,"disk":40},"power_state":"RUNNING",'
    b'"task_state":null,"vm_state":"ACTIVE","status":"ACTIVE","description":null,"name":"web-01","crn":'
    b'"crn:spo1:compute:instance:","id":"'
)


class Record(msgspec.Struct, frozen=True):
    """What the index holds of one instance. `columns` are the fields of `IndexedInstance` that depend on it.

    `terms` are pairs of key and value, each with the value as ByCloud writes it.
    """

    columns: Mapping[str, Any]
    text: str
    terms: Mapping[tuple[str, str], str]


def find_id(instance: Instance) -> str | None:
    """The id under which it is indexed, in lower case; None if it has none that could be."""
    given = instance.id
    return given.lower() if given and len(given) <= LONGEST_ID and "\0" not in given else None


def make_digest(source: bytes) -> bytes:
    return blake2b(source, digest_size=DIGEST_BYTES, person=VERSION).digest()


def make_record(instance: Instance, source: bytes) -> Record:
    terms: dict[tuple[str, str], str] = {}
    for key, value, shown in _list_terms(instance):
        if 0 < len(value) <= LONGEST_VALUE and len(key) <= LONGEST_VALUE and len(terms) < MOST_TERMS:
            terms.setdefault((key, value), shown if len(shown) <= LONGEST_VALUE else value)
    return Record(columns=_make_columns(instance), text=write_text(instance, source), terms=terms)


def pack_body(source: bytes) -> bytes:
    """Compress the untouched JSON."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY)
    return packer.compress(source) + packer.flush()


def read_body(body: bytes | memoryview) -> bytes:
    """The untouched JSON. Raises `DataError` if it is damaged: an index that cannot be read is done without."""
    try:
        return zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY).decompress(body)
    except zlib.error as error:
        raise DataError(str(error)) from None


def list_facts(instance: Instance) -> dict[ChangeKind, str]:
    """The values whose changes are recorded, each as one text. Order says nothing, so lists are sorted."""
    flavor = instance.flavor
    facts = {
        ChangeKind.STATE: "\n".join(
            word or "" for word in (instance.status, instance.power_state, instance.task_state)
        ),
        ChangeKind.FLAVOR: (flavor.name or flavor.id or "") if flavor else "",
        ChangeKind.ADDRESSES: "\n".join(sorted(list_addresses(instance))),
        ChangeKind.NAME: instance.name or "",
        ChangeKind.TAGS: "\n".join(sorted(instance.tags or ())),
        ChangeKind.METADATA: "\n".join(sorted(_list_metadata(instance))),
    }
    return {kind: plain(fact[:LONGEST_FACT]) for kind, fact in facts.items()}


def _make_columns(instance: Instance) -> dict[str, Any]:
    flavor, image = instance.flavor, instance.image
    return {
        "state_rank": state_rank(instance, derive_state(instance)),
        "vcpus": _bound(flavor.vcpus) if flavor else None,
        "ram": _bound(flavor.ram) if flavor else None,
        "disk": _bound(flavor.disk) if flavor else None,
        "created_at": _in_utc(instance.created_at),
        "updated_at": _in_utc(instance.updated_at),
        "launched_at": _in_utc(instance.launched_at),
        "terminated_at": _in_utc(instance.terminated_at),
        "name_key": natural_key(instance.name),
        "addresses_key": next(filter(None, map(address_key, list_addresses(instance))), None),
        "flavor_key": natural_key((flavor.name or flavor.id) if flavor else None, LONGEST_OTHER),
        "image_key": natural_key((image.name or image.id) if image else None, LONGEST_OTHER),
        "tags_key": list_key(instance.tags),
        "description_key": natural_key(instance.description, LONGEST_OTHER),
        "power_state_key": natural_key(instance.power_state, LONGEST_OTHER),
        "task_state_key": natural_key(instance.task_state, LONGEST_OTHER),
        "vm_state_key": natural_key(instance.vm_state, LONGEST_OTHER),
        "networks_key": list_key(instance.addresses),
        "mac_addresses_key": list_key(map(strip_mac, list_mac_addresses(instance)[:1])),
        "security_groups_key": list_key(group.name for group in instance.security_groups or ()),
        "keys_key": list_key(instance.key_names),
        "volumes_key": list_key(volume.id for volume in (instance.volumes_attached or ())[:1]),
        "metadata_key": list_key(_list_metadata(instance)),
    }


def _list_terms(instance: Instance) -> Iterator[tuple[str, str, str]]:
    """Key, value as compared, and value as written, of each term. There may be duplicates."""
    flavor, image = instance.flavor, instance.image
    for key, ref in zip(REF_KEYS, (flavor, image), strict=True):
        if ref and ref.id:
            yield key, fold(ref.id), plain(ref.name or "")
    values: dict[str, Iterable[str | None]] = {
        "status": (instance.status,),
        "power": (instance.power_state,),
        "task": (instance.task_state,),
        "flavor": ((flavor.name or flavor.id) if flavor else None,),
        "image": ((image.name or image.id) if image else None,),
        "tag": instance.tags or (),
        "network": instance.addresses or (),
        "group": (group.name for group in instance.security_groups or ()),
        "key": instance.key_names or (),
    }
    for key, several in values.items():
        for value in filter(None, several):
            yield key, fold(value), plain(value)
    for address in list_addresses(instance):
        packed = address_key(address)
        if packed:
            yield "ip", packed.hex(), plain(address)
    for key, entry in (instance.metadata or {}).items():
        if entry:
            yield META + fold(key), fold(entry), plain(entry)


def _list_metadata(instance: Instance) -> list[str]:
    return [f"{key}={value or ''}" for key, value in (instance.metadata or {}).items()]


def _bound(number: int | None) -> int | None:
    """The nearest number that fits into the column."""
    return None if number is None else max(-_LARGEST, min(_LARGEST, number))


def _in_utc(moment: datetime | None) -> datetime | None:
    """None for a time outside of the years 1 to 9999 in UTC."""
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:
        return None
