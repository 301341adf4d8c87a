"""Counts the instances of a fleet by what they have in common: the figures of the overview.

Each count comes with the query (`query.py`) that finds the same instances, so that a list can prove it.
"""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Count

from portal.fleet.models import Facet, IndexedFleet, IndexedInstance, Term
from portal.fleet.query import METADATA, Condition, Value, find_metadata_name, parse, write
from portal.fleet.search import select
from portal.fleet.texts import fold

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Keys of which an instance has one value at most, as of each metadata entry.
SINGLE_KEYS = frozenset({"status", "flavor", "image"})
MOST_NAMES = 50
ANY = (Value("", any_after=True),)


class Counted(NamedTuple):
    """How many instances have `value`, as ByCloud writes it. `query` finds them."""

    value: str
    instances: int
    query: str


class Breakdown(NamedTuple):
    """The most frequent values of a key, and how many `more` values there are.

    `rest` instances have none of those values but others, and `without` have none at all: all counts add up to that of
    the instances. Both are None if an instance can have several values of the key.
    """

    values: tuple[Counted, ...]
    more: int
    rest: int | None
    rest_query: str
    without: int | None
    without_query: str


def count_query(fleet: IndexedFleet, query: str, *, now: datetime) -> int:
    """How many instances a query finds."""
    return select(fleet, parse(query), now=now).rows.count()


def count_values(fleet: IndexedFleet, key: str, *, instances: int, most: int) -> Breakdown:
    """The `most` frequent values of a key among the `instances` that exist."""
    facets = _list_facets(fleet, key)
    found = list(facets.values_list("term").annotate(count=Count("*")).order_by("-count", "term")[: most + 1])
    counts, more, all_counts = dict(found[:most]), 0, sum(count for _term, count in found)
    if len(found) > most:
        totals = facets.aggregate(terms=Count("term", distinct=True), count=Count("*"))
        more, all_counts = totals["terms"] - most, totals["count"]
    terms = Term.objects.in_bulk(counts)
    values = tuple(_count(key, terms[pk], count) for pk, count in counts.items())
    has_these = Condition(key, tuple(Value(each.value) for each in values), is_excluded=True)
    is_single = key in SINGLE_KEYS or bool(find_metadata_name(key))
    return Breakdown(
        values,
        more,
        rest=all_counts - sum(counts.values()) if is_single else None,
        rest_query=write([Condition(key, ANY), has_these]),
        without=instances - all_counts if is_single else None,
        without_query=write([Condition(key, ANY, is_excluded=True)]),
    )


def list_metadata_names(fleet: IndexedFleet) -> dict[str, int]:
    """The names of metadata entries, in lower case and in order, each with the number of its values. The first
    `MOST_NAMES`.
    """
    terms = Term.objects.filter(fleet=fleet, key__startswith=METADATA).values_list("key")
    found = terms.annotate(count=Count("*")).order_by("key")[:MOST_NAMES]
    return {find_metadata_name(key): count for key, count in found}


def _list_facets(fleet: IndexedFleet, key: str) -> "QuerySet[Facet]":
    """Who has which value of the key. Only if instances are missing are they looked at."""
    facets = Facet.objects.filter(term__in=Term.objects.filter(fleet=fleet, key=key))
    missing = IndexedInstance.objects.filter(fleet=fleet, missing_at__isnull=False)
    return facets.exclude(instance__in=missing) if missing.exists() else facets


def _count(key: str, term: Term, count: int) -> Counted:
    shown = term.shown or term.value
    # The beginning of a long text may be another value.
    value = Value(shown if fold(shown) == term.value else term.value)
    return Counted(shown, count, write([Condition(key, (value,))]))
