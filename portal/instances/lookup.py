"""Finds one instance, by documented means only: from the cache, by exact name, then by a bounded search of the list."""

from dataclasses import dataclass, replace
from time import monotonic

from django.conf import settings

from portal import gateway
from portal.bycloud import LARGEST_LIMIT, InstancePage, InstanceQuery, InvalidResponse, TimedOut
from portal.bycloud.cursors import has_next
from portal.gateway import ApiSession, Cached, CachedInstance, FetchError, FetchFailed, FetchPolicy
from portal.instances.services import is_late, list_page, list_rows

SCAN_CALLS = 5


@dataclass(eq=False)
class InstanceNotFoundError(Exception):
    """Not among the first `searched` of `total` instances. `next_marker` is where the search can go on, or None.

    `page` is the last one that was searched.
    """

    searched: int
    total: int | None
    next_marker: str | None
    page: Cached[InstancePage]


def find_instance(
    session: ApiSession,
    instance_id: str,
    *,
    name: str | None = None,
    marker: str | None = None,
    policy: FetchPolicy = FetchPolicy.CACHE_FIRST,
) -> Cached[CachedInstance]:
    """One instance, by documented means only: from the cache, by exact name, then by a bounded search of the list.

    `instance_id` is in lower case and also matches an id that upstream writes in upper case. `name` is a hint, `marker`
    is where an earlier search stopped. Everything happens within one deadline, and no request starts in its second
    half. A search reads at most `SCAN_CALLS` pages of `LARGEST_LIMIT`. If the fetch fails, the cached instance is
    returned with the error in it; without one, `FetchFailed` is raised. Raises
    `InstanceNotFoundError` if it is on no page.
    """
    stored = _read_instance(session, instance_id)
    if stored and policy.accepts(stored.age_seconds):
        return stored
    # A member who opens an instance that is not cached wants the current data.
    policy = FetchPolicy.LOOKUP if policy is FetchPolicy.CACHE_FIRST else policy
    name = stored.value.instance.name if stored else name
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    try:
        if name and marker is None:
            found = _find_by_name(session, instance_id, name, policy, ends_at)
            if found:
                return found
        return _walk(session, instance_id, marker, ends_at)
    except FetchFailed as failure:
        if stored is None:
            raise
        return replace(stored, error=failure.error)


def _read_instance(session: ApiSession, instance_id: str) -> Cached[CachedInstance] | None:
    """From the cache, by the id as upstream writes it: in lower case, or else in upper case."""
    return gateway.read_instance(session, instance_id) or gateway.read_instance(session, instance_id.upper())


def _find_by_name(
    session: ApiSession, instance_id: str, name: str, policy: FetchPolicy, ends_at: float
) -> Cached[CachedInstance] | None:
    query = InstanceQuery(name=name, limit=LARGEST_LIMIT)
    try:
        return _find_on(session, instance_id, list_rows(session, query, policy, ends_at).page)
    except FetchFailed as failure:
        if failure.error.kind != "invalid-request":
            raise
        # If ByCloud rejects the name, that says nothing about the instance.
        return None


def _find_on(session: ApiSession, instance_id: str, page: Cached[InstancePage]) -> Cached[CachedInstance] | None:
    ids = [instance.id for instance in page.value.instances or () if instance.id]
    given_id = next((given for given in ids if given.lower() == instance_id), None)
    found = gateway.read_instance(session, given_id) if given_id else None
    if found is None:
        return None
    call = found.upstream_call if page.upstream_call.from_store else page.upstream_call
    return replace(found, error=page.error, upstream_call=call)


def _walk(session: ApiSession, instance_id: str, marker: str | None, ends_at: float) -> Cached[CachedInstance]:
    if is_late(ends_at):
        # A retry finds the result of the search by name in the cache, and continues from there.
        raise FetchFailed(FetchError.from_error(TimedOut("There was no time left to search the list")))
    for _ in range(SCAN_CALLS):
        query = InstanceQuery(limit=LARGEST_LIMIT, marker=marker)
        listing = list_page(session, query, FetchPolicy.SCAN, ends_at)
        found = _find_on(session, instance_id, listing.page)
        if found:
            return found
        if listing.page.error:
            # The cached page may be older than the instance.
            raise FetchFailed(listing.page.error)
        marker = listing.next_marker
        if marker is None or is_late(ends_at):
            break
    if marker is None and (has_next(listing.page.value) or listing.page.upstream_call.left_out):
        # The list was not searched completely, so "No such instance" would be wrong.
        raise FetchFailed(
            FetchError.from_error(InvalidResponse("The list goes on, but does not say where", path="$.links.next"))
        )
    if marker is None and not listing.says_more:
        for given_id in (instance_id, instance_id.upper()):
            gateway.forget_instance(session, given_id)
    searched = (listing.first_position or 1) - 1 + len(listing.instances)
    raise InstanceNotFoundError(searched=searched, total=listing.total, next_marker=marker, page=listing.page)
