"""Texts of an instance as a table shows them, and the links that filter the list by them.

Texts are ready to be printed: cut, and HTML if something in them is marked.
"""

import re
from typing import NamedTuple

from portal.bycloud import Flavor, Image, Region
from portal.core.filters import LONGEST_IN_TABLE, shorten
from portal.core.invisible import show, show_plain
from portal.instances.links import ListView, can_add_tag, canonical_id, list_url

# Short ASCII words with single spaces between them: what nearly all texts are, and what needs neither cut nor marks.
is_usual = re.compile(rf"(?=.{{1,{LONGEST_IN_TABLE}}}\Z)[!-~]+(?: [!-~]+)*").fullmatch


class Link(NamedTuple):
    """A text with a link, or without one if `url` is empty."""

    text: str
    url: str = ""


def link_image(region: Region, view: ListView, image: Image | None) -> Link | None:
    """The image, with a link to the same list filtered by it."""
    if image is None or not (image.name or image.id):
        return None
    image_id = canonical_id(image.id)
    url = list_url(region, view, image_id=image_id) if image_id else ""
    return Link(finish(image.name or image.id or ""), url)


def link_flavor(region: Region, view: ListView, flavor: Flavor | None) -> Link | None:
    """The flavor, with a link to the same list filtered by it."""
    if flavor is None or not (flavor.name or flavor.id):
        return None
    flavor_id = canonical_id(flavor.id)
    url = list_url(region, view, flavor_id=flavor_id) if flavor_id else ""
    return Link(finish(flavor.name or flavor.id or ""), url)


def link_tag(region: Region, view: ListView, tag: str) -> Link:
    """The tag, with the same list filtered by it too; without if the API's `tags` parameter cannot contain it."""
    return Link(finish(tag), tag_url(region, view, tag))


def tag_url(region: Region, view: ListView, tag: str) -> str:
    if not can_add_tag(view, tag):
        return ""
    tags = view.query.tags
    return list_url(region, view, tags=tags if tag in tags else (*tags, tag))


def finish(text: str) -> str:
    """The text cut to fit in a table, as HTML if something in it is marked."""
    if is_usual(text):
        return text
    text = shorten(text)
    return text if show_plain(text) == text else show(text)
