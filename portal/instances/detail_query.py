"""The query parameters of an instance's URL: hints to find it, and the list to go back to.

name    its name when the link was made: one upstream request finds it when it is not cached
back    the list's canonical query string, so that Back restores the list
marker  where to continue an unfinished search of the whole list
step    the number of searches so far; after `MOST_STEPS` the page waits for a click
"""

import msgspec
from django.http import QueryDict
from django.utils.translation import gettext as _

from portal.core.http import encode_query
from portal.instances.list_query import ListView, can_be_hint, is_uuid, read_view, to_query_string
from portal.instances.services import KnownValues

MOST_STEPS = 10
LONGEST_STEP = 3
PARAMETERS = ("name", "back", "marker", "step")


class DetailQuery(msgspec.Struct, frozen=True):
    name: str | None = None
    back: str = ""
    marker: str | None = None
    step: int = 0

    @property
    def goes_on_by_itself(self) -> bool:
        return self.step < MOST_STEPS

    def to_query_string(self) -> str:
        """The canonical query string: fields in order, without defaults."""
        pairs = [
            ("name", self.name),
            ("back", self.back),
            ("marker", self.marker),
            ("step", str(self.step) if self.step else None),
        ]
        return encode_query([(name, value) for name, value in pairs if value])


def read_detail_query(given: QueryDict) -> DetailQuery | dict[str, str]:
    """The parsed parameters, or the errors by parameter. Unknown parameters are ignored."""
    problems = {}
    for parameter in PARAMETERS:
        if len(given.getlist(parameter)) > 1:
            problems[parameter] = _("Given more than once.")
    name, marker, step = given.get("name", ""), given.get("marker", "").lower(), given.get("step", "")
    if name and not can_be_hint(name):
        problems["name"] = _("Too long, or contains a control character.")
    if marker and not is_uuid(marker):
        problems["marker"] = _("Not a valid ID.")
    if step and not (step.isascii() and step.isdigit() and len(step) <= LONGEST_STEP):
        problems["step"] = _("Enter a whole number.")
    list_view = read_back(given.get("back", ""))
    if list_view is None:
        problems["back"] = _("Not a list of instances.")
    if problems or list_view is None:
        return problems
    return DetailQuery(
        name=name or None,
        back=to_query_string(list_view),
        marker=marker or None,
        step=int(step or 0),
    )


def read_back(text: str) -> ListView | None:
    """The list view of a query string, or None if it has no valid parameter of the list."""
    given = QueryDict(text)
    reading = read_view(given, seen=KnownValues())
    return None if text and len(reading.unknown) == len(given) else reading.view
