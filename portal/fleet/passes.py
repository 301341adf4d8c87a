"""What one page means for the walk that has read it: where it goes on, when it ends, and who is missing then.

Nothing here sends a request. The caller has the lease, holds the lock on the fleet, and saves both rows.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef
from django.utils import timezone

from portal.bycloud import InstanceQuery, decode_instance
from portal.bycloud.cursors import find_cut, find_last_id, find_next_marker, has_next
from portal.fleet.index import PageCount
from portal.fleet.models import (
    LONGEST_VALUE,
    ChangeKind,
    Facet,
    IndexedFleet,
    IndexedInstance,
    ObservedChange,
    Outcome,
    Pass,
    Term,
)
from portal.fleet.privacy import delete_instances
from portal.fleet.records import list_facts, read_body
from portal.gateway import FetchedPage, FetchError

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Kinds of errors that stop a walk until the credential is accepted again, and those that only say to wait.
REJECTIONS = frozenset({"rejected", "forbidden"})
LIMITS = frozenset({"rate-limit-reached", "rate-limited", "busy"})
# Page sizes to try when ByCloud rejects the largest one, and the statuses with which it may do so.
SMALLER_PAGES = (100, 50, 20)
REJECTED_SIZE = frozenset({400, 413, 422})
TRAIL = 8
MOST_EMPTY = 20
# By how much the instances seen and `meta.total` may differ: the list changes while it is read.
SLACK, SLACK_SHARE = 2, 0.005
# More instances than that are no fleet, but a cursor without end.
MOST_SEEN = 1_000_000
# So many are not believed to be gone after one walk.
MANY, MANY_SHARE = 10, 0.2
# How long changes and instances that are gone are kept, and how many passes.
KEPT = timedelta(days=30)
KEPT_PASSES = 10


def advance(walk: Pass, page: FetchedPage, count: PageCount) -> None:
    """Count the page, and go on to the next one, or end the walk."""
    given = page.page.instances or ()
    query = InstanceQuery(limit=walk.limit, marker=walk.marker)
    limit = find_cut(page.page, walk.limit) or walk.limit
    next_marker = find_next_marker(page.page, query, limit, walk.seen + walk.duplicates + 1)
    if page.left_out:
        # The list goes on with those that were sent too early, whatever the page says of its end.
        next_marker = find_last_id(given)
    _count(walk, page, count)
    if walk.is_checking:
        if count.new and next_marker:
            walk.marker = next_marker
        else:
            walk.outcome = _judge(walk)
    elif (given and not count.new and has_next(page.page)) or walk.seen > 2 * (
        walk.last_total or MOST_SEEN
    ) + MOST_SEEN:
        walk.outcome = Outcome.ENDLESS
    elif walk.empty > MOST_EMPTY:
        walk.outcome = Outcome.ABANDONED
    elif next_marker:
        ids = [walk.marker, *(find_last_id((instance,)) for instance in given[-TRAIL:])]
        walk.trail = [*walk.trail, *(each for each in ids if each and each != next_marker)][-TRAIL:]
        walk.marker = next_marker
    elif given and has_next(page.page):
        # The list goes on, but does not say where.
        walk.outcome = Outcome.ENDLESS
    elif not given and walk.trail and not _is_near(walk):
        # Nothing may follow a marker whose instance is gone.
        walk.marker = walk.trail.pop()
    elif walk.marker is None:
        # The whole list is this page.
        walk.outcome = _judge(walk)
    else:
        walk.is_checking, walk.marker, walk.trail = True, None, []


def step_back(walk: Pass, error: FetchError) -> bool:
    """Whether the walk can go on at once after a rejected request: with a smaller page, or from an earlier marker."""
    if error.kind != "invalid-request":
        return False
    if walk.marker is None:
        smaller = next((size for size in SMALLER_PAGES if size < walk.limit), None)
        if smaller is None or error.status not in REJECTED_SIZE:
            return False
        walk.limit = smaller
        return True
    if walk.trail:
        walk.marker = walk.trail.pop()
    else:
        walk.outcome = Outcome.ABANDONED
    return True


def finish(fleet: IndexedFleet, walk: Pass) -> None:
    """Draw the conclusions from a walk that has ended. Only a complete one says that instances are missing."""
    now = timezone.now()
    walk.finished_at = now
    fleet.passes.filter(number__lte=walk.number - KEPT_PASSES).delete()
    if walk.outcome != Outcome.COMPLETE:
        return
    _settle_absent(fleet, walk, now)
    fleet.completed_at = walk.started_at
    fleet.baseline_at = fleet.baseline_at or now
    delete_instances(IndexedInstance.objects.filter(fleet=fleet, gone_at__lt=now - KEPT))
    ObservedChange.objects.filter(fleet=fleet, until__lt=now - KEPT).delete()
    Term.objects.filter(~Exists(Facet.objects.filter(term=OuterRef("pk"))), fleet=fleet).delete()


def _count(walk: Pass, page: FetchedPage, count: PageCount) -> None:
    total = page.page.meta.total if page.page.meta else None
    if total is not None and 0 <= total <= MOST_SEEN * MOST_SEEN:
        walk.first_total = total if walk.first_total is None else walk.first_total
        walk.last_total = total
    walk.pages += 1
    walk.seen += count.new
    walk.duplicates += 0 if walk.is_checking else count.again
    walk.empty = 0 if page.page.instances else walk.empty + 1


def _judge(walk: Pass) -> Outcome:
    return Outcome.COMPLETE if _is_near(walk) else Outcome.DRIFTED


def _is_near(walk: Pass) -> bool:
    """Whether the walk has seen about as many instances as there are, as far as ByCloud says how many."""
    total = walk.last_total
    return total is None or abs(walk.seen - total) <= max(SLACK, SLACK_SHARE * total)


def _settle_absent(fleet: IndexedFleet, walk: Pass, now: datetime) -> None:
    """Who was not seen is missing; who was missing already is gone."""
    unseen = IndexedInstance.objects.filter(fleet=fleet, gone_at=None, last_seen__lt=walk.started_at)
    unseen = unseen.exclude(walked=walk.number)
    settle_gone(fleet, unseen.filter(missing_at__isnull=False), now)
    newly = unseen.filter(missing_at=None)
    count = newly.count()
    present = IndexedInstance.objects.filter(fleet=fleet, missing_at=None).count()
    if count > MANY and count > MANY_SHARE * present and not fleet.held_back:
        fleet.held_back = count
    else:
        fleet.held_back = 0
        newly.update(missing_at=now)


def settle_gone(fleet: IndexedFleet, gone: "QuerySet[IndexedInstance]", now: datetime) -> None:
    """Call instances gone that are missing already, and record that. The caller holds the lock on the fleet."""
    rows = gone.values_list("instance_id", "last_seen", "missing_at", "body__body")
    ObservedChange.objects.bulk_create(
        (
            ObservedChange(
                fleet=fleet,
                instance_id=instance_id,
                name=list_facts(decode_instance(read_body(body)))[ChangeKind.NAME][:LONGEST_VALUE],
                kind=ChangeKind.VANISHED,
                since=last_seen,
                until=missing_at or timezone.now(),
            )
            for instance_id, last_seen, missing_at, body in rows.iterator()
        ),
        batch_size=1000,
    )
    gone.update(gone_at=now)
