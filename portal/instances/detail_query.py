"""What an instance's address may carry beside the id: how to find it, and the list to go back to.

name    its name when the link was made: one upstream call finds it where no cache holds it
back    the list's canonical query string, so that Back leads to the list exactly as it was left
marker  where an unfinished search over the whole list goes on
step    how many searches went before; after `MOST_STEPS` the page waits for the person
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
        """The canonical query string: this class's order, defaults left out."""
        pairs = [
            ("name", self.name),
            ("back", self.back),
            ("marker", self.marker),
            ("step", str(self.step) if self.step else None),
        ]
        return encode_query([(name, value) for name, value in pairs if value])


def read_detail_query(given: QueryDict) -> DetailQuery | dict[str, str]:
    """The hints, or what is wrong with them by parameter. Other parameters change nothing."""
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
    """The list that a query string stands for, or None when it stands for none: it says nothing that a list knows."""
    given = QueryDict(text)
    reading = read_view(given, seen=KnownValues())
    return None if text and len(reading.unknown) == len(given) else reading.view
