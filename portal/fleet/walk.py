"""Walks through the whole list of a fleet, one page at a time, with what the budget leaves.

`make_step` makes the next step, called by an open page or by `manage.py walk_fleets`; between walks, it sends single
requests for what people wait for (`watch.py`). A step takes the lease on the fleet, fetches one page, and commits what
it holds together with the marker of the next one. So a process that dies repeats one page at most.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from portal.bycloud import InstanceQuery
from portal.bycloud.cursors import find_cut, says_more
from portal.fleet import passes, watch
from portal.fleet.feed import find_fleet, hurried, lock_fleet, record_use
from portal.fleet.index import write_page
from portal.fleet.models import IndexedFleet, Outcome, Pass
from portal.gateway import (
    ApiSession,
    FetchedPage,
    FetchError,
    FetchFailed,
    fetch_for_walk,
    learn_largest_page,
    read_largest_page,
)

# The largest page that is asked for. Which one ByCloud allows is not documented; it is learned.
LARGEST_PAGE = 500
# Walks use a fifth of the hour's requests; a few at once, the rest evenly.
SHARE = 5
HOUR_SECONDS = 3600
AT_ONCE = 10
SHORTEST_INTERVAL = timedelta(seconds=60)
# How long a walk waits after an error that says nothing of that.
PAUSE = timedelta(seconds=30)
REJECTED_PAUSE = timedelta(minutes=5)
# More than the deadline of a request, so that the lease of a process that works does not expire.
LEASE_MARGIN = timedelta(seconds=20)
BUSY_PAUSE = timedelta(seconds=2)
# A walk that cannot go on for so long begins anew.
LONGEST_TROUBLE = timedelta(hours=1)

log = structlog.get_logger(__name__)


class StepState(StrEnum):
    """What has become of a step."""

    MADE = "made"
    """A page was read."""
    WAITING = "waiting"
    """It is too early, the budget is used up, or ByCloud has failed."""
    BUSY = "busy"
    """Another process makes a step now, or the database is busy."""
    STOPPED = "stopped"
    """ByCloud rejects the credential or its permission."""
    OFF = "off"
    """There is no index, or none for this credential, because it is not stored."""


class Step(msgspec.Struct, frozen=True):
    """The result of `make_step`, when the next step may be made, and the error of the request that was sent, if any."""

    state: StepState
    due_at: datetime
    error: FetchError | None = None


def make_step(session: ApiSession, *, is_urgent: bool = False) -> Step:
    """Read the next page of the walk through this fleet, if it is time. Never raises an error of ByCloud or the
    database.

    `is_urgent`: a member waits for the walk to end, so its pages follow each other as fast as the budget allows.
    """
    if not settings.FLEET_INDEX:
        return _in(StepState.OFF, SHORTEST_INTERVAL)
    try:
        return _make_step(session, is_urgent=is_urgent)
    except DatabaseError as error:
        log.warning("fleet_step_failed", error=type(error).__name__, reason=str(error))
        return _in(StepState.BUSY, PAUSE)


def find_due(fleet: IndexedFleet, latest: Pass | None, *, is_urgent: bool = False) -> datetime:
    """When the next step may be made."""
    paused_until = fleet.paused_until or fleet.created_at
    if latest is None:
        return paused_until
    gap = timedelta(seconds=HOUR_SECONDS * SHARE / settings.BYCLOUD_RATE_PER_HOUR)
    if latest.outcome != Outcome.WALKING:
        due_at = latest.started_at + max(SHORTEST_INTERVAL, latest.pages * gap)
    elif is_urgent or fleet.baseline_at is None:
        due_at = latest.started_at
    else:
        due_at = latest.started_at + max(0, latest.pages - AT_ONCE) * gap
    return max(due_at, paused_until)


def _make_step(session: ApiSession, *, is_urgent: bool) -> Step:
    fleet = find_fleet(session)
    if fleet is None:
        with hurried(), transaction.atomic():
            fleet = lock_fleet(session)
    if fleet is None:
        return _in(StepState.OFF, SHORTEST_INTERVAL)
    record_use(fleet, session)
    latest = fleet.passes.order_by("-number").first()
    due_at = find_due(fleet, latest, is_urgent=is_urgent)
    if due_at > timezone.now():
        if fleet.pause:
            return Step(StepState.STOPPED if fleet.pause in passes.REJECTIONS else StepState.WAITING, due_at)
        if latest and latest.outcome != Outcome.WALKING:
            due_at = min(due_at, _watch(fleet, session, latest))
        return Step(StepState.WAITING, due_at)
    with _leased(fleet) as lease:
        if lease is None:
            return _in(StepState.BUSY, BUSY_PAUSE)
        walk = _find_or_begin(fleet, session)
        try:
            page = fetch_for_walk(session, InstanceQuery(limit=walk.limit, marker=walk.marker))
        except FetchFailed as failure:
            return _fail(fleet, lease, walk, failure.error)
        return _commit(fleet, lease, walk, page, is_urgent=is_urgent)


def _watch(fleet: IndexedFleet, session: ApiSession, latest: Pass) -> datetime:
    """Send a single request between walks, if it is time. Returns when it is time for the next one."""
    due_at = watch.find_due(fleet, latest)
    if due_at > timezone.now():
        return due_at
    with _leased(fleet) as lease:
        if lease is None:
            return timezone.now() + BUSY_PAUSE
        watched = watch.choose(fleet)
        try:
            page = fetch_for_walk(session, watched.query)
        except FetchFailed:
            # Whatever it was, it concerns the next walk, too, which will tell.
            page = None
        with transaction.atomic():
            locked = IndexedFleet.objects.select_for_update().filter(pk=fleet.pk, lease=lease).first()
            if locked is None:
                return timezone.now() + BUSY_PAUSE
            if page:
                write_page(locked, page)
            watch.record(locked, watched, timezone.now())
            locked.save()
    return watch.find_due(locked, latest)


@contextmanager
def _leased(fleet: IndexedFleet) -> Iterator[str | None]:
    """The token of the lease on the fleet, until the block ends; None if another process has it."""
    now, token = timezone.now(), uuid4().hex
    until = now + timedelta(seconds=settings.BYCLOUD_LIMITS.deadline_seconds) + LEASE_MARGIN
    with hurried(), transaction.atomic():
        free = IndexedFleet.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now), pk=fleet.pk)
        is_held = free.update(lease=token, leased_until=until, tried_at=now)
    if not is_held:
        yield None
        return
    try:
        yield token
    finally:
        IndexedFleet.objects.filter(pk=fleet.pk, lease=token).update(lease="", leased_until=None)


def _find_or_begin(fleet: IndexedFleet, session: ApiSession) -> Pass:
    """The pass under way, or the next one. The caller has the lease, so no other process begins one."""
    latest = fleet.passes.order_by("-number").first()
    if latest and latest.outcome == Outcome.WALKING:
        return latest
    limit = min(LARGEST_PAGE, read_largest_page(session.region) or LARGEST_PAGE)
    number = latest.number + 1 if latest else 1
    return Pass.objects.create(fleet=fleet, number=number, started_at=timezone.now(), limit=limit)


def _commit(fleet: IndexedFleet, lease: str, walk: Pass, page: FetchedPage, *, is_urgent: bool) -> Step:
    """Write the page and move the marker, in one transaction. Nothing, if the lease was lost or the fleet is gone."""
    with transaction.atomic():
        locked = IndexedFleet.objects.select_for_update().filter(pk=fleet.pk, lease=lease).first()
        if locked is None:
            return _in(StepState.BUSY, BUSY_PAUSE)
        count = write_page(locked, page, walked=walk.number)
        passes.advance(walk, page, count)
        if walk.outcome != Outcome.WALKING:
            passes.finish(locked, walk)
        walk.save()
        locked.pause, locked.paused_until, locked.succeeded_at = "", None, page.fetched_at
        locked.save()
    _learn_page_size(page, walk)
    if walk.outcome != Outcome.WALKING:
        log.info("fleet_walked", region=locked.region, outcome=walk.outcome, pages=walk.pages, seen=walk.seen)
    return Step(StepState.MADE, find_due(locked, walk, is_urgent=is_urgent))


def _learn_page_size(page: FetchedPage, walk: Pass) -> None:
    """Remember the page size that ByCloud allows, after it has rejected or cut a larger one."""
    region = page.session.region
    query = InstanceQuery(limit=walk.limit, marker=walk.marker)
    cut = find_cut(page.page, walk.limit) if says_more(page.page, query) else None
    allowed = cut or walk.limit
    if allowed < min(LARGEST_PAGE, read_largest_page(region) or LARGEST_PAGE):
        learn_largest_page(region, allowed)


def _fail(fleet: IndexedFleet, lease: str, walk: Pass, error: FetchError) -> Step:
    """Pause the walk, or end it where it cannot go on. What the index holds stays as it is."""
    now = timezone.now()
    with transaction.atomic():
        locked = IndexedFleet.objects.select_for_update().filter(pk=fleet.pk, lease=lease).first()
        if locked is None:
            return _in(StepState.BUSY, BUSY_PAUSE)
        if passes.step_back(walk, error):
            pause = timedelta()
        elif error.kind in passes.REJECTIONS:
            walk.outcome, pause = Outcome.ABANDONED, REJECTED_PAUSE
        else:
            pause = PAUSE
            is_stuck = now - (locked.succeeded_at or locked.created_at) > LONGEST_TROUBLE
            if is_stuck and error.kind not in passes.LIMITS and walk.marker is not None:
                walk.outcome = Outcome.ABANDONED
        if walk.outcome != Outcome.WALKING:
            passes.finish(locked, walk)
        walk.save()
        locked.pause = error.kind if pause else ""
        locked.paused_until = max(now + pause, error.retry_at or now) if pause else None
        locked.save()
    state = StepState.STOPPED if error.kind in passes.REJECTIONS else StepState.WAITING
    return Step(state, find_due(locked, walk), error)


def _in(state: StepState, wait: timedelta) -> Step:
    return Step(state, timezone.now() + wait)
