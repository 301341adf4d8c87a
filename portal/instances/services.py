"""Reads instances for the pages: a list with its neighbouring pages, one instance by id, and values for filters.

Depends on the gateway and the ByCloud client, but not on requests or templates.
"""

import re
from dataclasses import dataclass, replace
from time import monotonic
from typing import NamedTuple, TypeGuard
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
from django.conf import settings

from portal import gateway
from portal.bycloud import Instance, InstancePage, InstanceQuery, InvalidResponse, TimedOut
from portal.gateway import ApiSession, Cached, CachedInstance, FetchError, FetchFailed, FetchPolicy

LARGEST_PAGE = 100
USUAL_PAGE = 20
# The page sizes to try if ByCloud rejects the requested one: the maximum is not documented. The default size is, so if
# it is rejected, the error must be about something else.
SMALLER_PAGES = (50, USUAL_PAGE)
SWEEP_CALLS = 5
# The number of empty pages that a request skips. After that the member presses Continue.
MOST_PASSED_OVER = 4
REFUSED_PARAMETER = frozenset({400, 422})
# What an error message may call the page size.
_PAGE_SIZE = re.compile(r"\b(?:limit|page.?size|per.?page)\b", re.IGNORECASE)
MOST_SEEN = 200
LONGEST_SEEN = 128
LONGEST_LINK = 4096


class NamedRef(msgspec.Struct, frozen=True):
    """A flavor or an image with its name, as found in instances."""

    id: str
    name: str


class KnownValues(msgspec.Struct, frozen=True):
    """Values found in the pages fetched so far: suggestions for filters, each kind sorted.

    At most `MOST_SEEN` of a kind, none longer than `LONGEST_SEEN`, because every list page contains them.
    """

    flavors: tuple[NamedRef, ...] = ()
    images: tuple[NamedRef, ...] = ()
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    """The position of a page: the marker of the page before it (None: the first page) and its first row's position."""

    previous_marker: str | None
    first_position: int | None


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
    limit: int = USUAL_PAGE
    largest_limit: int | None = None
    marker_is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    instance: Cached[CachedInstance]


@dataclass(frozen=True, slots=True)
class Missing:
    """Not among the first `searched` of `total` instances. `next_marker` is where the search can go on, or None.

    `page` is the last one that was searched.
    """

    searched: int
    total: int | None
    next_marker: str | None
    page: Cached[InstancePage]


def list_instances(
    access: ApiSession, query: InstanceQuery, *, policy: FetchPolicy = FetchPolicy.CACHE_FIRST
) -> Listing:
    """One page of the list. Raises `FetchFailed` if the fetch fails and the page is not cached.

    A page without rows is not the end if ByCloud says that more follow: up to `MOST_PASSED_OVER` of the next pages are
    fetched at once. If a marker is rejected, or nothing follows it, the first page is returned.
    """
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    if query.marker is None:
        return _list_rows(access, query, policy, ends_at)
    try:
        listing = _list_rows(access, query, policy, ends_at)
    except FetchFailed as error:
        is_gone = error.trouble.kind == "invalid-request"
        if not is_gone:
            raise
    else:
        trouble = listing.page.trouble
        is_end = not listing.instances and not listing.says_more
        is_gone = is_end or (trouble is not None and trouble.kind == "invalid-request")
        if not is_gone:
            return listing
    first = _list_rows(access, msgspec.structs.replace(query, marker=None), policy, ends_at)
    return replace(first, marker_is_gone=is_gone)


def find_instance(
    access: ApiSession,
    instance_id: str,
    *,
    name: str | None = None,
    marker: str | None = None,
    policy: FetchPolicy = FetchPolicy.CACHE_FIRST,
) -> Found | Missing:
    """One instance, by documented means only: from the cache, by exact name, then by a bounded search of the list.

    `instance_id` is in lower case and also matches an id that upstream writes in upper case. `name` is a hint, `marker`
    is where an earlier search stopped. Everything happens within one deadline, and no request starts in its second
    half. A search reads at most `SWEEP_CALLS` pages of `LARGEST_PAGE`. If the fetch fails, the cached instance is
    returned with the error in it; without one, `FetchFailed` is raised.
    """
    stored = _read_instance(access, instance_id)
    if stored and policy.accepts(stored.age_seconds):
        return Found(stored)
    # A member who opens an instance that is not cached wants the current data.
    policy = FetchPolicy.LOOKUP if policy is FetchPolicy.CACHE_FIRST else policy
    name = stored.value.instance.name if stored else name
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    try:
        if name and marker is None:
            found = _find_by_name(access, instance_id, name, policy, ends_at)
            if found:
                return found
        return _walk(access, instance_id, marker, ends_at)
    except FetchFailed as error:
        if stored is None:
            raise
        return Found(replace(stored, trouble=error.trouble))


def read_known_values(access: ApiSession) -> KnownValues:
    """The values found in the pages fetched with this credential so far."""
    seen = gateway.recall(access, "seen", KnownValues) or KnownValues()
    # Another version may have cached longer values.
    return KnownValues(
        flavors=tuple(filter(_is_suggestion, seen.flavors)),
        images=tuple(filter(_is_suggestion, seen.images)),
        statuses=tuple(filter(_is_suggested, seen.statuses)),
        tags=tuple(filter(_is_suggested, seen.tags)),
    )


def _list_rows(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Listing:
    """A page, or the next one that has rows. The link to the previous page stays that of the first one."""
    listing = first = _list_page(access, query, policy, ends_at)
    passed_over = {query.marker}
    while not listing.instances and listing.next_marker and listing.next_marker not in passed_over:
        if len(passed_over) > MOST_PASSED_OVER or listing.page.trouble or _is_late(ends_at):
            break
        passed_over.add(listing.next_marker)
        following = msgspec.structs.replace(query, marker=listing.next_marker)
        try:
            listing = _list_page(access, following, policy, ends_at)
        except FetchFailed as error:
            # Return what is known: no rows so far, and a next page.
            return replace(listing, page=replace(listing.page, trouble=error.trouble))
        listing = replace(listing, has_previous=first.has_previous, previous_marker=first.previous_marker)
        if listing.next_marker and not listing.page.exchange.from_store:
            _remember_place(access, query, listing)
    # If the marker leads back to a skipped page, there is more, but no way to get there.
    return replace(listing, next_marker=None) if listing.next_marker in passed_over else listing


def _list_page(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Listing:
    page, limit, largest_limit = _read_page(access, query, policy, ends_at)
    instances = page.value.instances or ()
    place = _Place(None, 1) if query.marker is None else gateway.recall(access, _place_name(query), _Place)
    first_position = place.first_position if place else None
    next_marker = _next_marker(page.value, query, limit, first_position)
    left_out = page.exchange.left_out
    if left_out:
        # The list goes on with those that were sent too early, whatever the answer says of its end.
        last = _last_id(instances)
        next_marker = None if last == query.marker else last
    has_previous, previous_marker = _previous(page.value, query, place)
    listing = Listing(
        page=page,
        instances=instances,
        total=_total(page.value, query, next_marker, first_position),
        next_marker=next_marker,
        has_previous=has_previous,
        previous_marker=previous_marker,
        first_position=first_position,
        says_more=next_marker is not None or left_out > 0 or _says_more(page.value, query),
        limit=limit,
        largest_limit=largest_limit,
    )
    if next_marker and not page.exchange.from_store:
        _remember_place(access, query, listing)
    return listing


def _remember_place(access: ApiSession, query: InstanceQuery, listing: Listing) -> None:
    """Store the position of the next page, and that it follows the page of `query`."""
    position = listing.first_position
    following = _Place(query.marker, position + len(listing.instances) if position else None)
    gateway.remember(access, _place_name(msgspec.structs.replace(query, marker=listing.next_marker)), following)


def _total(page: InstancePage, query: InstanceQuery, next_marker: str | None, first_position: int | None) -> int | None:
    """The size of the list, if the response is consistent about it; None if it is not known."""
    meta = page.meta
    total = meta.total if meta and meta.total is not None and meta.total >= 0 else None
    last = (first_position or 1) - 1 + len(page.instances or ())
    if total is not None and total < last:
        # It has changed since, or it is the total of the page.
        total = None
    is_filtered = query != InstanceQuery(limit=query.limit, marker=query.marker)
    has_more = meta.has_more if meta else None
    is_end = first_position is not None and next_marker is None and not has_more
    if total is None or (is_filtered and has_more is False):
        # Counting to the end is reliable: it is not documented whether the total takes filters into account.
        return last if is_end else total
    return total


def _says_more(page: InstancePage, query: InstanceQuery) -> bool:
    """Whether ByCloud says that there are more, even without a next page. After a marker, the total does not tell."""
    meta = page.meta
    total = meta.total if meta and meta.has_more is None and query.marker is None else None
    return _leads_on(page) or (total or 0) > len(page.instances or ())


def _leads_on(page: InstancePage) -> bool:
    """The same without the total, which may have changed or may not take filters into account."""
    has_more = page.meta.has_more if page.meta else None
    return bool(page.links and page.links.next) if has_more is None else has_more


def _next_marker(page: InstancePage, query: InstanceQuery, limit: int, first_position: int | None) -> str | None:
    """The marker of the next page, from whichever of `meta`, `links` and the rows has it; None at the end.

    A cursor that points at itself counts as the end, since following it would never stop.
    """
    instances = page.instances or ()
    has_more = page.meta.has_more if page.meta else None
    linked = _marker_in(page.links.next) if page.links else None
    if has_more is False or (has_more is None and linked is None and not _seems_cut(page, limit, first_position)):
        return None
    marker = linked or _checked(page.meta.marker if page.meta else None) or _last_id(instances)
    return None if marker == query.marker else marker


def _last_id(instances: tuple[Instance, ...]) -> str | None:
    """The last that can be asked for: a row after it that has none is given twice, and hides nothing behind it."""
    return next(filter(None, (_checked(instance.id) for instance in reversed(instances))), None)


def _seems_cut(page: InstancePage, limit: int, first_position: int | None) -> bool:
    """Whether more may follow although the response does not say so: the page is full, and total and links allow it."""
    instances, links = page.instances or (), page.links
    if len(instances) < limit:
        return False
    total = page.meta.total if page.meta else None
    if total is not None and total >= 0 and first_position:
        return total != first_position - 1 + len(instances)
    return not (links and (links.self or links.previous))


def _previous(page: InstancePage, query: InstanceQuery, place: _Place | None) -> tuple[bool, str | None]:
    """Whether there is a previous page, and its marker (None: the first page).

    The position that this portal has stored comes first, because the meaning of `links.previous` is not documented.
    """
    if query.marker is None:
        return False, None
    if place:
        return True, place.previous_marker
    link = page.links.previous if page.links else None
    return bool(link), _marker_in(link)


def _marker_in(link: str | None) -> str | None:
    """The marker in one of ByCloud's links, if it is a UUID. The link itself is never followed."""
    if not link or len(link) > LONGEST_LINK:
        return None
    try:
        return _checked(parse_qs(urlsplit(link).query).get("marker", [None])[-1])
    except ValueError:
        return None


def _checked(marker: str | None) -> str | None:
    try:
        return str(UUID(marker)) if marker else None
    except ValueError:
        return None


def _place_name(query: InstanceQuery) -> str:
    return f"place:{query.to_query_string()}"


class _Sized(NamedTuple):
    """A page, the page size that was requested, and the maximum that was learned, if any."""

    page: Cached[InstancePage]
    limit: int
    largest: int | None


def _read_page(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> _Sized:
    """A page in the requested size, or in the largest one that ByCloud allows."""
    largest = gateway.read_largest_page(access.region)
    if largest and (query.limit or USUAL_PAGE) > largest:
        query = msgspec.structs.replace(query, limit=largest)
    asked = query.limit or USUAL_PAGE
    smaller = tuple(size for size in SMALLER_PAGES if size < asked)
    page, limit = _read_sized_page(access, query, smaller, policy, ends_at)
    is_refused = limit < asked
    cut = _find_cut(page.value, limit)
    if not page.exchange.from_store:
        _remember_seen(access, page.value.instances or ())
        # The last page, or a filtered one, may report its number of rows as its limit.
        is_plain = query == InstanceQuery(limit=query.limit, marker=query.marker)
        if is_refused or (cut and is_plain and _says_more(page.value, query)):
            largest = cut or limit
            gateway.learn_largest_page(access.region, largest)
    return _Sized(page, cut or limit, largest)


def _find_cut(page: InstancePage, limit: int) -> int | None:
    """The page size that ByCloud has reduced the page to, if the page is full and may continue; otherwise None."""
    given, has_more = (page.meta.limit, page.meta.has_more) if page.meta else (None, None)
    is_cut = given is not None and 0 < given < limit and given == len(page.instances or ()) and has_more is not False
    return given if is_cut else None


def _read_sized_page(
    access: ApiSession, query: InstanceQuery, smaller: tuple[int, ...], policy: FetchPolicy, ends_at: float
) -> tuple[Cached[InstancePage], int]:
    """The page. If its size is rejected, the first smaller size that is not."""
    try:
        page = gateway.read_page(access, query, policy=policy, ends_at=ends_at)
    except FetchFailed as error:
        if not smaller or not _may_be_of_limit(error.trouble, query):
            raise
    else:
        if not smaller or page.trouble is None or not _may_be_of_limit(page.trouble, query):
            return page, query.limit or USUAL_PAGE
    return _read_sized_page(access, msgspec.structs.replace(query, limit=smaller[0]), smaller[1:], policy, ends_at)


def _may_be_of_limit(trouble: FetchError, query: InstanceQuery) -> bool:
    """Whether an error may be about the page size: it names it, or there is hardly anything else it could be about."""
    if trouble.kind != "invalid-request" or trouble.status not in REFUSED_PARAMETER:
        return False
    text = f"{trouble.message} {trouble.details or ''}"
    if _PAGE_SIZE.search(text):
        return True
    is_plain = query == InstanceQuery(limit=query.limit)
    return is_plain and (query.limit or USUAL_PAGE) > USUAL_PAGE


def _remember_seen(access: ApiSession, instances: tuple[Instance, ...]) -> None:
    seen = read_known_values(access)
    flavors = {flavor.id: flavor for flavor in seen.flavors}
    images = {image.id: image for image in seen.images}
    for instance in instances:
        for thing, named in ((instance.flavor, flavors), (instance.image, images)):
            if thing and _is_suggested(thing.id) and _is_suggested(thing.name):
                named[thing.id] = NamedRef(thing.id, thing.name)
    now = KnownValues(
        flavors=_first_named(flavors),
        images=_first_named(images),
        statuses=_first_words({*seen.statuses, *filter(_is_suggested, (one.status for one in instances))}),
        tags=_first_words({*seen.tags, *filter(_is_suggested, (tag for one in instances for tag in _first_tags(one)))}),
    )
    if now != seen:
        gateway.remember(access, "seen", now)


def _is_suggested(text: str | None) -> TypeGuard[str]:
    return text is not None and 0 < len(text) <= LONGEST_SEEN


def _is_suggestion(named: NamedRef) -> bool:
    return _is_suggested(named.id) and _is_suggested(named.name)


def _first_tags(instance: Instance) -> tuple[str, ...]:
    return (instance.tags or ())[:MOST_SEEN]


def _first_named(named: dict[str, NamedRef]) -> tuple[NamedRef, ...]:
    return tuple(sorted(named.values(), key=lambda one: (one.name, one.id))[:MOST_SEEN])


def _first_words(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(words)[:MOST_SEEN])


def _read_instance(access: ApiSession, instance_id: str) -> Cached[CachedInstance] | None:
    """From the cache, by the id as upstream writes it: in lower case, or else in upper case."""
    return gateway.read_instance(access, instance_id) or gateway.read_instance(access, instance_id.upper())


def _find_by_name(access: ApiSession, instance_id: str, name: str, policy: FetchPolicy, ends_at: float) -> Found | None:
    query = InstanceQuery(name=name, limit=LARGEST_PAGE)
    try:
        return _find_on(access, instance_id, _list_rows(access, query, policy, ends_at).page)
    except FetchFailed as error:
        if error.trouble.kind != "invalid-request":
            raise
        # If ByCloud rejects the name, that says nothing about the instance.
        return None


def _find_on(access: ApiSession, instance_id: str, page: Cached[InstancePage]) -> Found | None:
    ids = [instance.id for instance in page.value.instances or () if instance.id]
    given_id = next((given for given in ids if given.lower() == instance_id), None)
    found = gateway.read_instance(access, given_id) if given_id else None
    if found is None:
        return None
    exchange = found.exchange if page.exchange.from_store else page.exchange
    return Found(replace(found, trouble=page.trouble, exchange=exchange))


def _is_late(ends_at: float) -> bool:
    return ends_at - monotonic() < settings.BYCLOUD_LIMITS.deadline_seconds / 2


def _walk(access: ApiSession, instance_id: str, marker: str | None, ends_at: float) -> Missing | Found:
    if _is_late(ends_at):
        # A retry finds the result of the search by name in the cache, and continues from there.
        raise FetchFailed(FetchError.from_error(TimedOut("There was no time left to search the list")))
    for _ in range(SWEEP_CALLS):
        query = InstanceQuery(limit=LARGEST_PAGE, marker=marker)
        listing = _list_page(access, query, FetchPolicy.SCAN, ends_at)
        found = _find_on(access, instance_id, listing.page)
        if found:
            return found
        if listing.page.trouble:
            # The cached page may be older than the instance.
            raise FetchFailed(listing.page.trouble)
        marker = listing.next_marker
        if marker is None or _is_late(ends_at):
            break
    if marker is None and (_leads_on(listing.page.value) or listing.page.exchange.left_out):
        # The list was not searched completely, so "No such instance" would be wrong.
        raise FetchFailed(
            FetchError.from_error(InvalidResponse("The list goes on, but does not say where", path="$.links.next"))
        )
    if marker is None and not listing.says_more:
        for given_id in (instance_id, instance_id.upper()):
            gateway.forget_instance(access, given_id)
    searched = (listing.first_position or 1) - 1 + len(listing.instances)
    return Missing(searched=searched, total=listing.total, next_marker=marker, page=listing.page)
