"""Reads pages of events, exports them, and deletes old ones."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Literal

from django.db import models, transaction
from django.db.models import QuerySet

from portal.audit.events import describe_event, record_event
from portal.audit.models import Action, Event
from portal.core.csv_safety import escape_formula
from portal.core.formatting import iso_text

Format = Literal["csv", "jsonl"]
CONTENT_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
COLUMNS = ("id", "at", "act", "member_id", "name", "subject", "address", "user_agent", "request_id")
EXPORTED_AT_ONCE = 500
DELETED_AT_ONCE = 1000


@dataclass(frozen=True)
class EventPage:
    """`older` and `newer` are the ids for the next pages, or None at the end: new events don't shift the pages."""

    events: tuple[Event, ...]
    older: int | None
    newer: int | None


def read_page(events: QuerySet[Event], *, before: int | None, after: int | None, size: int) -> EventPage:
    """Return `size` events, newest first: those before the id `before`, or else those after the id `after`."""
    if before is None and after is not None:
        found = list(events.filter(id__gt=after).order_by("id")[: size + 1])
        has_newer, has_older = len(found) > size, events.filter(id__lte=after).exists()
        page = tuple(reversed(found[:size]))
    else:
        older = events if before is None else events.filter(id__lt=before)
        found = list(older.order_by("-id")[: size + 1])
        has_older, has_newer = len(found) > size, before is not None and events.filter(id__gte=before).exists()
        page = tuple(found[:size])
    return EventPage(
        events=page,
        older=page[-1].pk if page and has_older else None,
        newer=page[0].pk if page and has_newer else None,
    )


def write_events(events: QuerySet[Event], form: Format) -> Iterator[bytes]:
    """Return the file in chunks. Reads in batches by id, so that no database connection is held in between."""
    write = _write_row if form == "csv" else _write_line
    if form == "csv":
        # Spreadsheets need the byte order mark to recognize UTF-8.
        yield "\ufeff".encode() + _write_cells(COLUMNS)
    last = 0
    while batch := list(events.filter(id__gt=last).order_by("id")[:EXPORTED_AT_ONCE]):
        yield b"".join(write(event) for event in batch)
        last = batch[-1].pk


def prune_events(before: datetime) -> int:
    """Delete events before this time and return their number. The only exception to append-only.

    Deletes in batches, each with an event that records it, so that it can be interrupted and run again.
    """
    pruned = 0
    while True:
        with transaction.atomic():
            # Django's own QuerySet; the model's does not allow deleting.
            events: models.QuerySet[Event] = models.QuerySet(Event)
            ids = list(events.filter(at__lt=before).order_by("id").values_list("id", flat=True)[:DELETED_AT_ONCE])
            if not ids:
                return pruned
            events.filter(id__in=ids).delete()
            record_event(Action.AUDIT_PRUNED, subject=f"{len(ids)} events before {iso_text(before)}")
        pruned += len(ids)


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
