"""Answers a list from the index: what ByCloud's list cannot search or sort. Knows neither requests nor templates."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil
from time import monotonic
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from portal.bycloud import DEFAULT_LIMIT, Instance
from portal.fleet.feed import find_fleet
from portal.fleet.lookup import Sighting, find_sighting
from portal.fleet.models import IndexedFleet, Outcome, Pass
from portal.fleet.query import parse
from portal.fleet.search import (
    Around,
    Selection,
    Totals,
    narrow,
    read_around,
    read_instances,
    select,
    sort,
    sum_up,
    sum_up_all,
)
from portal.fleet.values import KnownValues, list_known
from portal.fleet.walk import Step, StepState, make_step
from portal.gateway import ApiSession
from portal.instances.links import ListView

DEFAULT_ORDER = "name"
MOST_SECONDS = 3
# After so many, the rest of a walk can be estimated.
FEWEST_PAGES = 2

log = structlog.get_logger(__name__)


class Coverage(NamedTuple):
    """How much of the list the index has. `known` instances are in it; `total` is what ByCloud said, if it did.

    `is_complete`: one walk has read the whole list, so that what is not in the index does not exist, or is new.
    `is_walking`: a walk is under way, and has read `seen` instances; if it goes on as until now, the rest takes
    `left`. `pause` is why it waits (the kind of an error; empty: it does not), and `due_at` when it may go on.
    `is_endless`: the last walk found no end of the list.
    """

    known: int
    total: int | None
    is_complete: bool
    is_walking: bool
    seen: int
    left: timedelta | None
    pause: str
    due_at: datetime
    is_endless: bool

    @property
    def region_total(self) -> int:
        """How many instances there are at least: what ByCloud said may be older than the index."""
        return max(self.known, self.total or 0)


class IndexedList(NamedTuple):
    """A page of a list from the index. `number` of `pages` begins at 1, `first` row at 0.

    `problems` are sentences about parts of the query that were not applied.
    """

    instances: tuple[Instance, ...]
    totals: Totals
    problems: tuple[str, ...]
    number: int
    pages: int
    first: int
    coverage: Coverage


class OpenIndex(NamedTuple):
    """The index of one credential, and the step of its walk that was made when it was opened, if one was."""

    fleet: IndexedFleet
    step: Step | None


class IndexUnavailableError(Exception):
    """The index cannot be read, or there is none for this credential."""


@contextmanager
def open_index(session: ApiSession, *, is_refresh: bool) -> Iterator[OpenIndex]:
    """The index of what the credential can see, after a step of the walk, if it is time for one: with each refresh, and
    as long as the list was never read to its end, also when a page is opened.

    Raises `IndexUnavailableError`, also in place of any error of the database within the block.
    """
    if not settings.FLEET_INDEX:
        raise IndexUnavailableError
    try:
        fleet, step = find_fleet(session), None
        is_new = fleet is None or fleet.completed_at is None
        if is_new or is_refresh:
            step = make_step(session, is_urgent=is_new)
            fleet = find_fleet(session)
        if fleet is None:
            raise IndexUnavailableError
        yield OpenIndex(fleet, step)
    except DatabaseError as error:
        log.warning("fleet_not_read", error=type(error).__name__, reason=str(error))
        raise IndexUnavailableError from None


def can_read_index() -> bool:
    """Whether the index can be read, for any credential."""
    try:
        IndexedFleet.objects.exists()
    except DatabaseError as error:
        log.warning("fleet_not_read", error=type(error).__name__, reason=str(error))
        return False
    return True


def read_list(session: ApiSession, view: ListView, *, is_refresh: bool) -> IndexedList:
    """The page of a list. Raises `IndexUnavailableError`."""
    with open_index(session, is_refresh=is_refresh) as index:
        return _read_list(index, view)


def read_sighting(session: ApiSession, instance_id: str) -> Sighting | None:
    """What the index knows of an instance; None also if it cannot be read. Makes no step of the walk."""
    if not settings.FLEET_INDEX:
        return None
    try:
        return find_sighting(session, instance_id)
    except DatabaseError as error:
        log.warning("fleet_not_read", error=type(error).__name__, reason=str(error))
        return None


def find_around(session: ApiSession, view: ListView, instance_id: str) -> Around | None:
    """What stands before and after an instance in a list, if it is on this page of it; None also if the index cannot be
    read. Makes no step of the walk.
    """
    if not settings.FLEET_INDEX:
        return None
    try:
        fleet = find_fleet(session)
        if fleet is None:
            return None
        rows = _select(fleet, view).rows
        total = rows.count() if view.has_filters else sum_up_all(fleet).instances
        place = _find_place(view, total)
        return read_around(
            sort(rows, view.sort or DEFAULT_ORDER), instance_id, first=place.first, count=place.size, total=total
        )
    except DatabaseError as error:
        log.warning("fleet_not_read", error=type(error).__name__, reason=str(error))
        return None


def read_known_values(session: ApiSession) -> KnownValues:
    """The names of flavors and images that stand for their IDs; none if the index cannot be read."""
    if not settings.FLEET_INDEX:
        return KnownValues()
    try:
        found = IndexedFleet.objects.filter(scope=session.cache_namespace).values_list("pk", "revision")[:1]
        return next((list_known(pk, revision) for pk, revision in found), KnownValues())
    except DatabaseError as error:
        log.warning("fleet_not_read", error=type(error).__name__, reason=str(error))
        return KnownValues()


def read_on(session: ApiSession) -> None:
    """Go on with the walk for a few seconds, as far as the budget allows: a member presses Refresh."""
    ends_at = monotonic() + MOST_SECONDS
    while make_step(session, is_urgent=True).state is StepState.MADE and monotonic() < ends_at:
        pass


def _read_list(index: OpenIndex, view: ListView) -> IndexedList:
    selection = _select(index.fleet, view)
    rows = selection.rows
    totals = sum_up(rows) if view.has_filters else sum_up_all(index.fleet)
    place = _find_place(view, totals.instances)
    return IndexedList(
        instances=read_instances(
            sort(rows, view.sort or DEFAULT_ORDER), first=place.first, count=place.size, total=totals.instances
        ),
        totals=totals,
        problems=selection.problems,
        number=place.number,
        pages=place.pages,
        first=place.first,
        coverage=measure_coverage(index),
    )


class _Place(NamedTuple):
    """A page of a list: `number` of `pages` begins at 1, `first` row at 0."""

    number: int
    pages: int
    first: int
    size: int


def _find_place(view: ListView, total: int) -> _Place:
    """The page that is shown of so many rows: beyond the last page it is the last one."""
    size = view.query.limit or DEFAULT_LIMIT
    pages = max(1, ceil(total / size))
    number = min(max(1, view.page), pages)
    return _Place(number, pages, (number - 1) * size, size)


def _select(fleet: IndexedFleet, view: ListView) -> Selection:
    selection = select(fleet, parse(view.q), now=timezone.now(), filters=view.query)
    return selection._replace(rows=narrow(selection.rows)) if view.has_filters else selection


def measure_coverage(index: OpenIndex) -> Coverage:
    """How much of the list the index has."""
    fleet, step = index
    latest = fleet.passes.order_by("-number").first()
    now = timezone.now()
    return Coverage(
        known=sum_up_all(fleet).instances,
        total=latest.last_total if latest else None,
        is_complete=fleet.completed_at is not None,
        is_walking=latest is not None and latest.outcome == Outcome.WALKING,
        seen=latest.seen if latest else 0,
        left=_estimate_rest(latest, now) if latest else None,
        pause=fleet.pause if fleet.paused_until and fleet.paused_until > now else "",
        due_at=step.due_at if step and step.state is not StepState.OFF else now,
        is_endless=latest is not None and latest.outcome == Outcome.ENDLESS,
    )


def _estimate_rest(walk: Pass, now: datetime) -> timedelta | None:
    """How long the rest of a walk takes, if it goes on as until now. None if its first pages do not tell."""
    if walk.outcome != Outcome.WALKING or walk.pages < FEWEST_PAGES or not walk.last_total or not walk.seen:
        return None
    return (now - walk.started_at) * max(0, walk.last_total - walk.seen) / walk.seen
