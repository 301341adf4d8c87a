"""Exports events as CSV for spreadsheets or JSON lines for programs, oldest first."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Literal

from django.db.models import QuerySet

from portal.audit.events import describe_event
from portal.audit.models import Event
from portal.core.csv_safety import escape_formula

Format = Literal["csv", "jsonl"]
CONTENT_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
COLUMNS = ("id", "at", "act", "member_id", "name", "subject", "address", "user_agent", "request_id")
BATCH_SIZE = 500


def write_events(events: QuerySet[Event], form: Format) -> Iterator[bytes]:
    """Return the file in chunks. Reads in batches by id, so that no database connection is held in between."""
    write = _write_row if form == "csv" else _write_line
    if form == "csv":
        # Spreadsheets need the byte order mark to recognize UTF-8.
        yield "\ufeff".encode() + _write_cells(COLUMNS)
    last = 0
    while batch := list(events.filter(id__gt=last).order_by("id")[:BATCH_SIZE]):
        yield b"".join(write(event) for event in batch)
        last = batch[-1].pk


def _write_row(event: Event) -> bytes:
    values = describe_event(event)
    cells = [values[column] for column in COLUMNS]
    return _write_cells(
        "" if cell is None else str(cell) if isinstance(cell, int) else escape_formula(cell) for cell in cells
    )


def _write_cells(cells: "Iterator[str] | tuple[str, ...]") -> bytes:
    row = StringIO(newline="")
    csv.writer(row, quoting=csv.QUOTE_ALL).writerow(cells)
    return row.getvalue().encode()


def _write_line(event: Event) -> bytes:
    return (json.dumps(describe_event(event), ensure_ascii=False) + "\n").encode()
