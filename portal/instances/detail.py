"""The values of an instance's page: every field, flat and formatted. Does not depend on requests."""

import shlex
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from django.urls import reverse

from portal.bycloud import Address, ApiKey, Region, list_unreadable, list_unreadable_paths
from portal.gateway import ApiSession, Cached, CachedInstance, Exchange
from portal.instances.list_query import ListView
from portal.instances.rows import Link, describe_sizes, link_flavor, link_image, shorten, tag_url
from portal.instances.status import State, derive_state

# How many entries of a list a page shows, and how much of an instance's JSON.
MOST_ENTRIES = 200
LONGEST_JSON = 64 * 1024


class Entries(msgspec.Struct, frozen=True):
    """The first entries of a list, and the number of the others."""

    shown: tuple[Any, ...]
    hidden: int


class NetworkAddress(msgspec.Struct, frozen=True):
    """A row of the network table: an address, or a network without any (`address` None)."""

    network: str
    address: Address | None


class RequestInfo(msgspec.Struct, frozen=True):
    """The request behind a page, to be shown. `ends_search`: it is the last request of a search."""

    exchange: Exchange
    fetched_at: datetime
    elapsed_milliseconds: int
    curl: str
    ends_search: bool


class Details(msgspec.Struct, frozen=True):
    """What the template needs besides the instance. `unreadable` has the fields that could not be parsed, or only in
    part; `unreadable_paths` has the JSON paths. `hidden_json` is the number of characters cut from `json_text`.
    """

    name: str
    state: State
    shows_fault: bool
    flavor: Link | None
    sizes: str
    image: Link | None
    addresses: Entries
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
    path = reverse("instances:list", args=[region])
    whole_list = ListView()
    state = derive_state(instance)
    tags = _first(instance.tags)
    json_text = _format(stored.source)
    return Details(
        name=shorten(instance.name or ""),
        state=state,
        shows_fault=instance.fault is not None and state.is_fault,
        flavor=link_flavor(path, whole_list, instance),
        sizes=describe_sizes(instance.flavor),
        image=link_image(path, whole_list, instance),
        addresses=_first(
            NetworkAddress(network, address)
            for network, addresses in (instance.addresses or {}).items()
            for address in addresses or (None,)
        ),
        security_groups=_first(instance.security_groups),
        volumes=_first(instance.volumes_attached),
        keys=_first(instance.key_names),
        tags=Entries(tuple(Link(tag, tag_url(path, whole_list, tag)) for tag in tags.shown), tags.hidden),
        # Pairs, because `metadata.items` in a template would look up the key "items".
        metadata=_first((instance.metadata or {}).items()),
        json_text=json_text[:LONGEST_JSON],
        hidden_json=max(0, len(json_text) - LONGEST_JSON),
        unreadable=list_unreadable(instance),
        unreadable_paths=list_unreadable_paths(instance),
    )


def _first(entries: Iterable[Any] | None) -> Entries:
    every = iter(entries or ())
    shown = tuple(islice(every, MOST_ENTRIES))
    return Entries(shown, sum(1 for _ in every))


def _format(source: bytes) -> str:
    """The JSON with line breaks, or the original text if it is invalid or longer than what is shown.

    Long JSON is not indented, because deep nesting would make it far longer. Unknown fields may not be valid UTF-8.
    """
    if len(source) <= LONGEST_JSON:
        with suppress(msgspec.DecodeError, RecursionError):
            source = msgspec.json.format(source, indent=2)
    return source.decode(errors="replace")


def describe_request(access: ApiSession, page: Cached[Any], *, ends_search: bool = False) -> RequestInfo:
    exchange = page.exchange
    return RequestInfo(
        exchange=exchange,
        fetched_at=page.fetched_at,
        elapsed_milliseconds=round(exchange.elapsed_seconds * 1000),
        curl=describe_curl(access, exchange),
        ends_search=ends_search,
    )


def describe_curl(access: ApiSession, exchange: Exchange) -> str:
    """The request behind a page as a curl command, with a shell variable in place of the credential."""
    header = (
        '"X-Api-Key: $BYCLOUD_API_KEY"'
        if isinstance(access.credential, ApiKey)
        else '"Authorization: Bearer $BYCLOUD_TOKEN"'
    )
    return f"curl --get {shlex.quote(access.region.base_url + exchange.target)} --header {header}"
