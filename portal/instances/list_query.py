"""Parses a list's query string into a frozen `ListView`, and builds the canonical query string from it.

Pure functions: they do not depend on requests, members or responses, except for the known names passed in.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import msgspec
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.bycloud import InstanceQuery
from portal.core.http import encode_query
from portal.core.invisible import MOST_NAMED, clean, name_hidden
from portal.instances.columns import list_unknown, order_names
from portal.instances.status import KNOWN_STATUSES

if TYPE_CHECKING:
    from portal.instances.services import KnownValues, NamedRef

PARAMETERS = ("name", "status", "tags", "flavor_id", "image_id", "limit", "marker", "columns", "density")
DENSITIES = ("comfortable", "compact")
DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100
PAGE_SIZES = (20, 50, 100)
LONGEST = {
    "name": 255,
    "status": 64,
    "tags": 1000,
    "flavor_id": 255,
    "image_id": 255,
    "limit": 10,
    "marker": 64,
    "columns": 500,
    "density": 16,
}
MOST_TAGS = 50
# So that it still fits when it is encoded again in the URLs that lead back to the list.
LONGEST_QUERY = 4700

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class ListView(msgspec.Struct, frozen=True):
    """The state in a list's URL: the query for ByCloud, and how the result is shown.

    `columns` are names in the order of the table. Without columns or density, the member's preferences apply.
    """

    query: InstanceQuery = InstanceQuery(limit=DEFAULT_LIMIT)
    columns: tuple[str, ...] = ()
    density: str = ""


class ParsedQuery(msgspec.Struct, frozen=True):
    """A parsed query string. `view` is None if a value is invalid; `problems` then has the errors by parameter, and
    `typed` all values as they were entered. `unknown` names ignored parameters, such as `utm_source`.
    """

    view: ListView | None
    typed: Mapping[str, str] = {}
    problems: Mapping[str, str] = {}
    unknown: tuple[str, ...] = ()


def read_view(given: QueryDict, *, seen: "KnownValues") -> ParsedQuery:
    """Parse a query string. A flavor or image may be given by a name in `seen`, which is replaced by its id.

    The query always has a limit: `DEFAULT_LIMIT` if none was given.
    """
    readers: dict[str, Callable[[str], object]] = {
        "name": str,
        "status": _read_status,
        "tags": _read_tags,
        "flavor_id": lambda text: _read_id_or_name(text, seen.flavors),
        "image_id": lambda text: _read_id_or_name(text, seen.images),
        "limit": _read_limit,
        "marker": _read_id,
        "columns": _read_columns,
        "density": _read_density,
    }
    values: dict[str, object] = {"limit": DEFAULT_LIMIT}
    typed: dict[str, str] = {}
    problems: dict[str, str] = {}
    for parameter, read in readers.items():
        texts = given.getlist(parameter)
        typed[parameter] = ",".join(texts)
        try:
            text = _read_single(texts, longest=LONGEST[parameter])
            if text:
                values[parameter] = read(text)
        except ValueError as problem:
            problems[parameter] = f"{problem} {_describe_hidden(typed[parameter])}".rstrip()
    unknown = tuple(parameter for parameter in given if parameter not in PARAMETERS)
    if problems:
        return ParsedQuery(None, typed, problems, unknown)
    # Each takes the parameters that it knows.
    view = msgspec.convert(values | {"query": msgspec.convert(values, InstanceQuery)}, ListView)
    if len(to_query_string(view)) > LONGEST_QUERY:
        longest = max(PARAMETERS, key=lambda parameter: len(quote_plus(typed[parameter])))
        problems[longest] = _("Too long for an address: shorten it, or filter by fewer.")
        return ParsedQuery(None, typed, problems, unknown)
    return ParsedQuery(view, typed, problems, unknown)


def to_query_string(view: ListView) -> str:
    """The canonical query string: documented order, no defaults or empty values, `,` between values not encoded."""
    asked = [pair for pair in view.query.to_parameters() if pair != ("limit", str(DEFAULT_LIMIT))]
    shown = [("columns", ",".join(view.columns)), ("density", view.density)]
    return encode_query([*asked, *(pair for pair in shown if pair[1])])


def has_filters(view: ListView) -> bool:
    query = view.query
    return bool(query.name or query.status or query.tags or query.flavor_id or query.image_id)


def at_marker(view: ListView, marker: str | None) -> ListView:
    """The same list at the page after `marker`; at its first page if `marker` is None."""
    return _with(view, marker=marker)


def with_limit(view: ListView, limit: int) -> ListView:
    """The same filters with another page size, from the first page: a marker is valid for one page size only."""
    return _with(view, limit=limit)


def with_tag(view: ListView, tag: str) -> ListView:
    """The same filters plus this tag, from the first page."""
    tags = view.query.tags
    return _with(view, tags=tags if tag in tags else (*tags, tag))


def without_tag(view: ListView, tag: str) -> ListView:
    return _with(view, tags=tuple(kept for kept in view.query.tags if kept != tag))


def with_image(view: ListView, image_id: str) -> ListView:
    return _with(view, image_id=image_id)


def with_flavor(view: ListView, flavor_id: str) -> ListView:
    return _with(view, flavor_id=flavor_id)


def without_filter(view: ListView, parameter: str) -> ListView:
    """The same list without one filter (all tags for `tags`), from the first page."""
    return _with(view, **{parameter: () if parameter == "tags" else None})


def without_filters(view: ListView) -> ListView:
    """The list without filters, with the same page size and display options."""
    return msgspec.structs.replace(view, query=InstanceQuery(limit=view.query.limit))


def with_look(view: ListView, *, columns: tuple[str, ...], density: str) -> ListView:
    """The same rows with these columns and this density; empty for the member's preferences."""
    return msgspec.structs.replace(view, columns=columns, density=density)


def _with(view: ListView, **changes: Any) -> ListView:
    """The list with a changed query, from its first page unless a marker is given."""
    return msgspec.structs.replace(view, query=msgspec.structs.replace(view.query, **{"marker": None} | changes))


def can_add_tag(view: ListView, tag: str) -> bool:
    """Whether `with_tag` gives a valid list. A tag with a comma cannot be sent, because commas separate tags."""
    tags = with_tag(view, tag).query.tags
    try:
        return _read_tags(_read_single([",".join(tags)], longest=LONGEST["tags"])) == tags
    except ValueError:
        return False


def can_be_hint(name: str) -> bool:
    """Whether a name may be used as a hint in an instance's URL."""
    return bool(name) and len(name) <= LONGEST["name"] and not _find_forbidden_character(name)


def is_uuid(text: str | None) -> bool:
    """Whether it is a UUID in lower case, as in URLs. Only such ids have a page or can be filters."""
    return bool(text and _UUID.match(text))


def canonical_id(text: str | None) -> str:
    """An id from upstream in lower case, as in URLs; empty if it is not a UUID."""
    lower = (text or "").lower()
    return lower if is_uuid(lower) else ""


def list_page_sizes(largest: int | None) -> tuple[int, ...]:
    """The page sizes to offer, given the largest one allowed."""
    largest = largest or PAGE_SIZES[-1]
    return (*(size for size in PAGE_SIZES if size < largest), min(largest, PAGE_SIZES[-1]))


def list_clear_names(named: "Iterable[NamedRef]") -> dict[str, str]:
    """The unambiguous names, by id: those that resolve to that id when entered."""
    names = {item.id: item.name for item in named}
    counts = Counter(names.values())
    return {
        item_id: name
        for item_id, name in names.items()
        if counts[name] == 1 and can_be_hint(name) and name == name.strip() and not is_uuid(name.lower())
    }


def find_name(named: "Iterable[NamedRef]", wanted_id: str) -> str | None:
    """The name that resolves to this id when entered, or None if there is none or it is ambiguous."""
    return list_clear_names(named).get(wanted_id)


def name_hidden_in(view: ListView) -> tuple[str, ...]:
    """The names of the invisible characters in the filters, which may come from pasted text or from an instance."""
    query = view.query
    texts = filter(None, (query.name, query.status, *query.tags))
    return tuple(dict.fromkeys(chain.from_iterable(map(name_hidden, texts))))[:MOST_NAMED]


def without_hidden(view: ListView) -> ListView:
    """The same filters without invisible characters, from the first page."""
    query = view.query
    tags = tuple(dict.fromkeys(filter(None, map(clean, query.tags))))
    return _with(view, name=clean(query.name or "") or None, status=clean(query.status or "") or None, tags=tags)


def _describe_hidden(text: str) -> str:
    names = name_hidden(text)
    return _("Contains invisible characters: %(names)s.") % {"names": ", ".join(names)} if names else ""


def _read_single(texts: Sequence[str], *, longest: int) -> str:
    if len(texts) > 1:
        raise ValueError(
            _("Given %(count)d times. Use it once.") % {"count": len(texts)},
        )
    text = texts[0].strip() if texts else ""
    if len(text) > longest:
        raise ValueError(
            ngettext(
                "Longer than %(longest)d character.",
                "Longer than %(longest)d characters.",
                longest,
            )
            % {"longest": longest}
        )
    if _find_forbidden_character(text):
        raise ValueError(_("Contains a control character or an invalid character."))
    return text


def _find_forbidden_character(text: str) -> str | None:
    return next((sign for sign in text if sign == _UNREADABLE or unicodedata.category(sign) in {"Cc", "Cs"}), None)


def _read_status(text: str) -> str:
    """The docs write statuses in upper case. An unknown one is kept as it was entered."""
    return text.upper() if text.upper() in KNOWN_STATUSES else text


def _read_tags(text: str) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(filter(None, (tag.strip() for tag in text.split(",")))))
    if len(tags) > MOST_TAGS:
        raise ValueError(_("More than %(most)d tags.") % {"most": MOST_TAGS})
    return tags


def _read_id(text: str) -> str:
    if not is_uuid(text.lower()):
        raise ValueError(_("Not a valid ID. Example: 550e8400-e29b-41d4-a716-446655440000."))
    return text.lower()


def _read_id_or_name(text: str, named: "Sequence[NamedRef]") -> str:
    if is_uuid(text.lower()):
        return text.lower()
    # Ids that are not UUIDs cannot be used as filters, and would be taken for names.
    known = [item for item in named if is_uuid(item.id.lower())]
    exact = {item.id for item in known if item.name == text}
    found = exact or {item.id for item in known if item.name.lower() == text.lower()}
    if len(found) > 1:
        raise ValueError(_("More than one has this name. Use the ID instead."))
    if not found:
        raise ValueError(_("Unknown name. Use the ID instead."))
    return found.pop().lower()


def _read_limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= limit <= LARGEST_LIMIT:
        raise ValueError(_("Enter a whole number from 1 to %(largest)d.") % {"largest": LARGEST_LIMIT})
    return limit


def _read_columns(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    if unknown := list_unknown(filter(None, names)):
        raise ValueError(_("Unknown columns: %(names)s.") % {"names": ", ".join(unknown)})
    return order_names(names)


def _read_density(text: str) -> str:
    if text not in DENSITIES:
        raise ValueError(_("Use comfortable or compact."))
    return text
