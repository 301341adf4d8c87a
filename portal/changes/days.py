"""Changes as they are shown: by day, and those of one moment and one kind together."""

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from operator import attrgetter

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.bycloud import Region
from portal.changes.services import Moment
from portal.core.formatting import day_text, local_time
from portal.core.numbers import number_text
from portal.fleet.change_words import ChangeText, Difference, compare, name_instance, write_change
from portal.fleet.changes import Change
from portal.fleet.models import ChangeKind
from portal.instances.links import named_instance_url

# More changes of one kind and moment are folded.
MOST_ROWS = 5
_ORDER = {kind: number for number, kind in enumerate(ChangeKind)}


class ChangeRow(msgspec.Struct, frozen=True):
    """One change. `url` is empty if the instance's id cannot be one of a page."""

    name: str
    url: str
    difference: Difference


class ChangeGroup(msgspec.Struct, frozen=True):
    """One row of the table, or several of one kind and moment behind their number.

    `key` identifies the group on the page. `text` is that of the first row. `count` is the number of all changes of
    this kind and moment; there may be more than rows, on other pages.
    """

    key: str
    text: ChangeText
    rows: tuple[ChangeRow, ...]
    count: str

    @property
    def is_folded(self) -> bool:
        return len(self.rows) > 1


class ChangeDay(msgspec.Struct, frozen=True):
    title: str
    key: str
    groups: tuple[ChangeGroup, ...]


def group_by_day(changes: Iterable[Change], counts: Mapping[Moment, int], region: Region) -> tuple[ChangeDay, ...]:
    """In their order, but those of one moment by kind."""
    return tuple(
        ChangeDay(_name_day(day), f"day-{day}", tuple(group for group in _group_by_moment(of_day, counts, region, day)))
        for day, of_day in groupby(changes, lambda change: local_time(change.until).date())
    )


def make_row(change: Change, region: Region) -> ChangeRow:
    url = named_instance_url(region, change.instance_id, change.name)
    return ChangeRow(name_instance(change), url, compare(change))


def _group_by_moment(
    changes: Iterable[Change], counts: Mapping[Moment, int], region: Region, day: date
) -> Iterable[ChangeGroup]:
    for until, of_moment in groupby(changes, attrgetter("until")):
        ordered = sorted(of_moment, key=lambda change: _ORDER[change.kind])
        for kind, of_kind in groupby(ordered, attrgetter("kind")):
            alike = tuple(of_kind)
            count = max(len(alike), counts.get((until, kind), 0))
            parts = [alike] if count > MOST_ROWS else [(change,) for change in alike]
            for part in parts:
                yield _make_group(part, count, region, day)


def _make_group(changes: tuple[Change, ...], count: int, region: Region, day: date) -> ChangeGroup:
    first = changes[0]
    return ChangeGroup(
        key=f"change-{first.number}",
        text=write_change(first, day=day),
        rows=tuple(make_row(change, region) for change in changes),
        count=number_text(count),
    )


def _name_day(day: date) -> str:
    """`Today, 29 Nov 2026`."""
    text, ago = day_text(day), (timezone.localdate() - day).days
    if ago == 0:
        return _("Today, %(day)s") % {"day": text}
    return _("Yesterday, %(day)s") % {"day": text} if ago == 1 else text
