"""Reads what was observed to change in one fleet, newest first."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import msgspec
from django.db.models import Q, QuerySet

from portal.fleet.models import ChangeKind, IndexedFleet, ObservedChange
from portal.fleet.search import Rows

MOST = 200

Changes = QuerySet[ObservedChange]


class Place(NamedTuple):
    """Where a change stands among the others: they are sorted by the time and then by the number, newest first."""

    until: datetime
    number: int


class Change(msgspec.Struct, frozen=True):
    """One thing that changed of an instance, some time after `since` and not later than `until`.

    `number` is larger than that of any change recorded before. `name` is the instance's at that time. `before` and
    `after` are what `ObservedChange` holds.
    """

    number: int
    instance_id: str
    name: str
    kind: ChangeKind
    before: str
    after: str
    since: datetime | None
    until: datetime

    @property
    def place(self) -> Place:
        return Place(self.until, self.number)


def list_changes(
    fleet: IndexedFleet,
    *,
    since: datetime | None = None,
    kinds: Collection[ChangeKind] = (),
    instance_id: str = "",
    before: Place | None = None,
    count: int = 50,
) -> tuple[Change, ...]:
    """`read_changes` of `select_changes`."""
    rows = select_changes(fleet, since=since, kinds=kinds, instance_id=instance_id)
    return read_changes(rows, before=before, count=count)


def select_changes(
    fleet: IndexedFleet,
    *,
    since: datetime | None = None,
    after: int = 0,
    kinds: Collection[ChangeKind] = (),
    instance_id: str = "",
    within: Rows | None = None,
) -> Changes:
    """The changes in a fleet.

    `since`: observed at that time or later. `after`: recorded after the change with that number, whenever it happened:
    that an instance has vanished is known a walk later. `kinds`: of these kinds only. `instance_id` is in lower case.
    `within`: of these instances only.
    """
    rows = ObservedChange.objects.filter(fleet=fleet)
    if since:
        rows = rows.filter(until__gte=since)
    if after:
        rows = rows.filter(pk__gt=after)
    if kinds:
        rows = rows.filter(kind__in=kinds)
    if instance_id:
        rows = rows.filter(instance_id=instance_id)
    if within is not None:
        rows = rows.filter(instance_id__in=within.order_by().values("instance_id"))
    return rows


def read_changes(rows: Changes, *, before: Place | None = None, count: int = 50) -> tuple[Change, ...]:
    """The newest of them, at most `count` and never more than `MOST`. `before` is the place of the last change of the
    page before.
    """
    if before:
        rows = rows.filter(until__lte=before.until).filter(Q(until__lt=before.until) | Q(pk__lt=before.number))
    found = rows.order_by("-until", "-id")[: min(count, MOST)]
    return tuple(
        Change(
            number=row.pk,
            instance_id=row.instance_id,
            name=row.name,
            kind=ChangeKind(row.kind),
            before=row.before,
            after=row.after,
            since=row.since,
            until=row.until,
        )
        for row in found
    )


def find_newest(fleet: IndexedFleet) -> int:
    """The number of the change that was recorded last; 0 without any."""
    return ObservedChange.objects.filter(fleet=fleet).order_by("-id").values_list("id", flat=True).first() or 0
