"""Finds one instance: in the index, then with one request by its name, then on the pages that a walk goes on to read.

Without an index, the list itself is searched within bounds.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from django.conf import settings

from portal.bycloud import (
    LARGEST_LIMIT,
    ByCloudError,
    InstancePage,
    InstanceQuery,
    InvalidResponse,
    TimedOut,
    split_instances,
)
from portal.bycloud.cursors import has_next
from portal.fleet.feed import find_fleet
from portal.fleet.lookup import Sighting, confirm_gone
from portal.fleet.passes import LIMITS
from portal.fleet.search import Totals, list_indexed, sum_up
from portal.fleet.walk import StepState, make_step
from portal.gateway import ApiSession, Cached, CachedInstance, FetchError, FetchFailed, FetchPolicy, UpstreamCall
from portal.instances.indexed import (
    Coverage,
    IndexUnavailableError,
    OpenIndex,
    measure_coverage,
    open_index,
    read_sighting,
)
from portal.instances.services import Listing, is_late, list_page, list_rows

# How many pages one request reads, as steps of the walk or without an index.
SCAN_CALLS = 5


class Absence(NamedTuple):
    """ByCloud does not list the instance any more: it was seen at `since`, and not at `until`.

    `is_gone`: a complete walk has not found it, and neither has the next one or a query by its name. Otherwise it may
    have been renamed.
    """

    is_gone: bool
    since: datetime
    until: datetime


class FoundInstance(NamedTuple):
    """An instance, from the index (`is_indexed`) or from a page."""

    cached: Cached[CachedInstance]
    is_indexed: bool = False
    absence: Absence | None = None

    @property
    def is_gone(self) -> bool:
        return self.absence is not None and self.absence.is_gone

    def with_error(self, error: FetchError | None) -> "FoundInstance":
        return self._replace(cached=replace(self.cached, error=error))


@dataclass(eq=False)
class InstanceNotFoundError(Exception):
    """Not among the `searched` instances of `total`.

    `coverage` and `totals` are those of the index. Without one they are None, the list was searched instead, and
    `next_marker` is where that can go on, or None.
    """

    searched: int
    total: int | None
    coverage: Coverage | None = None
    totals: Totals | None = None
    next_marker: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether everything was searched."""
        return self.coverage.is_complete if self.coverage else self.next_marker is None


def find_instance(
    session: ApiSession,
    instance_id: str,
    *,
    name: str | None = None,
    marker: str | None = None,
    policy: FetchPolicy = FetchPolicy.CACHE_FIRST,
) -> FoundInstance:
    """One instance, as the index has it if that will do.

    Otherwise from one request: by the name that the index has, or else by `name`, or without any the first page. If it
    is not there, from the index after the next steps of the walk, as far as it is time for them. Without an index, the
    list is searched from `marker` on. At most `SCAN_CALLS` pages are read, and no request starts in the second half of
    the deadline.

    `instance_id` is in lower case and also matches an id that upstream writes in upper case. If the fetch fails, what
    is known is returned with the error in it; without, `FetchFailed` is raised. Raises `InstanceNotFoundError`.
    """
    known = _read_index(session, instance_id)
    if known and _is_enough(known, policy):
        return known
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    try:
        found, listing = _request(session, instance_id, known, name, policy=policy, ends_at=ends_at)
        if found:
            return found
        if is_late(ends_at):
            # A retry finds the result of the request in the cache, and continues from there.
            raise _fail(TimedOut("There was no time left to search the list"))
        try:
            with open_index(session, is_refresh=policy is not FetchPolicy.CACHE_FIRST) as index:
                return _look_again(session, index, instance_id, listing, ends_at)
        except IndexUnavailableError:
            return known or _search_list(session, instance_id, marker, ends_at)
    except FetchFailed as failure:
        if known is None:
            raise
        return known.with_error(failure.error)


def _read_index(session: ApiSession, instance_id: str) -> FoundInstance | None:
    sighting = read_sighting(session, instance_id)
    return describe_sighting(sighting) if sighting else None


def describe_sighting(sighting: Sighting) -> FoundInstance:
    """The instance as the index has it."""
    seen_at, missing_at = sighting.seen_at, sighting.missing_at
    name = sighting.instance.name
    target = InstanceQuery(name=name or None, limit=LARGEST_LIMIT).to_target()
    # The request that would fetch it; that of the page it was seen on is not kept.
    call = UpstreamCall(target=target, elapsed_seconds=0, request_id=None, from_store=True)
    cached = Cached(CachedInstance(sighting.instance, sighting.source), seen_at, call)
    absence = Absence(is_gone=sighting.gone_at is not None, since=seen_at, until=missing_at) if missing_at else None
    return FoundInstance(cached, is_indexed=True, absence=absence)


def _is_enough(known: FoundInstance, policy: FetchPolicy) -> bool:
    """Whether nothing is to be asked. One that is missing is looked up before it is called gone."""
    if known.absence:
        return known.is_gone and not policy.is_explicit
    return policy.accepts(known.cached.age_seconds)


def _request(
    session: ApiSession,
    instance_id: str,
    known: FoundInstance | None,
    name: str | None,
    *,
    policy: FetchPolicy,
    ends_at: float,
) -> tuple[FoundInstance | None, Listing]:
    """The instance, if one request finds it, and the instances that the request has found. Raises `FetchFailed`."""
    if known:
        name = known.cached.value.instance.name
    elif policy is FetchPolicy.CACHE_FIRST:
        found, listing = _ask(session, instance_id, name, policy, ends_at)
        if found:
            return found, listing
    # A cached page may be older than the instance.
    asked = FetchPolicy.LOOKUP if policy is FetchPolicy.CACHE_FIRST else policy
    found, listing = _ask(session, instance_id, name, asked, ends_at)
    error = listing.page.error
    if found is None and error and error.kind not in LIMITS:
        raise FetchFailed(error)
    if found and known and found.cached.fetched_at < known.cached.fetched_at:
        found = known.with_error(error)
    return found, listing


def _ask(
    session: ApiSession, instance_id: str, name: str | None, policy: FetchPolicy, ends_at: float
) -> tuple[FoundInstance | None, Listing]:
    """The instance, if it is among those with this name or, without one, on the first page; and these instances.

    The first page also if ByCloud rejects the name, which says nothing of the instance.
    """
    try:
        listing = list_rows(session, InstanceQuery(name=name or None, limit=LARGEST_LIMIT), policy, ends_at)
    except FetchFailed as failure:
        if not name or failure.error.kind != "invalid-request":
            raise
        return _ask(session, instance_id, None, policy, ends_at)
    return _find_on(listing.page, instance_id), listing


def _find_on(page: Cached[InstancePage], instance_id: str) -> FoundInstance | None:
    for number, instance in enumerate(page.value.instances or ()):
        if instance.id and instance.id.lower() == instance_id:
            value = CachedInstance(instance, split_instances(page.body)[number])
            return FoundInstance(Cached(value, page.fetched_at, page.upstream_call, page.error))
    return None


def _look_again(
    session: ApiSession, index: OpenIndex, instance_id: str, listing: Listing, ends_at: float
) -> FoundInstance:
    """As the index has it after the next steps of the walk. `listing` did not have it."""
    found, step, steps = _read_index(session, instance_id), index.step, 1
    while found is None and step and step.state is StepState.MADE and steps < SCAN_CALLS and not is_late(ends_at):
        step, steps = make_step(session, is_urgent=True), steps + 1
        found = _read_index(session, instance_id)
    error = step.error if step and step.error and step.error.kind not in LIMITS else None
    if found is None:
        if error:
            raise FetchFailed(error)
        index = OpenIndex(find_fleet(session) or index.fleet, step)
        coverage, totals = measure_coverage(index), sum_up(list_indexed(index.fleet))
        if coverage.is_endless and not coverage.is_complete:
            raise _fail(_no_way_on())
        raise InstanceNotFoundError(totals.instances, coverage.total, coverage, totals)
    asked_at, seen_at = listing.page.fetched_at, found.cached.fetched_at
    if listing.says_more or found.is_gone or seen_at >= asked_at:
        return found.with_error(error)
    if found.absence:
        confirm_gone(index.fleet, instance_id, asked_at=asked_at)
        return found._replace(absence=found.absence._replace(is_gone=True))
    return found._replace(absence=Absence(is_gone=False, since=seen_at, until=asked_at))


def _search_list(session: ApiSession, instance_id: str, marker: str | None, ends_at: float) -> FoundInstance:
    """Without an index."""
    for _ in range(SCAN_CALLS):
        query = InstanceQuery(limit=LARGEST_LIMIT, marker=marker)
        listing = list_page(session, query, FetchPolicy.SCAN, ends_at)
        found = _find_on(listing.page, instance_id)
        if found:
            return found
        if listing.page.error:
            raise FetchFailed(listing.page.error)
        marker = listing.next_marker
        if marker is None or is_late(ends_at):
            break
    if marker is None and (has_next(listing.page.value) or listing.page.upstream_call.left_out):
        # The list was not searched completely, so "No such instance" would be wrong.
        raise _fail(_no_way_on())
    searched = (listing.first_position or 1) - 1 + len(listing.instances)
    raise InstanceNotFoundError(searched, listing.total, next_marker=marker)


def _no_way_on() -> InvalidResponse:
    return InvalidResponse("The list goes on, but does not say where", path="$.links.next")


def _fail(error: ByCloudError) -> FetchFailed:
    return FetchFailed(FetchError.from_error(error))
