"""The form for the parameters of a list, and the parser of an instance's. links.py writes what they parse."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, cast
from urllib.parse import quote_plus

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.bycloud import DEFAULT_LIMIT, InstanceQuery
from portal.core.invisible import MOST_NAMED, clean, name_hidden
from portal.fleet.query import LONGEST_TEXT
from portal.fleet.values import KnownValues, NamedRef
from portal.instances.errors import InstancesError
from portal.instances.fields import (
    Parameter,
    read_columns,
    read_density,
    read_id,
    read_id_or_name,
    read_limit,
    read_page_number,
    read_sort,
    read_status,
    read_tags,
    read_text,
)
from portal.instances.links import (
    FIRST_PAGE,
    LONGEST_NAME,
    LONGEST_STATUS,
    LONGEST_TAGS,
    LOOK,
    DetailQuery,
    ListView,
    can_be_hint,
    is_uuid,
)

# So that it still fits when it is encoded again in the addresses that lead back to the list.
LONGEST_QUERY = 4700
NOTHING_KNOWN = KnownValues()
HINTS = ("name", "back", "marker")


class ListForm(forms.Form):
    """The parameters of a list, in the documented order.

    With `given`, it parses a query string: a flavor or an image may be given by a name in `known`. `view` is then the
    list without the parameters that are invalid. Made with a `view`, it shows the name that a list is filtered by, and
    carries everything else.
    """

    name = Parameter(LONGEST_NAME, label=gettext_lazy("Name"), help_text=gettext_lazy("Exact name, or a prefix: web-*"))
    status = Parameter(LONGEST_STATUS, read_status, label=gettext_lazy("Status"))
    tags = Parameter(LONGEST_TAGS, read_tags, label=gettext_lazy("Tags"), help_text=gettext_lazy("Comma-separated"))
    flavor_id = Parameter(255, label=gettext_lazy("Flavor"), help_text=gettext_lazy("Name or ID"))
    image_id = Parameter(255, label=gettext_lazy("Image"), help_text=gettext_lazy("Name or ID"))
    limit = Parameter(10, read_limit, label=gettext_lazy("Rows per page"))
    marker = Parameter(64, read_id, label=gettext_lazy("Starts after"))
    q = Parameter(LONGEST_TEXT, read_text, label=gettext_lazy("Search"))
    sort = Parameter(32, read_sort, label=gettext_lazy("Sort by"))
    page = Parameter(7, read_page_number, label=gettext_lazy("Page"))
    columns = Parameter(500, read_columns, label=gettext_lazy("Columns"))
    density = Parameter(16, read_density, label=gettext_lazy("Density"))

    def __init__(
        self, given: QueryDict | None = None, *, view: ListView | None = None, known: KnownValues = NOTHING_KNOWN
    ) -> None:
        super().__init__(given, initial=_describe_view(view) if view else None)
        self.view = view
        if given is not None:
            for name, named in (("flavor_id", known.flavors), ("image_id", known.images)):
                cast("Parameter", self.fields[name]).parse = partial(read_id_or_name, named)

    def clean(self) -> None:
        # What is left of an invalid list is another one, where a position means nothing.
        left_out = FIRST_PAGE if self.errors else ()
        values = {
            name: value for name, value in self.cleaned_data.items() if value is not None and name not in left_out
        }
        look = {name: values.pop(name) for name in LOOK if name in values}
        if look.keys() & {"q", "sort"} and look.get("page") == 1:
            del look["page"]
        if look.keys() & {"q", "sort", "page"}:
            values.pop("marker", None)
        self.view = ListView(InstanceQuery(**{"limit": DEFAULT_LIMIT} | values), **look)
        if len(self.view.to_query_string()) > LONGEST_QUERY:
            # Those with an error are not in the list any more.
            left = self.fields.keys() - self.errors.keys()
            longest = max(left, key=lambda name: len(quote_plus(str(self[name].value()))))
            self.add_error(longest, _("Too long for a URL. Shorten it, or use fewer filters."))
            # Once more without it.
            self.clean()

    def list_shown(self) -> list[forms.BoundField]:
        """The field of the name, and those of other parameters while they have an error."""
        return [self[name] for name in ("name", *(name for name in self.errors if name != "name"))]

    def list_carried(self) -> list[tuple[str, str]]:
        """The other parameters, as pairs of name and text. Another name leads to the first page."""
        carried = (name for name in self.fields if name not in {"name", *FIRST_PAGE, *self.errors})
        pairs = [(name, self._text(name)) for name in carried]
        return [(name, text) for name, text in pairs if text not in {"", str(DEFAULT_LIMIT)}]

    def _text(self, name: str) -> str:
        """A parameter as it is shown: as it was entered, or as the list has it."""
        return str(self[name].value())


@dataclass(eq=False)
class InvalidListError(InstancesError):
    """The parameters of a list are invalid."""

    form: ListForm


@dataclass(eq=False)
class InvalidHintsError(InstancesError):
    """The parameters of an instance's address are invalid: the error of each."""

    instance_id: str
    problems: dict[str, str]


def read_view(given: QueryDict, *, known: KnownValues) -> ListView:
    """The list of a query string; raises `InvalidListError` with the form if it has an invalid value.

    Unknown parameters are ignored. The list always has a page size: the default one if none was given.
    """
    form = ListForm(given, known=known)
    if form.is_valid() and form.view:
        return form.view
    raise InvalidListError(form)


def read_hints(given: QueryDict, instance_id: str) -> DetailQuery:
    """The parameters of an instance's address; raises `InvalidHintsError` with the errors. Unknown ones are ignored."""
    problems = {name: _("Given more than once.") for name in given if name in HINTS and len(given.getlist(name)) > 1}
    name, marker = given.get("name", ""), given.get("marker", "").lower()
    if name and not can_be_hint(name):
        problems["name"] = _("Too long, or contains a control character.")
    if marker and not is_uuid(marker):
        problems["marker"] = _("Not a valid ID.")
    back = read_back(given.get("back", ""))
    if back is None:
        problems["back"] = _("Not a list of instances.")
    if problems or back is None:
        raise InvalidHintsError(instance_id, problems)
    return DetailQuery(name=name or None, back=back.to_query_string(), marker=marker or None)


def read_back(text: str) -> ListView | None:
    """The list to go back to, or None if the query string has no parameter of a list, or an invalid one."""
    given = QueryDict(text)
    if text and not given.keys() & ListForm.base_fields.keys():
        return None
    try:
        return read_view(given, known=KnownValues())
    except InvalidListError:
        return None


def list_clear_names(named: Iterable[NamedRef]) -> dict[str, str]:
    """The unambiguous names, by id: those that resolve to that id when entered."""
    names = {item.id: item.name for item in named}
    counts = Counter(names.values())
    return {
        item_id: name
        for item_id, name in names.items()
        if counts[name] == 1 and can_be_hint(name) and name == name.strip() and not is_uuid(name.lower())
    }


def find_name(named: Iterable[NamedRef], wanted_id: str) -> str | None:
    """The name that resolves to this id when entered, or None if there is none or it is ambiguous."""
    return list_clear_names(named).get(wanted_id)


def name_hidden_in(view: ListView) -> tuple[str, ...]:
    """The names of the invisible characters in the filters, which may come from pasted text or from an instance."""
    query = view.query
    texts = filter(None, (query.name, query.status, *query.tags))
    return tuple(dict.fromkeys(chain.from_iterable(map(name_hidden, texts))))[:MOST_NAMED]


def clean_filters(view: ListView) -> dict[str, Any]:
    """The changes that take the invisible characters out of the filters."""
    query = view.query
    return {
        "name": clean(query.name or ""),
        "status": clean(query.status or ""),
        "tags": tuple(dict.fromkeys(filter(None, map(clean, query.tags)))),
    }


def _describe_view(view: ListView) -> dict[str, str]:
    """A list's parameters as its form has them."""
    look = {"q": view.q, "sort": view.sort, "columns": ",".join(view.columns), "density": view.density}
    return dict(view.query.to_parameters()) | look
