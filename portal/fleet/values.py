"""The values that instances of one fleet have: listed, counted and found by a part of them."""

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from django.db.models import Count, Q
from django.db.models.functions import Greatest, Length

from portal.bycloud import Instance
from portal.fleet.keys import natural_key
from portal.fleet.models import Facet, IndexedFleet, IndexedInstance, Term
from portal.fleet.query import METADATA, Condition, Value, find_metadata_name, write
from portal.fleet.records import REF_KEYS
from portal.fleet.search import list_indexed, read_instances
from portal.fleet.texts import fold

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Values that are counted to find the most frequent ones.
MOST_COUNTED = 200
MOST_NAMES = 200
MOST_KNOWN = 200
LONGEST_KNOWN = 128


class CountedValue(NamedTuple):
    """A value of `key` as ByCloud writes it, and the number of instances that have it."""

    key: str
    text: str
    instances: int

    @property
    def query(self) -> str:
        """What finds these instances."""
        return write([Condition(self.key, (Value(self.text),))])


class NamedRef(msgspec.Struct, frozen=True):
    """A flavor or an image with its name."""

    id: str
    name: str


class KnownValues(msgspec.Struct, frozen=True):
    """The names of what ByCloud filters by its ID, each kind sorted. At most `MOST_KNOWN` of a kind, none longer than
    `LONGEST_KNOWN`.
    """

    flavors: tuple[NamedRef, ...] = ()
    images: tuple[NamedRef, ...] = ()


def list_values(fleet: IndexedFleet, key: str, part: str = "", *, most: int) -> tuple[CountedValue, ...]:
    """The values of a key that begin with `part`, the most frequent first, and then those that contain it."""
    # An address is written in another way than it is compared.
    field = "shown" if key == "ip" else "value"
    return _list_found(fleet, Term.objects.filter(fleet=fleet, key=key), field, fold(part), most)


def find_values(fleet: IndexedFleet, part: str, *, most: int) -> tuple[CountedValue, ...]:
    """The same for all keys but addresses, which are not looked for by a part of a word."""
    terms = Term.objects.filter(fleet=fleet).exclude(key__in=("ip", *REF_KEYS))
    return _list_found(fleet, terms, "value", fold(part), most)


def list_metadata_names(fleet: IndexedFleet) -> dict[str, int]:
    """The names of metadata entries, in lower case and in order, each with the number of its values. The first
    `MOST_NAMES`.
    """
    terms = Term.objects.filter(fleet=fleet, key__startswith=METADATA).values_list("key")
    found = terms.annotate(count=Count("*")).order_by("key")[:MOST_NAMES]
    return {find_metadata_name(key): count for key, count in found}


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


def count_instances(fleet_pk: int, terms: "QuerySet[Term] | list[int]") -> "QuerySet[Facet, tuple[int, int]]":
    """The keys of terms that any instance has, each with the number of those instances. Only if instances are missing
    are they looked at: otherwise an index answers alone.
    """
    facets = Facet.objects.filter(term__in=terms)
    missing = IndexedInstance.objects.filter(fleet=fleet_pk, missing_at__isnull=False)
    if missing.exists():
        facets = facets.exclude(instance__in=missing)
    return facets.values_list("term").annotate(instances=Count("*")).order_by("-instances", "term")


def name_value(term: Term, instances: int) -> CountedValue:
    return CountedValue(term.key, term.shown or term.value, instances)


@lru_cache(maxsize=64)
def list_known(fleet_pk: int, _revision: int) -> KnownValues:
    """Read once after each write of the fleet, because lists with such a filter need them."""
    flavors, images = (
        tuple(NamedRef(ref_id, name) for name, ref_id in _list_shown(fleet_pk, key) if name) for key in REF_KEYS
    )
    return KnownValues(flavors, images)


def _list_shown(fleet_pk: int, key: str) -> list[tuple[str, str]]:
    """The first terms of a key, each as it is shown and as it is compared. Without those whose name one of the others
    has, too: it does not stand for a single ID.
    """
    terms = Term.objects.filter(fleet=fleet_pk, key=key)
    short = terms.alias(longest=Greatest(Length("shown"), Length("value"))).filter(longest__lte=LONGEST_KNOWN)
    found = sorted(short.order_by("value").values_list("shown", "value")[:MOST_KNOWN])
    if len(found) < MOST_KNOWN:
        return found
    names, ref_ids = map(set, zip(*found, strict=True))
    others = terms.filter(shown__in=names).exclude(value__in=ref_ids)
    shared = set(others.values_list("shown", flat=True))
    return [(name, ref_id) for name, ref_id in found if name not in shared]


def _list_found(
    fleet: IndexedFleet, terms: "QuerySet[Term]", field: str, part: str, most: int
) -> tuple[CountedValue, ...]:
    begins = Q(**{f"{field}__startswith": part})
    found = _count_first(fleet, terms.filter(begins))
    if part and len(found) < most:
        found += _count_first(fleet, terms.filter(**{f"{field}__contains": part}).exclude(begins))
    return tuple(found[:most])


def _count_first(fleet: IndexedFleet, terms: "QuerySet[Term]") -> list[CountedValue]:
    """Those of the first `MOST_COUNTED` that any instance has, the most frequent first."""
    some = {term.pk: term for term in terms.order_by("key", "value")[:MOST_COUNTED]}
    counts = dict(count_instances(fleet.pk, list(some)))
    found = [name_value(term, counts[pk]) for pk, term in some.items() if pk in counts]
    return sorted(found, key=lambda one: -one.instances)
