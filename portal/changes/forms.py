"""The parameters of the page. links.py writes what they parse."""

import re
from datetime import UTC, datetime

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.changes.links import SPANS, VISIT, ChangesView, read_place, write_place
from portal.fleet.changes import Place
from portal.fleet.models import ChangeKind
from portal.fleet.query import LONGEST_TEXT
from portal.instances.fields import Parameter, read_id, read_text

_MOMENT = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z?", re.ASCII)
_PLACE = re.compile(r"\d{1,17}-\d{1,18}", re.ASCII)


def read_since(text: str) -> str:
    """A time without a zone, as forms send it, is in the member's."""
    if text in SPANS or text == VISIT:
        return text
    try:
        moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(_("Use 1h, 24h, 7d, visit, or a time such as 2026-11-29T14:02."))
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=timezone.get_current_timezone())
    return f"{zoned.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def read_kinds(text: str) -> tuple[ChangeKind, ...]:
    given = {name.strip() for name in text.split(",")} - {""}
    if unknown := sorted(given - set(ChangeKind)):
        named = {"names": ", ".join(unknown), "kinds": ", ".join(ChangeKind)}
        raise ValueError(_("Unknown kinds: %(names)s. There are: %(kinds)s.") % named)
    return tuple(kind for kind in ChangeKind if kind in given) if len(given) < len(ChangeKind) else ()


def read_before(text: str) -> Place:
    if not _PLACE.fullmatch(text):
        raise ValueError(_("Not a place in this list."))
    place = read_place(text)
    if write_place(place) != text:
        raise ValueError(_("Not a place in this list."))
    return place


class ChangesForm(forms.Form):
    """Parses a query string. `moment` is a second field for `since`, which takes precedence."""

    since = Parameter(40, read_since)
    moment = Parameter(40, read_since)
    kind = Parameter(200, read_kinds)
    q = Parameter(LONGEST_TEXT, read_text)
    instance = Parameter(64, read_id)
    before = Parameter(40, read_before)

    def __init__(self, given: QueryDict) -> None:
        # Check boxes send one value each.
        joined = given.copy()
        if len(given.getlist("kind")) > 1:
            joined["kind"] = ",".join(given.getlist("kind"))
        super().__init__(joined)

    def read_view(self) -> ChangesView:
        """The form must be valid."""
        values = {name: value for name, value in self.cleaned_data.items() if value}
        values["since"] = values.pop("moment", "") or values.get("since", "")
        values["kinds"] = values.pop("kind", ())
        return ChangesView(**values)
