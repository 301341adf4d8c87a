"""What an export holds, before it is written: its instances, its name, and how much of the list is known."""

from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from django.utils import timezone

from portal.core.formatting import iso_text
from portal.fleet.query import parse
from portal.fleet.search import narrow, select, sort, sum_up
from portal.instances.indexed import DEFAULT_ORDER, Coverage, OpenIndex, measure_coverage
from portal.instances.links import ListView, write_all_matching

Format = Literal["csv", "jsonl"]
TextFormat = Literal["ids", "names", "addresses"]
CONTENT_TYPES: dict[Format | TextFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "ids": "text/plain; charset=utf-8",
    "names": "text/plain; charset=utf-8",
    "addresses": "text/plain; charset=utf-8",
}
KEYS_PER_FETCH = 10_000


class Export(NamedTuple):
    """What a file will hold: the keys of its instances in their order, and what is said of them.

    `query` is the query string of the list, without its page and its look; None if its instances were selected.
    `oldest` and `newest` are when the first and the last of them were seen; None without instances.
    """

    region_code: str
    keys: "array[int]"
    query: str | None
    oldest: datetime | None
    newest: datetime | None
    coverage: Coverage
    made_at: datetime


def plan_export(index: OpenIndex, view: ListView, ids: Sequence[str] = ()) -> Export:
    """All instances of the list, or those with these `ids`, in the order of the list."""
    now, conditions = timezone.now(), parse(view.q)
    if ids:
        # A list of instances that are missing has rows to select, too.
        shows_missing = any(each.key == "missing" and not each.is_excluded for each in conditions)
        rows = select(index.fleet, (), now=now, with_missing=shows_missing).rows.filter(instance_id__in=ids)
    else:
        rows = select(index.fleet, conditions, now=now, filters=view.query).rows
    # Texts are searched once.
    totals = sum_up(rows := narrow(rows))
    return Export(
        region_code=index.fleet.region,
        keys=array("q", sort(rows, view.sort or DEFAULT_ORDER).values_list("pk", flat=True).iterator(KEYS_PER_FETCH)),
        query=None if ids else write_all_matching(view),
        oldest=totals.oldest,
        newest=totals.newest,
        coverage=measure_coverage(index),
        made_at=now,
    )


def name_file(export: Export, file_format: Format) -> str:
    """`instances-spo1-20261129T031207Z-312-of-1240.csv`; with `-incomplete` if the index has not the whole list yet.

    The time is when the instance that was not seen for longest was seen.
    """
    at = iso_text(export.oldest or export.made_at).replace("-", "").replace(":", "")
    incomplete = "" if export.coverage.is_complete else "-incomplete"
    count, total = len(export.keys), export.coverage.region_total
    return f"instances-{export.region_code}-{at}{incomplete}-{count}-of-{total}.{file_format}"


def write_coverage(coverage: Coverage) -> str:
    """`1240 of 1240`, or `600 of 1240, incomplete`."""
    return f"{coverage.known} of {coverage.region_total}{'' if coverage.is_complete else ', incomplete'}"
