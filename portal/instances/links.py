"""The addresses of the instance pages: what they hold, and the one canonical way to write it. docs/pages.md lists them.

Depends on neither requests nor the cache. forms.py parses what these functions write.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from django.urls import reverse

from portal.bycloud import DEFAULT_LIMIT, InstanceQuery, Region
from portal.core.http import LONGEST_ADDRESS, add_way_back, encode_query
from portal.instances.columns import read_names

LONGEST_NAME = 255
LONGEST_STATUS = 64
LONGEST_TAGS = 1000
MOST_TAGS = 50
# The list without filters. Without any parameter, the member's default view would open instead.
WHOLE_LIST = f"limit={DEFAULT_LIMIT}"

# The parameters that are not for ByCloud, in the order of the address; `q` comes before all others.
LOOK = ("q", "sort", "page", "columns", "density")
FIRST_PAGE = {"marker": "", "page": ""}

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class ListView(msgspec.Struct, frozen=True, dict=True):
    """The state in a list's address: the query for ByCloud, and how the result is shown.

    `columns` are names in the order of the table. Without columns or density, the member's preferences apply.
    With `q` (the canonical text of a query), `sort` (the name of a column, with `-` before it for the reverse order)
    or `page` (1 and up), the list is answered by the index, which applies the filters for ByCloud, too. It has no
    marker then.
    """

    query: InstanceQuery = InstanceQuery(limit=DEFAULT_LIMIT)
    columns: tuple[str, ...] = ()
    density: str = ""
    q: str = ""
    sort: str = ""
    page: int = 0

    @property
    def is_indexed(self) -> bool:
        return bool(self.q or self.sort or self.page)

    @property
    def has_filters(self) -> bool:
        return bool(self.q or self.query.has_filters)

    def write_page(self, number: int) -> int:
        """`page` for that page of a list from the index: the first page of a search or an order has none."""
        return 0 if number == 1 and (self.q or self.sort) else number

    @cached_property
    def pairs(self) -> dict[str, str]:
        """Every parameter as the address has it, in the documented order; empty if it is not set or the default."""
        look = {name: getattr(self, name) for name in LOOK}
        pairs = {"q": look.pop("q"), **msgspec.structs.asdict(self.query), **look}
        for name, value in pairs.items():
            pairs[name] = _write(name, value) if value else ""
        return pairs

    def to_query_string(self, **changes: Any) -> str:
        """The canonical query string of this list, or of the one that the changes make of it.

        Parameters are in the documented order, without defaults, and `,` between values is not encoded. A change of
        anything but the marker or the page leads to the first page: a marker is valid for one list only.
        """
        pairs = self.pairs
        if changes:
            pairs = pairs | FIRST_PAGE
            for name, value in changes.items():
                pairs[name] = _write(name, value) if value else ""
        return "&".join(filter(None, pairs.values()))

    def change(self, **changes: Any) -> "ListView":
        """Return this list with some parameters changed. Any change but the marker or the page leads to the first."""
        look = {name: changes.pop(name) for name in LOOK if name in changes}
        query = msgspec.structs.replace(self.query, **{"marker": None} | changes)
        return msgspec.structs.replace(self, query=query, **{"page": 0} | look)


class DetailQuery(msgspec.Struct, frozen=True):
    """The parameters of an instance's address: hints to find it, and the list to go back to.

    `name` is its name when the link was made: one request finds it if it is not in the index. `back` is a list's
    canonical query string. `marker` is where a search of the list continues, which is made only without an index.
    """

    name: str | None = None
    back: str = ""
    marker: str | None = None

    def to_query_string(self) -> str:
        """The canonical query string: fields in order, without defaults."""
        return encode_query((name, value) for name, value in msgspec.structs.asdict(self).items() if value)


def list_url(region: Region, view: ListView, **changes: Any) -> str:
    """The address of a list, or of the one that the changes make of it."""
    return f"{_list_path(region)}?{view.to_query_string(**changes) or WHOLE_LIST}"


def bare_list_url(region: Region) -> str:
    """The address without any parameter, which opens the member's default view."""
    return _list_path(region)


def write_all_matching(view: ListView) -> str:
    """The query string of all that match, in the order of the list, without its page and how it looks."""
    return view.to_query_string(limit=0, columns=(), density="")


def export_url(region: Region, view: ListView) -> str:
    """Where all instances of a list can be downloaded."""
    return f"{_list_path(region)}export-all/?{write_all_matching(view)}".removesuffix("?")


def filter_url(region: Region, view: ListView, *, part: int | None = None) -> str:
    """The form that changes a condition of a list, by its number, or that adds one."""
    pairs = [("query", view.to_query_string(marker=None)), *([("part", str(part))] if part is not None else [])]
    return f"{reverse('instances:filter', args=[region])}?{encode_query(pairs)}"


def compare_url(region: Region, ids: Sequence[str], *, only_differences: bool, back: ListView) -> str:
    """Where instances are shown side by side. The way back is left out where the address would be too long."""
    pairs = [("id", ",".join(ids)), ("differences", "1" if only_differences else ""), ("back", back.to_query_string())]
    path, query_string = f"{_list_path(region)}compare/", encode_query(pair for pair in pairs if pair[1])
    if len(path) + len(query_string) >= LONGEST_ADDRESS:
        query_string = encode_query(pair for pair in pairs[:2] if pair[1])
    return f"{path}?{query_string}"


def saved_view_url(region: Region, query_string: str) -> str:
    """The address of a saved view. Columns that no longer exist are left out, as in preferences."""
    pairs = [
        (name, ",".join(read_names(text)) if name == "columns" else text) for name, text in parse_qsl(query_string)
    ]
    return f"{_list_path(region)}?{encode_query(pairs)}"


def instance_url(region: Region, instance_id: str, hints: DetailQuery) -> str:
    """The address of an instance's page. Only the id is required; the hints make it faster to find, and link back."""
    return f"{_list_path(region)}{instance_id}/?{hints.to_query_string()}".removesuffix("?")


def named_instance_url(region: Region, instance_id: str, name: str, *, back: ListView | None = None) -> str:
    """The address of an instance's page with its name as a hint and the list to go back to; empty if the id cannot be
    one of a page.
    """
    page_id = canonical_id(instance_id)
    hints = DetailQuery(name=name if can_be_hint(name) else None, back=back.to_query_string() if back else "")
    url = instance_url(region, page_id, hints) if page_id else ""
    # The way back is required; the name is only a hint.
    return url if len(url) <= LONGEST_ADDRESS else instance_url(region, page_id, DetailQuery(back=hints.back))


def history_url(region: Region, instance_id: str) -> str:
    """The address of all changes of an instance that were recorded."""
    return f"{reverse('changes:list', args=[region])}?{encode_query([('instance', instance_id)])}"


def raw_url(region: Region, instance_id: str, *, name: str | None, download: bool = False) -> str:
    """The address of an instance's raw JSON; with `download`, as a file."""
    pairs = [("name", name or ""), ("download", "1" if download else "")]
    query_string = encode_query([pair for pair in pairs if pair[1]])
    return f"{_list_path(region)}{instance_id}.json?{query_string}".removesuffix("?")


def credential_url(region: Region, *, next_url: str) -> str:
    """Where the member adds or replaces their credential, and then returns to `next_url`."""
    return add_way_back(reverse("credentials:edit", args=[region]), next_url)


def can_add_tag(view: ListView, tag: str) -> bool:
    """Whether the list can be filtered by this tag too. Commas separate tags, so a tag that has one cannot be sent."""
    tags = view.query.tags
    if tag in tags:
        return True
    is_whole = bool(tag) and "," not in tag and tag == tag.strip() and not find_forbidden_character(tag)
    return is_whole and len(tags) < MOST_TAGS and len(",".join((*tags, tag))) <= LONGEST_TAGS


def can_be_hint(name: str) -> bool:
    """Whether a name may be used as a hint in an instance's address."""
    return bool(name) and len(name) <= LONGEST_NAME and not find_forbidden_character(name)


def is_uuid(text: str | None) -> bool:
    """Whether it is a UUID in lower case, as in addresses. Only such ids have a page or can be filters."""
    return bool(text and _UUID.match(text))


def canonical_id(text: str | None) -> str:
    """An id from upstream in lower case, as in addresses; empty if it is not a UUID."""
    lower = (text or "").lower()
    return lower if _UUID.match(lower) else ""


def find_forbidden_character(text: str) -> str | None:
    """A character that no parameter may have: a control character, or one that stands for bytes that are no text."""
    if text.isascii() and text.isprintable():
        return None
    return next((sign for sign in text if sign == _UNREADABLE or unicodedata.category(sign) in {"Cc", "Cs"}), None)


def _write(name: str, value: Any) -> str:
    """A parameter as the address has it; empty if it is the default."""
    if name == "limit" and value == DEFAULT_LIMIT:
        return ""
    return encode_query([(name, ",".join(value) if isinstance(value, tuple) else str(value))])


@lru_cache(maxsize=64)
def _list_path(region: Region) -> str:
    """The path of a region's list. Cached, because a page has some twenty addresses of lists."""
    return reverse("instances:list", args=[region])
