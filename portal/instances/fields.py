"""One parameter of a list: its form field, and the parsers of its text, which raise `ValueError` with the message."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.bycloud import LARGEST_LIMIT
from portal.core.invisible import name_hidden
from portal.fleet.query import parse, write
from portal.fleet.status import KNOWN_STATUSES
from portal.fleet.values import NamedRef
from portal.instances.columns import COLUMNS, list_unknown, order_names
from portal.instances.links import MOST_TAGS, canonical_id, find_forbidden_character, is_uuid

DENSITIES = ("comfortable", "compact")
# More than any parameter allows, so that longer input reaches the portal and gets an error message. In other alphabets
# each letter takes nine characters of an address.
MOST_TYPED = 800


class _AllTexts(forms.TextInput):
    """All texts of a parameter, because it must be given only once."""

    def value_from_datadict(self, data: Any, _files: Any, name: str) -> list[str]:
        texts: list[str] = data.getlist(name)
        return texts


class Parameter(forms.Field):
    """One text, at most `longest` characters long, and what `parse` makes of it; it raises `ValueError` if invalid."""

    widget = _AllTexts

    def __init__(self, longest: int, parse: Callable[[str], Any] = str, **options: Any) -> None:
        super().__init__(required=False, **options)
        self.longest = longest
        self.most_typed = min(longest, MOST_TYPED)
        self.parse = parse

    def prepare_value(self, value: Any) -> str:
        return ",".join(value) if isinstance(value, list) else value or ""

    def clean(self, texts: list[str]) -> Any:
        if not texts:
            return None
        try:
            text = self._read_single(texts)
            return self.parse(text) if text else None
        except ValueError as problem:
            hidden = ", ".join(name_hidden(",".join(texts)))
            more = _("Contains invisible characters: %(names)s.") % {"names": hidden} if hidden else ""
            raise forms.ValidationError(f"{problem} {more}".rstrip()) from None

    def _read_single(self, texts: list[str]) -> str:
        if len(texts) > 1:
            raise ValueError(_("Given %(count)d times. Use it once.") % {"count": len(texts)})
        text = texts[0].strip()
        if len(text) > self.longest:
            words = ngettext("Longer than %(longest)d character.", "Longer than %(longest)d characters.", self.longest)
            raise ValueError(words % {"longest": self.longest})
        if find_forbidden_character(text):
            raise ValueError(_("Contains a control character or an invalid character."))
        return text


def read_status(text: str) -> str:
    """The docs write statuses in upper case. An unknown one is kept as it was entered."""
    return text.upper() if text.upper() in KNOWN_STATUSES else text


def read_tags(text: str) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(split_tags(text)))
    if len(tags) > MOST_TAGS:
        raise ValueError(_("More than %(most)d tags.") % {"most": MOST_TAGS})
    return tags


def read_id(text: str) -> str:
    if not is_uuid(text.lower()):
        raise ValueError(_("Not a valid ID. Example: 550e8400-e29b-41d4-a716-446655440000."))
    return text.lower()


def read_id_or_name(named: Iterable[NamedRef], text: str) -> str:
    if is_uuid(text.lower()):
        return text.lower()
    # Ids that are not UUIDs cannot be used as filters, and would be taken for names.
    known = [item for item in named if canonical_id(item.id)]
    exact = {item.id for item in known if item.name == text}
    found = exact or {item.id for item in known if item.name.lower() == text.lower()}
    if len(found) > 1:
        raise ValueError(_("More than one has this name. Use the ID instead."))
    if not found:
        raise ValueError(_("Unknown name. Use the ID instead."))
    return found.pop().lower()


def read_limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= limit <= LARGEST_LIMIT:
        raise ValueError(_("Enter a whole number from 1 to %(largest)d.") % {"largest": LARGEST_LIMIT})
    return limit


def read_columns(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    if unknown := list_unknown(filter(None, names)):
        raise ValueError(_("Unknown columns: %(names)s.") % {"names": ", ".join(unknown)})
    return order_names(names)


def read_density(text: str) -> str:
    if text not in DENSITIES:
        raise ValueError(_("Use comfortable or compact."))
    return text


def read_text(text: str) -> str:
    """The canonical text of a query of the index. What it cannot hold is said beside the results, not here."""
    canonical = write(parse(text))
    # It may have more quotes than the text.
    parse(canonical)
    return canonical


def read_sort(text: str) -> str:
    if text.removeprefix("-") not in COLUMNS:
        raise ValueError(_("Unknown column: %(name)s.") % {"name": text.removeprefix("-")})
    return text


def read_page_number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not number:
        raise ValueError(_("Enter a whole number."))
    return number


def split_tags(text: str) -> list[str]:
    return [tag for tag in map(str.strip, text.split(",")) if tag]
