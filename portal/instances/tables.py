"""The table of a list as HTML, kept in this process: a page that many people look at is rendered once.

What is kept holds nothing of the reader but language, time zone and layout, which its key names: no form, no role, no
token.
"""

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock
from typing import Any

import msgspec
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from portal.bycloud import Instance, Region
from portal.instances.cells import render_rows
from portal.instances.columns import find_columns
from portal.instances.filters import ListView, to_query_string
from portal.instances.layouts import Layout
from portal.instances.live import name_pending
from portal.instances.rows import build_rows
from portal.web.times import relative_text

MOST_BYTES = 8 * 1024 * 1024
# That many stand side by side in a wide window; a table with more scrolls in its own box.
MOST_COLUMNS = 8


class Table(msgspec.Struct, frozen=True):
    """The table in UTF-8, which takes half the memory of text; and a name for its rows in transition."""

    source: bytes
    pending: str

    @property
    def html(self) -> SafeString:
        return mark_safe(self.source.decode())


class Tables:
    """Tables by key, at most so many bytes of them; what was not used for longest goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._tables: OrderedDict[bytes, Table] = OrderedDict()
        self.total_bytes = 0

    def find(self, key: bytes) -> Table | None:
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def keep(self, key: bytes, table: Table) -> None:
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self.total_bytes += len(table.source)
            while self.total_bytes > self._most_bytes:
                self.total_bytes -= len(self._tables.popitem(last=False)[1].source)


_tables = Tables(MOST_BYTES)


def render_table(instances: tuple[Instance, ...], *, region: Region, view: ListView, layout: Layout) -> Table | None:
    """The table of these instances, from what is kept when all that it shows is the same; None for no instances."""
    if not instances:
        return None
    columns = find_columns(layout.columns)
    moments = [column.read for column in columns if column.kind == "moment"]
    ages = [_say_age(read(instance)) for instance in instances for read in moments]
    reader = (get_language(), timezone.get_current_timezone_name(), layout)
    shown = (region.code, to_query_string(view), reader, ages, instances)
    # JSON, since sizes from upstream may be numbers that MessagePack has no room for.
    key = blake2b(msgspec.json.encode(shown)).digest()
    table = _tables.find(key)
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
        # A template that is being worked on must show.
        if not settings.DEBUG:
            _tables.keep(key, table)
    return table


def _say_age(moment: Any) -> str | None:
    return relative_text(moment) if moment else None
