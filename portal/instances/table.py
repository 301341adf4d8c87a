"""Renders the table of a list and caches it in this process: a page that many people open is rendered once.

The cached HTML depends on the member only by language, time zone and display options, which are part of its key. It
contains no form, no role and no token.
"""

from typing import Any

import msgspec
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from portal.bycloud import Instance, Region
from portal.core.formatting import relative_text
from portal.core.fragment_cache import LruCache, name_values
from portal.instances.cells import render_rows
from portal.instances.columns import find_columns
from portal.instances.controls import DisplayOptions
from portal.instances.links import ListView
from portal.instances.live import name_pending
from portal.instances.rows import build_rows

MOST_BYTES = 6 * 1024 * 1024
# This many fit in a wide window; a table with more columns scrolls.
MOST_COLUMNS = 8


class Table(msgspec.Struct, frozen=True):
    """The table as UTF-8, which takes half the memory of a str, and a name for its rows in transition."""

    source: bytes
    pending: str

    @property
    def html(self) -> SafeString:
        return mark_safe(self.source.decode())

    def __len__(self) -> int:
        return len(self.source)


_cache: LruCache[Table] = LruCache(MOST_BYTES)


def render_table(
    instances: tuple[Instance, ...], *, region: Region, view: ListView, layout: DisplayOptions
) -> Table | None:
    """The table of these instances, from the cache if everything that it shows is the same; None without instances."""
    if not instances:
        return None
    columns = find_columns(layout.columns)
    moments = [column.read for column in columns if column.kind == "moment"]
    ages = [_say_age(read(instance)) for instance in instances for read in moments]
    key = name_values(region.code, view.to_query_string(), layout, ages, instances)
    table = _cache.find(key)
    if table is None:
        rows = build_rows(instances, region=region, view=view)
        context = {
            "region": region,
            "columns": columns,
            "is_wide": len(columns) > MOST_COLUMNS,
            "is_compact": layout.density == "compact",
            "rows": render_rows(rows, columns),
        }
        html = render_to_string("instances/_table.html", context)
        table = Table(html.encode(), name_pending([row.key for row in rows if row.state.is_pending]))
        _cache.keep(key, table)
    return table


def _say_age(moment: Any) -> str | None:
    return relative_text(moment) if moment else None
