"""The table of a list as its template shows it."""

import msgspec
from django.utils.translation import get_language

from portal.bycloud import Instance, Region
from portal.instances.columns import QUANTITIES, find_columns, list_titles
from portal.instances.controls import DisplayOptions
from portal.instances.links import ListView
from portal.instances.live import name_pending
from portal.instances.rows import Row, build_rows

# This many fit in a wide window; a table with more columns scrolls.
MOST_COLUMNS = 8


class Table(msgspec.Struct, frozen=True):
    """`columns` are pairs of a title and whether it is above quantities; the first is the row header's. `pending`
    identifies the set of rows in transition.
    """

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[Row, ...]
    is_compact: bool
    pending: str

    @property
    def is_wide(self) -> bool:
        return len(self.columns) > MOST_COLUMNS


def build_table(
    instances: tuple[Instance, ...], *, region: Region, view: ListView, options: DisplayOptions
) -> Table | None:
    """The table of these instances; None without instances."""
    if not instances:
        return None
    columns = find_columns(options.columns)
    titles = list_titles(get_language())
    rows = build_rows(instances, region=region, view=view, columns=columns)
    return Table(
        columns=tuple([(titles[column.name], column.kind in QUANTITIES) for column in columns]),
        rows=rows,
        is_compact=options.density == "compact",
        pending=name_pending([row.key for row in rows if row.state.is_pending]),
    )
