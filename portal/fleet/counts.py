"""Counts the instances of a fleet by what they have in common: the figures of the overview.

Each count comes with the query (`query.py`) that finds the same instances, so that a list can prove it.
"""

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.db.models import Count, Sum

from portal.fleet.models import IndexedFleet, Term
from portal.fleet.query import Condition, Value, find_metadata_name, parse, write
from portal.fleet.search import select, sum_up_all
from portal.fleet.values import CountedValue, count_instances, name_value

# Keys of which an instance has one value at most, as of each metadata entry.
SINGLE_KEYS = frozenset({"status", "flavor", "image"})
ANY = (Value("", any_after=True),)


class Breakdown(NamedTuple):
    """The most frequent values of a key, and how many `more` values there are.

    `rest` instances have none of those values but others, and `without` have none at all: all counts add up to that of
    the instances. Both are None if an instance can have several values of the key.
    """

    values: tuple[CountedValue, ...]
    more: int
    rest: int | None
    rest_query: str
    without: int | None
    without_query: str


def count_query(fleet: IndexedFleet, query: str, *, now: datetime) -> int:
    """How many instances a query finds."""
    return select(fleet, parse(query), now=now).rows.count()


def count_values(fleet: IndexedFleet, key: str, *, most: int) -> Breakdown:
    """The `most` frequent values of a key among the instances that exist. Counted once after each write, because open
    pages ask again and again.
    """
    return _count_values(fleet.pk, fleet.revision, key, sum_up_all(fleet).instances, most)


def reset_local_state() -> None:
    """For tests."""
    _count_values.cache_clear()


@lru_cache(maxsize=1024)
def _count_values(fleet_pk: int, _revision: int, key: str, instances: int, most: int) -> Breakdown:
    counted = count_instances(fleet_pk, Term.objects.filter(fleet=fleet_pk, key=key))
    found = list(counted[: most + 1])
    counts, more, all_counts = dict(found[:most]), 0, sum(count for _term, count in found)
    if len(found) > most:
        totals = counted.aggregate(terms=Count("term"), counts=Sum("instances"))
        more, all_counts = totals["terms"] - most, totals["counts"]
    terms = Term.objects.in_bulk(counts)
    values = tuple(name_value(terms[pk], count) for pk, count in counts.items())
    has_these = Condition(key, tuple(Value(each.text) for each in values), is_excluded=True)
    is_single = key in SINGLE_KEYS or bool(find_metadata_name(key))
    return Breakdown(
        values,
        more,
        rest=all_counts - sum(counts.values()) if is_single else None,
        rest_query=write([Condition(key, ANY), has_these]),
        without=instances - all_counts if is_single else None,
        without_query=write([Condition(key, ANY, is_excluded=True)]),
    )
