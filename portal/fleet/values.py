"""The values that instances of one fleet have, with the number of instances that have each."""

from collections.abc import Iterable, Iterator

import msgspec
from django.db.models import Count, Q, QuerySet

from portal.bycloud import Instance
from portal.fleet.keys import natural_key
from portal.fleet.models import Facet, IndexedFleet, Term
from portal.fleet.query import METADATA
from portal.fleet.search import list_indexed, read_instances
from portal.fleet.texts import fold

# Values that are counted to find the most frequent ones.
MOST_COUNTED = 200


class CountedValue(msgspec.Struct, frozen=True):
    """`text` is a value of `key` as ByCloud writes it, and `instances` the number of those that have it."""

    key: str
    text: str
    instances: int


def list_values(fleet: IndexedFleet, key: str, part: str = "", *, most: int) -> tuple[CountedValue, ...]:
    """The values of a key that begin with `part`, the most frequent first, and then those that contain it."""
    # An address is written in another way than it is compared.
    field = "shown" if key == "ip" else "value"
    return _list_found(Term.objects.filter(fleet=fleet, key=key), field, fold(part), most)


def find_values(fleet: IndexedFleet, part: str, *, most: int) -> tuple[CountedValue, ...]:
    """The same for all keys but addresses, which are not looked for by a part of a word."""
    return _list_found(Term.objects.filter(fleet=fleet).exclude(key="ip"), "value", fold(part), most)


def list_metadata_keys(fleet: IndexedFleet) -> tuple[str, ...]:
    """Keys as queries have them, such as `meta.team`."""
    keys = Term.objects.filter(fleet=fleet, key__startswith=METADATA).order_by("key").values_list("key", flat=True)
    return tuple(keys.distinct()[:MOST_COUNTED])


def find_instances(fleet: IndexedFleet, part: str, *, most: int) -> tuple[Instance, ...]:
    """The first instances, in their natural order, whose name begins with `part`."""
    beginning = fold(part)
    # Numbers are sorted by their value, so the order begins to differ at the first of them.
    digits = next((place for place, sign in enumerate(beginning) if sign in "0123456789"), len(beginning))
    least = natural_key(beginning[:digits]) or b""
    rows = list_indexed(fleet).filter(
        name_key__gte=least, name_key__lt=least + b"\xff", text__text__startswith=beginning
    )
    return read_instances(rows.order_by("name_key", "id"), first=0, count=most, total=most)


def _list_found(terms: "QuerySet[Term]", field: str, part: str, most: int) -> tuple[CountedValue, ...]:
    begins = Q(**{f"{field}__startswith": part})
    found = _count(terms.filter(begins))
    if part and len(found) < most:
        found += _count(terms.filter(**{f"{field}__contains": part}).exclude(begins))
    return tuple(found[:most])


def _count(terms: "QuerySet[Term]") -> list[CountedValue]:
    """Those that any instance has, the most frequent first."""
    some = list(terms.order_by("key", "value")[:MOST_COUNTED])
    facets = Facet.objects.filter(term__in=[term.pk for term in some]).order_by()
    counts = dict(_group(facets))
    # Few are missing, and looking at each instance would take longer than counting.
    for term_id, missing in _group(facets.filter(instance__missing_at__isnull=False)):
        counts[term_id] -= missing
    found = [CountedValue(term.key, term.shown or term.value, counts.get(term.pk, 0)) for term in some]
    return sorted((one for one in found if one.instances), key=lambda one: -one.instances)


def _group(facets: "QuerySet[Facet]") -> Iterator[tuple[int, int]]:
    rows: Iterable[tuple[int, int]] = facets.values_list("term_id").annotate(Count("instance_id"))
    yield from rows
