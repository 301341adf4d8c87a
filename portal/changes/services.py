"""Reads a page of changes from the index. Knows neither requests nor templates."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import structlog
from django.db import DatabaseError
from django.db.models import Count
from django.utils import timezone

from portal.accounts.models import Member
from portal.changes.links import SPANS, VISIT, ChangesView
from portal.changes.models import Visit
from portal.changes.visits import find_visit, note_visit
from portal.fleet.changes import Change, Changes, Place, find_newest, read_changes, select_changes
from portal.fleet.models import ChangeKind, IndexedFleet
from portal.fleet.query import parse
from portal.fleet.search import select
from portal.gateway import ApiSession
from portal.instances.indexed import Coverage, measure_coverage, open_index

PAGE_SIZE = 100

log = structlog.get_logger(__name__)

Moment = tuple[datetime, ChangeKind]


class ChangesPage(NamedTuple):
    """`next` is where the next page begins, None on the last one. `counts` are the changes of the moments that may go
    on on another page, here and there.

    `recorded_since` is when the first complete walk ended, and `read_at` when the last one began. `visit` is the
    member's. `problems` are sentences about parts of the query that were not applied.
    """

    changes: tuple[Change, ...]
    next: Place | None
    counts: Mapping[Moment, int]
    coverage: Coverage
    recorded_since: datetime | None
    read_at: datetime | None
    visit: Visit | None
    problems: tuple[str, ...]


def read_page(
    session: ApiSession, member: Member, view: ChangesView, *, is_opened: bool, is_refresh: bool
) -> ChangesPage:
    """`is_opened`: a person has opened the page, and no script or browser by itself. Raises `IndexUnavailableError`."""
    with open_index(session, is_refresh=is_refresh) as index:
        fleet = index.fleet
        visit = _find_visit(session, member, fleet, is_noted=is_opened and view.is_whole)
        rows, problems = _select(fleet, view, visit)
        found = read_changes(rows, before=view.before, count=PAGE_SIZE + 1)
        changes = found[:PAGE_SIZE]
        after = changes[-1].place if len(found) > PAGE_SIZE else None
        return ChangesPage(
            changes=changes,
            next=after,
            counts=_count(rows, [place.until for place in (view.before, after) if place]),
            coverage=measure_coverage(index),
            recorded_since=fleet.baseline_at,
            read_at=fleet.completed_at,
            visit=visit,
            problems=problems,
        )


def _select(fleet: IndexedFleet, view: ChangesView, visit: Visit | None) -> tuple[Changes, tuple[str, ...]]:
    now, since, after = timezone.now(), None, 0
    if view.since in SPANS:
        since = now - SPANS[view.since]
    elif view.since == VISIT:
        after = visit.since if visit else 0
    elif view.since:
        since = datetime.fromisoformat(view.since)
    # Instances that have vanished, too.
    selection = select(fleet, parse(view.q), now=now, with_missing=True) if view.q else None
    rows = select_changes(
        fleet,
        since=since,
        after=after,
        kinds=view.kinds,
        instance_id=view.instance,
        within=selection.rows if selection else None,
    )
    return rows, selection.problems if selection else ()


def _find_visit(session: ApiSession, member: Member, fleet: IndexedFleet, *, is_noted: bool) -> Visit | None:
    if is_noted:
        try:
            return note_visit(member, session.region, find_newest(fleet))
        except DatabaseError as error:
            # The next one begins where this one did.
            log.warning("visit_not_noted", error=type(error).__name__)
    return find_visit(member, session.region)


def _count(rows: Changes, moments: list[datetime]) -> dict[Moment, int]:
    if not moments:
        return {}
    found = rows.filter(until__in=moments).order_by().values_list("until", "kind").annotate(Count("pk"))
    return {(until, ChangeKind(kind)): count for until, kind, count in found}
