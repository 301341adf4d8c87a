"""Reads the figures of the overview from the index. Knows neither requests nor templates."""

from typing import NamedTuple

from django.utils import timezone

from portal.bycloud import Instance
from portal.fleet.changes import Change, list_changes
from portal.fleet.counts import Breakdown, count_query, count_values
from portal.fleet.query import METADATA
from portal.fleet.search import Totals, list_indexed, read_instances, sort, sum_up_all
from portal.fleet.values import list_metadata_names
from portal.gateway import ApiSession
from portal.instances.indexed import Coverage, measure_coverage, open_index

MOST_VALUES = 8
NEWEST = 5
NEWEST_ORDER = "age"
# What the cards are of; metadata has one of its own.
KEYS = ("status", "flavor", "image", "tag", "network")
# What someone should look at, most urgent first.
TROUBLES = ("status:ERROR", "is:stuck", "is:warning", "missing<1d")
USUAL_NAME = "team"
RECENT = 5
_MOST = {"status": 11}


class Figures(NamedTuple):
    """What the overview shows. `troubles` are counts by query, `breakdowns` by key.

    `by` is the name of the metadata entry that instances are counted by, empty if there is none, and `names` are those
    to choose from.
    """

    totals: Totals
    coverage: Coverage
    troubles: dict[str, int]
    breakdowns: dict[str, Breakdown]
    by: str
    names: tuple[str, ...]
    newest: tuple[Instance, ...]
    changes: tuple[Change, ...]


def read_figures(session: ApiSession, *, by: str, is_refresh: bool) -> Figures:
    """The figures of all that the credential can see. Raises `IndexUnavailableError`."""
    with open_index(session, is_refresh=is_refresh) as index:
        fleet, now = index.fleet, timezone.now()
        totals = sum_up_all(fleet)
        names = list_metadata_names(fleet)
        by = by or _choose_name(names)
        keys = (*KEYS, f"{METADATA}{by}") if by else KEYS
        return Figures(
            totals=totals,
            coverage=measure_coverage(index),
            troubles={query: count_query(fleet, query, now=now) for query in TROUBLES},
            breakdowns={key: count_values(fleet, key, most=_MOST.get(key, MOST_VALUES)) for key in keys},
            by=by,
            names=tuple(sorted({*names, by} - {""})),
            newest=read_instances(
                sort(list_indexed(fleet), NEWEST_ORDER), first=0, count=NEWEST, total=totals.instances
            ),
            changes=list_changes(fleet, count=RECENT),
        )


def _choose_name(names: dict[str, int]) -> str:
    """The team, or else the entry with the fewest values, but more than one if possible."""
    if USUAL_NAME in names:
        return USUAL_NAME
    return min(names, key=lambda name: (names[name] == 1, names[name], name), default="")
