"""Rows of the list: an instance as the table shows it, with its links made. Knows no requests and no gateway."""

from datetime import datetime
from itertools import chain
from urllib.parse import urlencode

import msgspec
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.bycloud import Flavor, Instance, InstanceQuery, Region
from portal.instances.filters import can_add_tag, can_be_hint, canonical_id, to_query_string, with_image, with_tag
from portal.instances.statuses import State, derive_state
from portal.web.templatetags.portal import gigabytes, mebibytes

FIRST_ADDRESSES = 2
FIRST_TAGS = 3
LONGEST_TEXT = 120


class Link(msgspec.Struct, frozen=True):
    """A text that leads somewhere, or nowhere when `url` is empty."""

    text: str
    url: str = ""


class Row(msgspec.Struct, frozen=True):
    """One instance in the table. Empty texts and tuples stand for what is absent.

    `key` tells rows apart in the page's own ids; `label` names the row where a control would otherwise be nameless.
    """

    id: str
    key: str
    name: str
    label: str
    url: str
    state: State
    addresses: tuple[str, ...]
    more_addresses: tuple[str, ...]
    flavor: str
    sizes: str
    image: Link | None
    tags: tuple[Link, ...]
    more_tags: tuple[Link, ...]
    created_at: datetime | None


def build_rows(instances: tuple[Instance, ...], *, region: Region, query: InstanceQuery) -> tuple[Row, ...]:
    """The rows of one page. `query` is the list they stand in: links add to it, and lead back to it."""
    path = reverse("instances:list", args=[region])
    back = to_query_string(query)
    filter_urls: dict[str, str] = {}

    def link_tag(tag: str) -> Link:
        if tag not in filter_urls:
            filter_urls[tag] = tag_url(path, query, tag)
        return Link(shorten(tag), filter_urls[tag])

    rows = []
    for number, instance in enumerate(instances):
        addresses = list_addresses(instance)
        tags = tuple(map(link_tag, instance.tags or ()))
        rows.append(
            Row(
                id=instance.id or "",
                key=canonical_id(instance.id) or str(number),
                name=shorten(instance.name or ""),
                label=_("the id of %(name)s") % {"name": shorten(instance.name or "") or instance.id},
                url=_instance_url(path, instance, back),
                state=derive_state(instance),
                addresses=tuple(map(shorten, addresses[:FIRST_ADDRESSES])),
                more_addresses=tuple(map(shorten, addresses[FIRST_ADDRESSES:])),
                flavor=shorten(instance.flavor.name or instance.flavor.id or "") if instance.flavor else "",
                sizes=describe_sizes(instance.flavor),
                image=link_image(path, query, instance),
                tags=tags[:FIRST_TAGS],
                more_tags=tags[FIRST_TAGS:],
                created_at=instance.created_at,
            )
        )
    return tuple(rows)


def list_addresses(instance: Instance) -> tuple[str, ...]:
    """Every IP address over all networks, in the order given."""
    networks = (instance.addresses or {}).values()
    return tuple(address.addr for address in chain.from_iterable(filter(None, networks)) if address.addr)


def describe_sizes(flavor: Flavor | None) -> str:
    """`2 vCPU · 4 GiB · 40 GB`, of what is known of it."""
    if flavor is None:
        return ""
    sizes = [
        f"{flavor.vcpus} vCPU" if flavor.vcpus is not None else "",
        mebibytes(flavor.ram) if flavor.ram is not None else "",
        gigabytes(flavor.disk) if flavor.disk is not None else "",
    ]
    return " · ".join(filter(None, sizes))


def link_image(path: str, query: InstanceQuery, instance: Instance) -> Link | None:
    """The image, linked to the same list filtered by it; `path` is the list's."""
    image = instance.image
    if image is None or not (image.name or image.id):
        return None
    image_id = canonical_id(image.id)
    url = f"{path}?{to_query_string(with_image(query, image_id))}" if image_id else ""
    return Link(shorten(image.name or image.id or ""), url)


def shorten(text: str) -> str:
    """A text that a table can hold. The instance's own page has the whole of it."""
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + "…"


def tag_url(path: str, query: InstanceQuery, tag: str) -> str:
    """The same list filtered by this tag too; empty where the API's `tags` parameter cannot hold the tag."""
    return f"{path}?{to_query_string(with_tag(query, tag))}" if can_add_tag(query, tag) else ""


def _instance_url(path: str, instance: Instance, back: str) -> str:
    """The instance's page, or nothing for one without a proper id."""
    instance_id = canonical_id(instance.id)
    if not instance_id:
        return ""
    name = instance.name or ""
    hints = [("name", name if can_be_hint(name) else ""), ("back", back)]
    query_string = urlencode([pair for pair in hints if pair[1]], safe="*,")
    return f"{path}{instance_id}/?{query_string}".removesuffix("?")
