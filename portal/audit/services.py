"""Records events, reads pages of them, exports them, and deletes old ones."""

import csv
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING, Literal

import structlog
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from portal.audit.models import COMMAND_LINE, NAME_LENGTH, NOT_A_NAME, SUBJECT_LENGTH, USER_AGENT_LENGTH, Action, Event
from portal.core.csv_safety import csv_cell
from portal.core.formatting import iso_text
from portal.core.http import read_address, read_network

if TYPE_CHECKING:
    from portal.accounts.models import Member

log = structlog.get_logger(__name__)

# Matches user names and nearly all e-mail addresses.
_LIKE_A_NAME = re.compile(rf"[\w@.+-]{{0,{NAME_LENGTH}}}")
# Events that a member or an IP address can cause any number of times without changing anything.
REPEATED = frozenset(
    {Action.ACCESS_REFUSED, Action.SECOND_FACTOR_FAILED, Action.SINGLE_SIGN_ON_FAILED, Action.SINGLE_SIGN_ON_REFUSED}
)
# The first ones within this time are recorded; after that, each time the count has doubled.
RECORDED_AT_FIRST = 30
REPEATED_SECONDS = 600
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


def record_event(
    action: Action,
    *,
    request: HttpRequest | None = None,
    member: "Member | None" = None,
    name: str = "",
    subject: str = "",
) -> None:
    """Record an event: the only way to do so. The arguments must contain no secrets.

    `member` is the acting member. `name` is the name entered at a failed sign-in, stored only if it looks like one.
    Without either, and without a request, the event is from the command line. `subject` is what the action was done to,
    as plain text. IP address, browser and request id are taken from `request`. Control characters are removed, and
    texts are cut to the length of their columns. The log line is written after the commit. Of `REPEATED` actions, only
    some are recorded, with their count; the first from each page always is.
    """
    if action in REPEATED and request is not None:
        key = f"audit:{action}:{member.pk if member else read_network(request)}"
        count = _count(key)
        rounds, rest = divmod(count, RECORDED_AT_FIRST)
        # Nothing can be hidden behind many of another kind.
        view_name = request.resolver_match.view_name if request.resolver_match else ""
        is_first = cache.add(f"{key}:{view_name}", 1, REPEATED_SECONDS)
        if count > RECORDED_AT_FIRST and not is_first and (rest or rounds.bit_count() != 1):
            return
        subject = f"number {count} within 10 minutes: {subject}" if count > RECORDED_AT_FIRST else subject
    if member is not None:
        name = member.get_username()
    elif request is None and not name:
        name = COMMAND_LINE
    elif not _may_be_name(name):
        name = NOT_A_NAME
    event = Event(
        act=action,
        member=member,
        name=_tidy(name, NAME_LENGTH),
        subject=_tidy(subject, SUBJECT_LENGTH),
        address=read_address(request) if request else "",
        user_agent=_tidy(request.headers.get("User-Agent", ""), USER_AGENT_LENGTH) if request else "",
        request_id=structlog.contextvars.get_contextvars().get("request_id", "") if request else "",
    )
    event.save()
    transaction.on_commit(lambda: log.info("audit", **describe_event(event)), robust=True)


def describe_event(event: Event) -> dict[str, str | int | None]:
    """The event as a dictionary for log lines and exports: strings and numbers, times in UTC."""
    return {
        "id": event.pk,
        "at": iso_text(event.at),
        "act": event.act,
        "member_id": event.member_id,
        "name": event.name,
        "subject": event.subject,
        "address": event.address,
        "user_agent": event.user_agent,
        "request_id": event.request_id,
    }


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
    return _write_cells(csv_cell(values[column]) for column in COLUMNS)


def _write_cells(cells: "Iterator[str] | tuple[str, ...]") -> bytes:
    row = StringIO(newline="")
    csv.writer(row, quoting=csv.QUOTE_ALL).writerow(cells)
    return row.getvalue().encode()


def _write_line(event: Event) -> bytes:
    return (json.dumps(describe_event(event), ensure_ascii=False) + "\n").encode()


def _count(key: str) -> int:
    """Count this event; returns the number within the time."""
    if cache.add(key, 1, REPEATED_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:
        # The counter has expired in the meantime.
        return 1


def _may_be_name(typed: str) -> bool:
    """Anything else may be a password entered in the wrong field."""
    return bool(_LIKE_A_NAME.fullmatch(typed)) or get_user_model().objects.find_by_login(typed) is not None


def _tidy(text: str, length: int) -> str:
    """Remove control, format and other invisible characters, which could fake lines or change the text direction."""
    visible = "".join(" " if unicodedata.category(sign).startswith("C") else sign for sign in text)
    return " ".join(visible.split())[:length]
