"""One instance as its own page shows it: every field, flat and ready to print. Knows no requests."""

import shlex
from datetime import datetime
from typing import Any

import msgspec
from django.urls import reverse

from portal.bycloud import Address, ApiKey, Region
from portal.gateway import Access, Dated, Exchange, StoredInstance
from portal.instances.filters import ListView
from portal.instances.rows import Link, describe_sizes, link_flavor, link_image, tag_url
from portal.instances.statuses import State, derive_state


class NetworkAddress(msgspec.Struct, frozen=True):
    """A line of the network table: one address, or a network that has none (`address` None)."""

    network: str
    address: Address | None


class Working(msgspec.Struct, frozen=True):
    """The request behind a page, as it is shown. `ends_search`: it is the last of those that a search has made."""

    exchange: Exchange
    fetched_at: datetime
    elapsed_milliseconds: int
    curl: str
    ends_search: bool


class Details(msgspec.Struct, frozen=True):
    """What the template needs beside the instance itself."""

    state: State
    shows_fault: bool
    flavor: Link | None
    sizes: str
    image: Link | None
    addresses: tuple[NetworkAddress, ...]
    tags: tuple[Link, ...]
    metadata: tuple[tuple[str, str | None], ...]
    json_text: str


def build_details(stored: StoredInstance, *, region: Region) -> Details:
    instance = stored.instance
    path = reverse("instances:list", args=[region])
    whole_list = ListView()
    state = derive_state(instance)
    return Details(
        state=state,
        shows_fault=instance.fault is not None and state.is_fault,
        flavor=link_flavor(path, whole_list, instance),
        sizes=describe_sizes(instance.flavor),
        image=link_image(path, whole_list, instance),
        addresses=tuple(
            NetworkAddress(network, address)
            for network, addresses in (instance.addresses or {}).items()
            for address in addresses or (None,)
        ),
        tags=tuple(Link(tag, tag_url(path, whole_list, tag)) for tag in instance.tags or ()),
        # As pairs: a template that asks a mapping for its items is given the key of that name, if there is one.
        metadata=tuple((instance.metadata or {}).items()),
        # What lies in fields nobody knows was never decoded, and need not be text.
        json_text=msgspec.json.format(stored.source, indent=2).decode(errors="replace"),
    )


def describe_working(access: Access, page: Dated[Any], *, ends_search: bool = False) -> Working:
    exchange = page.exchange
    return Working(
        exchange=exchange,
        fetched_at=page.fetched_at,
        elapsed_milliseconds=round(exchange.elapsed_seconds * 1000),
        curl=describe_curl(access, exchange),
        ends_search=ends_search,
    )


def describe_curl(access: Access, exchange: Exchange) -> str:
    """The request behind a page as a command for the shell. A variable stands where the credential goes."""
    header = (
        '"X-Api-Key: $BYCLOUD_API_KEY"'
        if isinstance(access.credential, ApiKey)
        else '"Authorization: Bearer $BYCLOUD_TOKEN"'
    )
    return f"curl --get {shlex.quote(access.region.base_url + exchange.target)} --header {header}"
