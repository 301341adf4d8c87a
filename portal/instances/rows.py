"""Rows of the list: an instance as the table shows it, with its links. Does not depend on requests or the gateway."""

from functools import cache, partial

import msgspec
from django.utils.translation import gettext as _

from portal.bycloud import Flavor, Image, Instance, PartialInstance, Region, is_unreadable, list_unreadable
from portal.core.filters import gigabytes, mebibytes, shorten
from portal.core.http import LONGEST_ADDRESS, encode_query
from portal.core.invisible import show_plain
from portal.instances.columns import list_addresses
from portal.instances.links import ListView, bare_list_url, can_add_tag, can_be_hint, canonical_id, list_url, raw_url
from portal.instances.status import State, derive_state

FIRST_ADDRESSES = 2
FIRST_TAGS = 3
# How many entries of a list an expanded cell shows.
MOST_ENTRIES = 30


class Link(msgspec.Struct, frozen=True):
    """A text with a link, or without one if `url` is empty."""

    text: str
    url: str = ""


class Row(msgspec.Struct, frozen=True):
    """An instance in the table. Absent values are empty texts and tuples.

    `key` is the row's unique id in the HTML; `label` names the row for controls that need an accessible name.
    `hidden_addresses` and `hidden_tags` count the entries beyond `MOST_ENTRIES`. `unreadable` has the fields that could
    not be parsed; `raw_url` leads to the raw JSON, and `excerpt` is its beginning if the row has no page.
    """

    id: str
    key: str
    name: str
    label: str
    url: str
    state: State
    addresses: tuple[str, ...]
    more_addresses: tuple[str, ...]
    hidden_addresses: int
    flavor: Link | None
    sizes: str
    image: Link | None
    tags: tuple[Link, ...]
    more_tags: tuple[Link, ...]
    hidden_tags: int
    instance: Instance
    unreadable: frozenset[str] = frozenset()
    is_unreadable: bool = False
    raw_url: str = ""
    excerpt: str = ""


def build_rows(instances: tuple[Instance, ...], *, region: Region, view: ListView) -> tuple[Row, ...]:
    """The rows of one page. `view` is their list: links add filters to it, and lead back to it."""
    path = bare_list_url(region)
    query_string = view.to_query_string()
    back = encode_query([("back", query_string)]) if query_string else ""
    # Many rows have the same ones.
    tag_link, flavor_link = cache(partial(link_tag, region, view)), cache(partial(link_flavor, region, view))
    image_link = cache(partial(link_image, region, view))
    sizes, label = cache(describe_sizes), _("the id of %(name)s")
    rows = []
    keys: set[str] = set()
    for number, instance in enumerate(instances):
        addresses = list_addresses(instance)
        given_tags = instance.tags or ()
        tags = tuple(map(tag_link, given_tags[:MOST_ENTRIES]))
        unreadable = list_unreadable(instance)
        instance_id = canonical_id(instance.id)
        key = instance_id or str(number)
        url = _instance_url(f"{path}{instance_id}/", instance.name or "", back) if instance_id else ""
        if key in keys:
            # The id occurs more than once on the page.
            key = f"{key}-{number}"
        keys.add(key)
        rows.append(
            Row(
                id=shorten(instance.id or ""),
                key=key,
                name=shorten(instance.name or ""),
                label=label % {"name": show_plain(shorten(instance.name or instance.id or ""))},
                url=url,
                state=derive_state(instance),
                addresses=tuple(map(shorten, addresses[:FIRST_ADDRESSES])),
                more_addresses=tuple(map(shorten, addresses[FIRST_ADDRESSES:MOST_ENTRIES])),
                hidden_addresses=max(0, len(addresses) - MOST_ENTRIES),
                flavor=flavor_link(instance.flavor),
                sizes=sizes(instance.flavor),
                image=image_link(instance.image),
                tags=tags[:FIRST_TAGS],
                more_tags=tags[FIRST_TAGS:],
                hidden_tags=max(0, len(given_tags) - MOST_ENTRIES),
                instance=instance,
                unreadable=unreadable,
                is_unreadable=is_unreadable(instance),
                raw_url=_link_raw(region, instance) if unreadable and url else "",
                excerpt=instance.excerpt if isinstance(instance, PartialInstance) and not url else "",
            )
        )
    return tuple(rows)


def describe_sizes(flavor: Flavor | None) -> str:
    """`2 vCPU · 4 GiB · 40 GB`, as far as it is known."""
    if flavor is None:
        return ""
    sizes = [
        f"{flavor.vcpus} vCPU" if flavor.vcpus is not None else "",
        mebibytes(flavor.ram) if flavor.ram is not None else "",
        gigabytes(flavor.disk) if flavor.disk is not None else "",
    ]
    return " · ".join(filter(None, sizes))


def link_image(region: Region, view: ListView, image: Image | None) -> Link | None:
    """The image, with a link to the same list filtered by it."""
    if image is None or not (image.name or image.id):
        return None
    image_id = canonical_id(image.id)
    url = list_url(region, view, image_id=image_id) if image_id else ""
    return Link(shorten(image.name or image.id or ""), url)


def link_flavor(region: Region, view: ListView, flavor: Flavor | None) -> Link | None:
    """The flavor, likewise."""
    if flavor is None or not (flavor.name or flavor.id):
        return None
    flavor_id = canonical_id(flavor.id)
    url = list_url(region, view, flavor_id=flavor_id) if flavor_id else ""
    return Link(shorten(flavor.name or flavor.id or ""), url)


def link_tag(region: Region, view: ListView, tag: str) -> Link:
    """The tag, with the same list filtered by it too; without if the API's `tags` parameter cannot contain it."""
    return Link(shorten(tag), tag_url(region, view, tag))


def tag_url(region: Region, view: ListView, tag: str) -> str:
    if not can_add_tag(view, tag):
        return ""
    tags = view.query.tags
    return list_url(region, view, tags=tags if tag in tags else (*tags, tag))


def _instance_url(path: str, name: str, back: str) -> str:
    """The instance's page at `path`, with the encoded way back."""
    hint = encode_query([("name", name)]) if can_be_hint(name) else ""
    url = f"{path}?{hint}{'&' if hint and back else ''}{back}".removesuffix("?")
    # The way back is required; the name is only a hint.
    return url if len(url) <= LONGEST_ADDRESS else f"{path}?{back}"


def _link_raw(region: Region, instance: Instance) -> str:
    """The URL of its raw JSON; empty if it has no page."""
    name = instance.name or ""
    return raw_url(region, canonical_id(instance.id), name=name if can_be_hint(name) else None)
