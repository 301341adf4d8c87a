"""The table of a list as its template shows it."""

from typing import NamedTuple

import msgspec
from django.conf import settings
from django.utils.translation import get_language

from portal.bycloud import Instance, Region
from portal.instances.columns import QUANTITIES, Column, find_columns, list_titles
from portal.instances.controls import DisplayOptions
from portal.instances.links import ListView, list_url
from portal.instances.live import name_pending
from portal.instances.rows import Row, build_rows

# What fits into a window of 1024 px, in half rems as the widths of columns. A wider table scrolls in its own box.
WIDEST = 118


class Heading(NamedTuple):
    """The head of a column, with its width. `url` leads to the list sorted by it; `order` is the value of `aria-sort`,
    empty if the list is not sorted by it.
    """

    name: str
    title: str
    is_quantity: bool
    width: int
    url: str = ""
    order: str = ""


class Table(msgspec.Struct, frozen=True):
    """The first of `columns` is the row header's. `pending` identifies the set of rows in transition."""

    columns: tuple[Heading, ...]
    rows: tuple[Row, ...]
    is_compact: bool
    pending: str

    @property
    def is_wide(self) -> bool:
        return sum(column.width for column in self.columns) > WIDEST


def build_table(
    instances: tuple[Instance, ...], *, region: Region, view: ListView, options: DisplayOptions
) -> Table | None:
    """The table of these instances; None without instances."""
    if not instances:
        return None
    columns = find_columns(options.columns)
    rows = build_rows(instances, region=region, view=view, columns=columns)
    return Table(
        columns=tuple([_build_heading(column, region, view) for column in columns]),
        rows=rows,
        is_compact=options.density == "compact",
        pending=name_pending([row.key for row in rows if row.state.is_pending]),
    )


def _build_heading(column: Column, region: Region, view: ListView) -> Heading:
    """Times begin with the newest, everything else with the smallest. A second click reverses the order."""
    heading = Heading(column.name, list_titles(get_language())[column.name], column.kind in QUANTITIES, column.width)
    if not settings.FLEET_INDEX:
        return heading
    name, reverse = column.name, f"-{column.name}"
    orders = {name: "ascending", reverse: "descending"}
    first, second = (reverse, name) if column.kind == "moment" and name != "age" else (name, reverse)
    url = list_url(region, view, sort=second if view.sort == first else first)
    return heading._replace(url=url, order=orders.get(view.sort, ""))
