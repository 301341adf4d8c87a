"""Selects, sorts, counts and sums instances of one fleet. Every row set here begins with the fleet of a credential."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar

from django.db.models import Count, F, Max, Min, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from portal.bycloud import Instance, InstanceQuery, decode_instance
from portal.fleet.matching import match_condition, match_filters
from portal.fleet.models import Body, IndexedFleet, IndexedInstance
from portal.fleet.query import KEYS, METADATA, Condition, list_unknown_keys, write
from portal.fleet.records import SORT_FIELDS, read_body

# More keys than that are no faster than the search itself, and SQLite takes no more than 32,766.
FEW = 20_000

Rows = QuerySet[IndexedInstance]
T = TypeVar("T")


class Selection(NamedTuple):
    """The instances that match, and a sentence for each part of the query that was not applied."""

    rows: Rows
    problems: tuple[str, ...]


class Totals(NamedTuple):
    """The number of instances, the sums over those whose flavor is known (RAM in MiB, disk in GB), and when the first
    and the last of them were seen; None without instances.
    """

    instances: int
    vcpus: int
    ram: int
    disk: int
    oldest: datetime | None
    newest: datetime | None


def list_indexed(fleet: IndexedFleet) -> Rows:
    """The instances of a fleet that exist as far as is known."""
    return IndexedInstance.objects.filter(fleet=fleet, missing_at=None)


def select(
    fleet: IndexedFleet,
    conditions: Iterable[Condition],
    *,
    now: datetime,
    filters: InstanceQuery | None = None,
    with_missing: bool = False,
) -> Selection:
    """The instances for which all conditions hold, and the filters that ByCloud has, too. `with_missing`: also those
    that are missing or gone.

    A condition is not applied if one of its values cannot be. With one about `missing`, instances that are missing are
    found, otherwise only those that exist.
    """
    rows, problems, is_present = IndexedInstance.objects.filter(fleet=fleet), [], not with_missing
    conditions = tuple(conditions)
    for condition in conditions:
        try:
            found = match_condition(fleet, condition, now)
        except ValueError as problem:
            named = {"text": write([condition]), "problem": problem}
            problems.append(_("%(text)s is not applied: %(problem)s") % named)
        else:
            rows = rows.exclude(found) if condition.is_excluded else rows.filter(found)
            is_present = is_present and (condition.key != "missing" or condition.is_excluded)
    for found in match_filters(fleet, filters) if filters else ():
        rows = rows.filter(found)
    for key in list_unknown_keys(conditions):
        named = {"key": key, "keys": ", ".join((*KEYS, f"{METADATA}team"))}
        problems.append(_("%(key)s is not a key, so it is searched for as text. Keys: %(keys)s.") % named)
    return Selection(rows.filter(missing_at=None) if is_present else rows, tuple(problems))


def narrow(rows: Rows) -> Rows:
    """The same rows, by their keys if they are few, so that texts are searched once for count, sums and page."""
    keys = list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])
    return IndexedInstance.objects.filter(pk__in=keys) if len(keys) <= FEW else rows


def sort(rows: Rows, order: str) -> Rows:
    """By a column, with `-` before its name in the reverse order. Absent values come last, in both."""
    column = order.removeprefix("-")
    field = F(SORT_FIELDS[column])
    # What was made later is less old.
    if order.startswith("-") != (column == "age"):
        return rows.order_by(field.desc(nulls_last=True), "-id")
    return rows.order_by(field.asc(nulls_last=True), "id")


def read_instances(rows: Rows, *, first: int, count: int, total: int) -> tuple[Instance, ...]:
    """Some of the `total` rows in their order, as ByCloud sent them. The number of the first one is 0."""
    last = min(first + count, total)
    keys = _read_part(rows.values_list("pk", flat=True), first, last, total)
    bodies = dict(Body.objects.filter(pk__in=keys).values_list("pk", "body"))
    return tuple(decode_instance(read_body(bodies[key])) for key in keys if key in bodies)


class Around(NamedTuple):
    """The instances before and after one, as ByCloud sent them; None at an end. `number` is its own, from 0."""

    number: int
    before: Instance | None
    after: Instance | None


def read_around(rows: Rows, instance_id: str, *, first: int, count: int, total: int) -> Around | None:
    """What stands before and after an instance, if it is among the `count` of `total` rows from `first` on, or one row
    beside them: since they were shown, the rows may have moved.
    """
    start, end = max(0, first - 2), min(first + count + 2, total)
    keys = _read_part(rows.values_list("pk", "instance_id"), start, end, total)
    place = next((place for place, (_pk, found_id) in enumerate(keys) if found_id == instance_id), None)
    if place is None or (place == 0 and start > 0) or (start + place == end - 1 and end < total):
        # At an end of what was read, the row beside it is not known.
        return None
    wanted = [keys[each][0] if 0 <= each < len(keys) else None for each in (place - 1, place + 1)]
    bodies = dict(Body.objects.filter(pk__in=filter(None, wanted)).values_list("pk", "body"))
    before, after = (decode_instance(read_body(bodies[pk])) if pk in bodies else None for pk in wanted)
    return Around(start + place, before, after)


def _read_part(values: QuerySet[IndexedInstance, T], first: int, last: int, total: int) -> list[T]:
    """Those from `first` to `last` (which is not among them) of the `total` values, in their order."""
    if first <= total - last:
        return list(values[first:last])
    # Databases read all rows before the first one, so what is near the end is read from there.
    return list(values.reverse()[total - last : total - first])[::-1]


def sum_up(rows: Rows) -> Totals:
    found = rows.order_by().aggregate(
        instances=Count("pk"),
        vcpus=Coalesce(Sum("vcpus"), 0),
        ram=Coalesce(Sum("ram"), 0),
        disk=Coalesce(Sum("disk"), 0),
        oldest=Min("last_seen"),
        newest=Max("last_seen"),
    )
    return Totals(**found)


def sum_up_all(fleet: IndexedFleet) -> Totals:
    """Those of `list_indexed`, counted once after each write, because every list shows a part of them."""
    return _sum_up_fleet(fleet.pk, fleet.revision)


def reset_local_state() -> None:
    """For tests."""
    _sum_up_fleet.cache_clear()


@lru_cache(maxsize=256)
def _sum_up_fleet(pk: int, _revision: int) -> Totals:
    return sum_up(IndexedInstance.objects.filter(fleet=pk, missing_at=None))
