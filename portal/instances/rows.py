"""Rows of the list: an instance as the table shows it, with its links. Does not depend on requests or the gateway.

Texts are ready to be printed: cut, and HTML if something in them is marked. A template that formats each of some
hundred cells costs more than everything else on the page.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from portal.bycloud import (
    Flavor,
    Instance,
    PartialInstance,
    Region,
    is_unreadable,
    list_addresses,
    list_unreadable,
)
from portal.core.filters import DASH, LONGEST_IN_TABLE, gigabytes, mebibytes, shorten
from portal.core.formatting import make_time_formatter
from portal.core.http import LONGEST_ADDRESS, encode_query
from portal.core.invisible import show_plain
from portal.core.numbers import number_text, say_and_more
from portal.fleet.status import State, derive_state
from portal.instances.columns import QUANTITIES, Column, Kind, list_titles
from portal.instances.filter_links import Link, finish, is_usual, link_flavor, link_image, link_tag
from portal.instances.links import ListView, bare_list_url, can_be_hint, canonical_id, raw_url

# A row is one line, so what stands before the `+2` fits into its column.
FIRST_ENTRIES = 1
FIRST_TAGS = 3
SHORT_ID = 8
NOTHING: frozenset[str] = frozenset()
# How many entries of a list an expanded cell shows.
MOST_ENTRIES = 30


class Entry(NamedTuple):
    """A text with the label of the button that copies it, if there is one; `whole` is what it copies if that is more
    than the text.
    """

    text: str
    label: str = ""
    whole: str = ""


T = TypeVar("T")
Formatter = Callable[[Any], object]


class Foldable(NamedTuple, Generic[T]):
    """The entries of a cell: the first ones, and those behind `+2`, with words for that. `hidden` tells of others."""

    first: tuple[T, ...] = ()
    more: tuple[T, ...] = ()
    more_count: int = 0
    words: str = ""
    hidden: str = ""


class Cell(NamedTuple):
    """A cell, with what its column has for all rows. `value` is None if there is none, and in columns of a kind of
    their own, which show a field of the row.
    """

    name: str
    kind: str
    title: str
    is_quantity: bool
    is_unreadable: bool = False
    value: object = None


class Row(msgspec.Struct, frozen=True):
    """An instance in the table. Absent values are empty texts and tuples.

    `key` is the row's unique id in the HTML. `short_id` is for a row without a name. `copy_label` names the button that
    copies the id; it is empty if the id is not whole. `select_label` names the checkbox; it is empty if the row has no
    page. `unreadable` has the fields that could not be parsed; `raw_url` leads to the raw JSON, and `excerpt` is its
    beginning if the row has no page.
    """

    id: str
    key: str
    short_id: str
    name: str
    copy_label: str
    select_label: str
    url: str
    state: State
    addresses: Foldable[Entry]
    flavor: Link | None
    sizes: str
    image: Link | None
    tags: Foldable[Link]
    cells: tuple[Cell, ...] = ()
    unreadable: frozenset[str] = NOTHING
    is_unreadable: bool = False
    raw_url: str = ""
    excerpt: str = ""


def build_rows(
    instances: tuple[Instance, ...], *, region: Region, view: ListView, columns: tuple[Column, ...] = ()
) -> tuple[Row, ...]:
    """The rows of one page. `view` is their list: links add filters to it, and lead back to it."""
    path = bare_list_url(region)
    query_string = view.to_query_string()
    back = encode_query([("back", query_string)]) if query_string else ""
    # Many rows have the same ones.
    tag_link, flavor_link = cache(partial(link_tag, region, view)), cache(partial(link_flavor, region, view))
    image_link, sizes = cache(partial(link_image, region, view)), cache(describe_sizes)
    address_words, tag_words = cache(_count_addresses), cache(_count_tags)
    copy, id_label, select = _("Copy %(what)s"), _("the ID of %(name)s"), _("Select %(name)s")
    formats: Mapping[Kind, Formatter] = {
        "moment": make_time_formatter(),
        "count": number_text,
        "mebibytes": mebibytes,
        "gigabytes": gigabytes,
    }
    titles = list_titles(get_language())
    # What the cells of a column have in common: the same object for all rows, where it has no value of its own.
    empty_cells = [
        (column, Cell(column.name, column.kind, titles[column.name], column.kind in QUANTITIES)) for column in columns
    ]
    rows = []
    states: dict[object, State] = {}
    keys: set[str] = set()
    for number, instance in enumerate(instances):
        name, given_id = instance.name or "", instance.id or ""
        instance_id = canonical_id(given_id)
        key = instance_id or str(number)
        if key in keys:
            # The id occurs more than once on the page.
            key = f"{key}-{number}"
        keys.add(key)
        is_plain = bool(is_usual(name))
        hint = encode_query([("name", name)]) if is_plain or can_be_hint(name) else ""
        called = {"name": name if is_plain else show_plain(shorten(name or given_id))}
        what = id_label % called
        url = _instance_url(f"{path}{instance_id}/", hint, back) if instance_id else ""
        is_partial = isinstance(instance, PartialInstance)
        unreadable = list_unreadable(instance) if is_partial else NOTHING
        addresses, given_tags = list_addresses(instance), instance.tags or ()
        # All that a state depends on, which many rows have in common.
        facts = (
            instance.status,
            instance.power_state,
            instance.task_state,
            instance.vm_state,
            instance.fault,
            unreadable,
        )
        if facts not in states:
            states[facts] = _finish_state(derive_state(instance))
        cells = []
        for column, cell in empty_cells:
            value = None if column.kind == "own" else _finish_value(column, instance, copy, formats)
            is_unread = is_partial and column.is_unreadable(unreadable)
            cells.append(Cell(*cell[:4], is_unread, value) if value is not None or is_unread else cell)
        rows.append(
            Row(
                id=shorten(given_id),
                key=key,
                short_id="" if name else given_id[:SHORT_ID] or DASH,
                name=name if is_plain else finish(name),
                copy_label=copy % {"what": what} if 0 < len(given_id) <= LONGEST_IN_TABLE else "",
                select_label=select % called if url else "",
                url=url,
                state=states[facts],
                addresses=_fold(
                    _list_entries(addresses[:MOST_ENTRIES], copy), len(addresses), FIRST_ENTRIES, address_words
                ),
                flavor=flavor_link(instance.flavor),
                sizes=sizes(instance.flavor),
                image=image_link(instance.image),
                tags=_fold(tuple(map(tag_link, given_tags[:MOST_ENTRIES])), len(given_tags), FIRST_TAGS, tag_words),
                cells=tuple(cells),
                unreadable=unreadable,
                is_unreadable=is_partial and is_unreadable(instance),
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


def _finish_state(state: State) -> State:
    return State(
        finish(state.word), state.tone, finish(state.detail), finish(state.fault), state.is_fault, state.is_pending
    )


def _finish_value(column: Column, instance: Instance, copy: str, formats: Mapping[Kind, Formatter]) -> object:
    """The value of a column of a kind that several columns share; None if it is absent or empty."""
    value: Any = column.read(instance)
    if value is None or value in ("", ()):
        return None
    if column.kind in {"texts", "codes"}:
        entries = _list_entries(value[:MOST_ENTRIES], copy if column.kind == "codes" else "")
        return _fold(entries, len(value), FIRST_ENTRIES, _count_others)
    format_value = formats.get(column.kind)
    return format_value(value) if format_value else finish(str(value))


def _list_entries(texts: tuple[str, ...], copy: str) -> tuple[Entry, ...]:
    """Entries of these texts. `copy` is the pattern of their labels, empty if they have no button."""
    entries = []
    for text in texts:
        if is_usual(text):
            entries.append(Entry(text, copy % {"what": text}))
        else:
            short = shorten(text)
            entries.append(Entry(finish(text), copy % {"what": show_plain(short)}, text if text != short else ""))
    return tuple(entries)


def _fold(entries: tuple[T, ...], total: int, first: int, count_words: Callable[[int], str]) -> Foldable[T]:
    """The entries of a cell, of which there are `total`."""
    count = total - first
    if count <= 0:
        return Foldable(entries)
    hidden = total - len(entries)
    return Foldable(entries[:first], entries[first:], count, count_words(count), say_and_more(hidden) if hidden else "")


def _count_addresses(count: int) -> str:
    return ngettext("%(count)d more IP address", "%(count)d more IP addresses", count) % {"count": count}


def _count_tags(count: int) -> str:
    return ngettext("%(count)d more tag", "%(count)d more tags", count) % {"count": count}


def _count_others(count: int) -> str:
    return ngettext("%(count)d more", "%(count)d more", count) % {"count": count}


def _instance_url(path: str, hint: str, back: str) -> str:
    """The instance's page at `path`, with the encoded hint and way back."""
    url = f"{path}?{hint}{'&' if hint and back else ''}{back}".removesuffix("?")
    # The way back is required; the name is only a hint.
    return url if len(url) <= LONGEST_ADDRESS else f"{path}?{back}"


def _link_raw(region: Region, instance: Instance) -> str:
    """The URL of its raw JSON; empty if it has no page."""
    name = instance.name or ""
    return raw_url(region, canonical_id(instance.id), name=name if can_be_hint(name) else None)
