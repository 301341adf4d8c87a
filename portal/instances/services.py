"""Reads pages of the list with their neighbours.

Depends on the gateway and the ByCloud client, but not on requests or templates. lookup.py finds one instance.
"""

import re
from dataclasses import dataclass, replace
from time import monotonic
from typing import NamedTuple

import msgspec
from django.conf import settings

from portal import gateway
from portal.bycloud import DEFAULT_LIMIT, Instance, InstancePage, InstanceQuery
from portal.bycloud.cursors import (
    PagePosition,
    find_cut,
    find_last_id,
    find_next_marker,
    find_previous,
    find_total,
    says_more,
)
from portal.gateway import ApiSession, Cached, FetchError, FetchFailed, FetchPolicy, FoundPage

# The page sizes to try if ByCloud rejects the requested one: the maximum is not documented. The default size is, so if
# it is rejected, the error must be about something else.
SMALLER_PAGES = (50, DEFAULT_LIMIT)
# The number of empty pages that a request skips. After that the member presses Continue.
MOST_SKIPPED = 4
REFUSED_PARAMETER = frozenset({400, 422})
# What an error message may call the page size.
_PAGE_SIZE = re.compile(r"\b(?:limit|page.?size|per.?page)\b", re.IGNORECASE)


_POSITION_DECODER = msgspec.msgpack.Decoder(PagePosition)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list, with its neighbours.

    `previous_marker` None with `has_previous` means the first page. `first_position` is the 1-based position of the
    first row. `total` and `first_position` are None if they are not known. `marker_is_gone`: the requested marker was
    invalid, and this is the first page instead.

    `says_more`: according to ByCloud there are more instances, so that a page without rows is not the end. `limit` is
    the page size that was requested from ByCloud, `largest_limit` the maximum that was learned.
    """

    page: Cached[InstancePage]
    instances: tuple[Instance, ...]
    total: int | None
    next_marker: str | None
    has_previous: bool
    previous_marker: str | None
    first_position: int | None
    says_more: bool = False
    limit: int = DEFAULT_LIMIT
    largest_limit: int | None = None
    marker_is_gone: bool = False


def list_instances(
    session: ApiSession, query: InstanceQuery, *, policy: FetchPolicy = FetchPolicy.CACHE_FIRST
) -> Listing:
    """One page of the list. Raises `FetchFailed` if the fetch fails and the page is not cached.

    A page without rows is not the end if ByCloud says that more follow: up to `MOST_SKIPPED` of the next pages are
    fetched at once. If a marker is rejected, or nothing follows it, the first page is returned.
    """
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    if query.marker is None:
        return list_rows(session, query, policy, ends_at)
    try:
        listing = list_rows(session, query, policy, ends_at)
    except FetchFailed as failure:
        is_gone = failure.error.kind == "invalid-request"
        if not is_gone:
            raise
    else:
        error = listing.page.error
        is_end = not listing.instances and not listing.says_more
        is_gone = is_end or (error is not None and error.kind == "invalid-request")
        if not is_gone:
            return listing
    first = list_rows(session, msgspec.structs.replace(query, marker=None), policy, ends_at)
    return replace(first, marker_is_gone=is_gone)


def list_rows(session: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Listing:
    """A page, or the next one that has rows. The link to the previous page stays that of the first one."""
    listing = first = list_page(session, query, policy, ends_at)
    skipped = {query.marker}
    while not listing.instances and listing.next_marker and listing.next_marker not in skipped:
        if len(skipped) > MOST_SKIPPED or listing.page.error or is_late(ends_at):
            break
        skipped.add(listing.next_marker)
        following = msgspec.structs.replace(query, marker=listing.next_marker)
        try:
            listing = list_page(session, following, policy, ends_at)
        except FetchFailed as failure:
            # Return what is known: no rows so far, and a next page.
            return replace(listing, page=replace(listing.page, error=failure.error))
        listing = replace(listing, has_previous=first.has_previous, previous_marker=first.previous_marker)
        if listing.next_marker and not listing.page.upstream_call.from_store:
            _store_position(session, query, listing)
    # If the marker leads back to a skipped page, there is more, but no way to get there.
    return replace(listing, next_marker=None) if listing.next_marker in skipped else listing


def list_page(session: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Listing:
    """Exactly the requested page."""
    sized = _read_page(session, query, policy, ends_at)
    listing = _describe_page(session, query, sized)
    if listing.next_marker and not sized.page.upstream_call.from_store:
        _store_position(session, query, listing)
    return listing


def find_listing(session: ApiSession, query: InstanceQuery) -> Listing | None:
    """Exactly the requested page if it is cached, however old it is. Sends no request."""
    sized, found = _find_page(session, query)
    page = gateway.read_cached_page(found)
    if page is None:
        return None
    limit = sized.limit or DEFAULT_LIMIT
    return _describe_page(session, query, _Sized(page, find_cut(page.value, limit) or limit, found.largest_limit))


def _describe_page(session: ApiSession, query: InstanceQuery, sized: "_Sized") -> Listing:
    page, limit, largest_limit = sized
    instances = page.value.instances or ()
    position = (
        PagePosition(None, 1)
        if query.marker is None
        else gateway.get_cached(session, _position_name(query), _POSITION_DECODER)
    )
    first_position = position.first_position if position else None
    next_marker = find_next_marker(page.value, query, limit, first_position)
    left_out = page.upstream_call.left_out
    if left_out:
        # The list goes on with those that were sent too early, whatever the answer says of its end.
        last = find_last_id(instances)
        next_marker = None if last == query.marker else last
    has_previous, previous_marker = find_previous(page.value, query, position)
    return Listing(
        page=page,
        instances=instances,
        total=find_total(page.value, query, next_marker, first_position),
        next_marker=next_marker,
        has_previous=has_previous,
        previous_marker=previous_marker,
        first_position=first_position,
        says_more=next_marker is not None or left_out > 0 or says_more(page.value, query),
        limit=limit,
        largest_limit=largest_limit,
    )


def _store_position(session: ApiSession, query: InstanceQuery, listing: Listing) -> None:
    """Store the position of the next page, and that it follows the page of `query`."""
    position = listing.first_position
    following = PagePosition(query.marker, position + len(listing.instances) if position else None)
    gateway.set_cached(session, _position_name(msgspec.structs.replace(query, marker=listing.next_marker)), following)


def _position_name(query: InstanceQuery) -> str:
    return f"position:{query.to_query_string()}"


def is_late(ends_at: float) -> bool:
    """Whether no further request should start: less than half of the deadline is left."""
    return ends_at - monotonic() < settings.BYCLOUD_LIMITS.deadline_seconds / 2


class _Sized(NamedTuple):
    """A page, the page size that was requested, and the maximum that was learned, if any."""

    page: Cached[InstancePage]
    limit: int
    largest: int | None


def _read_page(session: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> _Sized:
    """A page in the requested size, or in the largest one that ByCloud allows."""
    query, found = _find_page(session, query)
    largest = found.largest_limit
    asked = query.limit or DEFAULT_LIMIT
    smaller = tuple(size for size in SMALLER_PAGES if size < asked)
    page, limit = _read_sized_page(session, query, smaller, policy, ends_at, found=found)
    is_refused = limit < asked
    cut = find_cut(page.value, limit)
    # The last page, or a filtered one, may report its number of rows as its limit.
    is_cut = cut and not query.has_filters and says_more(page.value, query)
    if not page.upstream_call.from_store and (is_refused or is_cut):
        largest = cut or limit
        gateway.learn_largest_page(session.region, largest)
    return _Sized(page, cut or limit, largest)


def _find_page(session: ApiSession, query: InstanceQuery) -> tuple[InstanceQuery, FoundPage]:
    """What is cached of a page, and the query for it in the largest size that is known to be allowed."""
    found = gateway.find_page(session, query)
    if found.largest_limit and (query.limit or DEFAULT_LIMIT) > found.largest_limit:
        query = msgspec.structs.replace(query, limit=found.largest_limit)
        found = gateway.find_page(session, query)
    return query, found


def _read_sized_page(
    session: ApiSession,
    query: InstanceQuery,
    smaller: tuple[int, ...],
    policy: FetchPolicy,
    ends_at: float,
    *,
    found: FoundPage | None = None,
) -> tuple[Cached[InstancePage], int]:
    """The page. If its size is rejected, the first smaller size that is not."""
    try:
        page = gateway.read_page(session, query, policy=policy, ends_at=ends_at, found=found)
    except FetchFailed as failure:
        if not smaller or not _may_be_of_limit(failure.error, query):
            raise
    else:
        if not smaller or page.error is None or not _may_be_of_limit(page.error, query):
            return page, query.limit or DEFAULT_LIMIT
    return _read_sized_page(session, msgspec.structs.replace(query, limit=smaller[0]), smaller[1:], policy, ends_at)


def _may_be_of_limit(error: FetchError, query: InstanceQuery) -> bool:
    """Whether an error may be about the page size: it names it, or there is hardly anything else it could be about."""
    if error.kind != "invalid-request" or error.status not in REFUSED_PARAMETER:
        return False
    text = f"{error.message} {error.details or ''}"
    if _PAGE_SIZE.search(text):
        return True
    return not query.has_filters and not query.marker and (query.limit or DEFAULT_LIMIT) > DEFAULT_LIMIT
