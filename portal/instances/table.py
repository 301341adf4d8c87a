"""The table of a list as its template shows it."""

from typing import ClassVar

import msgspec

from portal.bycloud import Instance, Region
from portal.instances.columns import Column, find_columns
from portal.instances.controls import DisplayOptions
from portal.instances.links import ListView
from portal.instances.live import name_pending
from portal.instances.rows import MOST_ENTRIES, Row, build_rows

# This many fit in a wide window; a table with more columns scrolls.
MOST_COLUMNS = 8


class Table(msgspec.Struct, frozen=True):
    """`pending` identifies the set of rows in transition. The first column is the row header."""

    first_texts: ClassVar[int] = 3
    most_entries: ClassVar[int] = MOST_ENTRIES

    columns: tuple[tuple[Column, str, bool], ...]
    rows: tuple[Row, ...]
    is_compact: bool
    pending: str

    @property
    def is_wide(self) -> bool:
        return len(self.columns) > MOST_COLUMNS


def build_table(
    instances: tuple[Instance, ...], *, region: Region, view: ListView, layout: DisplayOptions
) -> Table | None:
    """The table of these instances; None without instances."""
    if not instances:
        return None
    rows = build_rows(instances, region=region, view=view)
    return Table(
        columns=tuple((column, str(column.title), column.is_quantity) for column in find_columns(layout.columns)),
        rows=rows,
        is_compact=layout.density == "compact",
        pending=name_pending([row.key for row in rows if row.state.is_pending]),
    )
