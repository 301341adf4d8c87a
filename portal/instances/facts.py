"""Every field of an instance, flat and formatted, as its page shows them."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from django.utils import timezone

from portal.bycloud import Address, Instance, Region, list_addresses, list_unreadable, list_unreadable_paths
from portal.core.filters import shorten
from portal.core.formatting import span_text
from portal.fleet.status import State, derive_state, is_running
from portal.gateway import CachedInstance
from portal.instances.filter_links import Link, link_flavor, link_image, tag_url
from portal.instances.links import ListView
from portal.instances.rows import describe_sizes

# How many entries of a list a page shows, and how much of an instance's JSON.
MOST_ENTRIES = 200
# How many of them the summary shows.
FEW_ENTRIES = 4
LONGEST_JSON = 64 * 1024


class Entries(msgspec.Struct, frozen=True):
    """The first entries of a list, and the number of the others."""

    shown: tuple[Any, ...]
    hidden: int


class NetworkAddress(msgspec.Struct, frozen=True):
    """A row of the network table: an address, or a network without any (`address` None)."""

    network: str
    address: Address | None


class Details(msgspec.Struct, frozen=True):
    """What the template needs besides the instance.

    `first_addresses` are those that the summary shows. `up_since` is when it was launched, if it is running, and
    `uptime` how long ago that was: `3 days`. `unreadable` has the fields that could not be parsed, or only in part;
    `unreadable_paths` has the JSON paths. `hidden_json` is the number of characters cut from `json_text`.
    """

    name: str
    state: State
    shows_fault: bool
    flavor: Link | None
    sizes: str
    image: Link | None
    addresses: Entries
    first_addresses: Entries
    up_since: datetime | None
    uptime: str
    security_groups: Entries
    volumes: Entries
    keys: Entries
    tags: Entries
    metadata: Entries
    json_text: str
    hidden_json: int
    unreadable: frozenset[str]
    unreadable_paths: tuple[str, ...]


def build_details(stored: CachedInstance, *, region: Region) -> Details:
    instance = stored.instance
    whole_list = ListView()
    state = derive_state(instance)
    tags = _first(instance.tags)
    json_text = _format(stored.source)
    up_since = _find_start(instance)
    return Details(
        name=shorten(instance.name or ""),
        state=state,
        shows_fault=instance.fault is not None and state.is_fault,
        flavor=link_flavor(region, whole_list, instance.flavor),
        sizes=describe_sizes(instance.flavor),
        image=link_image(region, whole_list, instance.image),
        addresses=_first(
            NetworkAddress(network, address)
            for network, addresses in (instance.addresses or {}).items()
            for address in addresses or (None,)
        ),
        first_addresses=_first(list_addresses(instance), FEW_ENTRIES),
        up_since=up_since,
        uptime=span_text((timezone.now() - up_since).total_seconds()) if up_since else "",
        security_groups=_first(instance.security_groups),
        volumes=_first(instance.volumes_attached),
        keys=_first(instance.key_names),
        tags=Entries(tuple((tag, tag_url(region, whole_list, tag)) for tag in tags.shown), tags.hidden),
        # Pairs, because `metadata.items` in a template would look up the key "items".
        metadata=_first((instance.metadata or {}).items()),
        json_text=json_text[:LONGEST_JSON],
        hidden_json=max(0, len(json_text) - LONGEST_JSON),
        unreadable=list_unreadable(instance),
        unreadable_paths=list_unreadable_paths(instance),
    )


def _find_start(instance: Instance) -> datetime | None:
    """When an instance was launched, if it is running."""
    launched_at = instance.launched_at
    return launched_at if launched_at and launched_at <= timezone.now() and is_running(instance) else None


def _first(entries: Iterable[Any] | None, most: int = MOST_ENTRIES) -> Entries:
    every = iter(entries or ())
    shown = tuple(islice(every, most))
    return Entries(shown, sum(1 for _ in every))


def _format(source: bytes) -> str:
    """The JSON with line breaks, or the original text if it is invalid or longer than what is shown.

    Long JSON is not indented, because deep nesting would make it far longer. Unknown fields may not be valid UTF-8.
    """
    if len(source) <= LONGEST_JSON:
        with suppress(msgspec.DecodeError, RecursionError):
            source = msgspec.json.format(source, indent=2)
    return source.decode(errors="replace")
