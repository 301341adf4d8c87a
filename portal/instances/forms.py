"""The filter form as it is shown: fields, texts and errors. list_query.py parses what it submits."""

import msgspec
from django.utils.translation import gettext as _

from portal.core.invisible import show_plain
from portal.instances.list_query import DEFAULT_LIMIT, LONGEST, ParsedQuery, canonical_id, find_name, list_clear_names
from portal.instances.services import KnownValues, NamedRef
from portal.instances.status import Choice, list_choices

# More than any parameter allows, so that longer input reaches the portal and gets an error message. In other alphabets
# each letter takes nine characters of a URL.
MOST_TYPED = 800
# Parameters of links. They have a field only while they have an error.
_CARRIED = ("limit", "marker", "columns", "density")


class Suggestion(msgspec.Struct, frozen=True):
    """A suggested value, and a label for values that need one."""

    value: str
    label: str = ""


class Field(msgspec.Struct, frozen=True):
    """A field for the template: a select if it has `choices`, else a text input.

    `waits`: submitted when the field loses focus and not while typing, because a partial value would be invalid or
    match nothing. `takes_several`: comma-separated; the script adds suggestions to what the field contains.
    """

    name: str
    label: str
    value: str
    longest: int
    hint: str = ""
    problem: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    choices: tuple[Choice, ...] = ()
    waits: bool = True
    takes_several: bool = False


class FilterForm(msgspec.Struct, frozen=True):
    """`hidden` are the parameters of the view that are not filters, as pairs of name and text."""

    fields: tuple[Field, ...]
    hidden: tuple[tuple[str, str], ...]


def build_form(reading: ParsedQuery, *, seen: KnownValues) -> FilterForm:
    """The form with the current filters: names for known ids, and invalid input as it was entered."""
    texts = _texts(reading, seen)
    problems = reading.problems

    def field(name: str, label: str, **more: object) -> Field:
        given = {
            "value": texts.get(name, ""),
            "longest": min(LONGEST[name], MOST_TYPED),
            "problem": problems.get(name, ""),
        }
        return msgspec.convert({"name": name, "label": label, **given, **more}, Field)

    by_name = _("Name or ID")
    fields = [
        field("name", _("Name"), hint=_("Exact name, or a prefix: web-*"), waits=False),
        field("status", _("Status"), choices=list_choices(seen.statuses, texts.get("status", ""))),
        field(
            "tags",
            _("Tags"),
            hint=_("Comma-separated"),
            suggestions=_suggest_tags(seen.tags, texts.get("tags", "")),
            takes_several=True,
        ),
        field("flavor_id", _("Flavor"), hint=by_name, suggestions=_suggest_names(seen.flavors)),
        field("image_id", _("Image"), hint=by_name, suggestions=_suggest_names(seen.images)),
    ]
    labels = {
        "limit": _("Rows per page"),
        "marker": _("Starts after"),
        "columns": _("Columns"),
        "density": _("Density"),
    }
    fields += [field(name, labels[name]) for name in _CARRIED if name in problems]
    # Changing a filter drops the marker.
    hidden = [(name, texts.get(name, "")) for name in _CARRIED if name not in problems and name != "marker"]
    return FilterForm(
        fields=tuple(fields),
        hidden=tuple((name, text) for name, text in hidden if text not in {"", str(DEFAULT_LIMIT)}),
    )


def _texts(reading: ParsedQuery, seen: KnownValues) -> dict[str, str]:
    view = reading.view
    if view is None:
        return dict(reading.typed)
    texts = dict(view.query.to_parameters()) | {"columns": ",".join(view.columns), "density": view.density}
    for parameter, named in (("flavor_id", seen.flavors), ("image_id", seen.images)):
        if parameter in texts:
            texts[parameter] = find_name(named, texts[parameter]) or texts[parameter]
    return texts


def _suggest_tags(seen: tuple[str, ...], typed: str) -> tuple[Suggestion, ...]:
    """Known tags, each appended to the current text: a suggestion replaces the whole value."""
    given = [tag.strip() for tag in typed.split(",") if tag.strip()]
    return tuple(_suggest(",".join([*given, tag])) for tag in seen if tag not in given)


def _suggest_names(named: tuple[NamedRef, ...]) -> tuple[Suggestion, ...]:
    """Known names to filter by, or ids where a name is ambiguous."""
    clear = list_clear_names(named)
    known = [one for one in named if canonical_id(one.id)]
    return tuple(
        _suggest(clear[one.id]) if one.id in clear else Suggestion(one.id, show_plain(one.name)) for one in known
    )


def _suggest(value: str) -> Suggestion:
    """A value without a label, unless it contains invisible characters."""
    label = show_plain(value)
    return Suggestion(value, "" if label == value else label)
