"""The instances as pages ask for them: a list with its way back and on, one instance by id, and what was seen so far.

Knows the gateway and ByCloud's words; knows nothing of requests and templates.
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
from portal.bycloud import BadPayload, Instance, InstancePage, InstanceQuery, TimedOut
from portal.gateway import Access, Asking, Dated, StoredInstance, Trouble, Troubled

LARGEST_PAGE = 100
USUAL_PAGE = 20
# What is tried in the place of a page size that ByCloud refuses: the largest one is not documented. The usual one is,
# so that a refusal of it must be about something else.
SMALLER_PAGES = (50, USUAL_PAGE)
SWEEP_CALLS = 5
# Pages without a row that one view passes over. After that the reader presses Continue.
MOST_PASSED_OVER = 4
REFUSED_PARAMETER = frozenset({400, 422})
# What a refusal may call the page size.
_PAGE_SIZE = re.compile(r"\b(?:limit|page.?size|per.?page)\b", re.IGNORECASE)
MOST_SEEN = 200
LONGEST_SEEN = 128
LONGEST_LINK = 4096


class Named(msgspec.Struct, frozen=True):
    """A flavor or an image as the fleet's instances name it."""

    id: str
    name: str


class Seen(msgspec.Struct, frozen=True):
    """What the pages fetched so far have held: suggestions for filters, each sorted.

    At most `MOST_SEEN` of a kind, none longer than `LONGEST_SEEN`: they stand in every page of the list.
    """

    flavors: tuple[Named, ...] = ()
    images: tuple[Named, ...] = ()
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    """Where a page lies in its list: the marker of the page before (None: the first page) and its first row's place."""

    previous_marker: str | None
    first_position: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list and its neighbours.

    `previous_marker` None with `has_previous` means the first page. `first_position` is the 1-based place of the first
    row. `total` and `first_position` are None where they are not known. `marker_is_gone`: the marker that was asked
    for led nowhere, and this is the first page instead.

    `says_more`: ByCloud says that there are instances beside these, and where there are none here that is not the end.
    `limit` is the size of the page that ByCloud was asked for, `largest_limit` what was learned to be the largest.
    """

    page: Dated[InstancePage]
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
    instance: Dated[StoredInstance]


@dataclass(frozen=True, slots=True)
class Missing:
    """Not among the `searched` instances of `total`; `next_marker` is where the search can go on, None at the end.

    `page` is the last one that was searched.
    """

    searched: int
    total: int | None
    next_marker: str | None
    page: Dated[InstancePage]


def list_instances(access: Access, query: InstanceQuery, *, asking: Asking = Asking.STORED_FIRST) -> Listing:
    """One page of the list. Raises `Troubled` when upstream fails and the page was never seen.

    A page without a row is not the end where ByCloud says that more follows: up to `MOST_PASSED_OVER` of those after it
    are asked for at once. A marker that upstream does not take any more, or that nothing follows, is answered with the
    first page.
    """
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    if query.marker is None:
        return _list_rows(access, query, asking, ends_at)
    try:
        listing = _list_rows(access, query, asking, ends_at)
    except Troubled as error:
        is_gone = error.trouble.kind == "invalid-request"
        if not is_gone:
            raise
    else:
        trouble = listing.page.trouble
        is_end = not listing.instances and not listing.says_more
        is_gone = is_end or (trouble is not None and trouble.kind == "invalid-request")
        if not is_gone:
            return listing
    first = _list_rows(access, msgspec.structs.replace(query, marker=None), asking, ends_at)
    return replace(first, marker_is_gone=is_gone)


def find_instance(
    access: Access,
    instance_id: str,
    *,
    name: str | None = None,
    marker: str | None = None,
    asking: Asking = Asking.STORED_FIRST,
) -> Found | Missing:
    """One instance, by what ByCloud documents: the store, then its exact name, then a bounded walk over the list.

    `instance_id` is in lower case; one that upstream writes in capitals is found by it, too. `name` is a hint,
    `marker` where an earlier walk stopped. All of it takes one deadline at most, and begins nothing in its second
    half; a walk takes at most `SWEEP_CALLS` pages of `LARGEST_PAGE`. Raises `Troubled` when upstream fails and the
    instance was never seen; when it was seen, it comes back with the trouble in it.
    """
    stored = _read_instance(access, instance_id)
    if stored and asking.is_content_with(stored.age_seconds):
        return Found(stored)
    # Whoever opens a page that is not stored wants what upstream says now, and is a person.
    asking = Asking.SOUGHT if asking is Asking.STORED_FIRST else asking
    name = stored.value.instance.name if stored else name
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    try:
        if name and marker is None:
            found = _find_by_name(access, instance_id, name, asking, ends_at)
            if found:
                return found
        return _walk(access, instance_id, marker, ends_at)
    except Troubled as error:
        if stored is None:
            raise
        return Found(replace(stored, trouble=error.trouble))


def read_seen(access: Access) -> Seen:
    """What the pages fetched with this credential have held so far."""
    seen = gateway.recall(access, "seen", Seen) or Seen()
    # Another version of the portal may have kept longer ones.
    return Seen(
        flavors=tuple(filter(_is_suggestion, seen.flavors)),
        images=tuple(filter(_is_suggestion, seen.images)),
        statuses=tuple(filter(_is_suggested, seen.statuses)),
        tags=tuple(filter(_is_suggested, seen.tags)),
    )


def _list_rows(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> Listing:
    """A page, or the first one after it that has rows, in its place: its way back is this page's."""
    listing = first = _list_page(access, query, asking, ends_at)
    passed_over = {query.marker}
    while not listing.instances and listing.next_marker and listing.next_marker not in passed_over:
        if len(passed_over) > MOST_PASSED_OVER or listing.page.trouble or _is_late(ends_at):
            break
        passed_over.add(listing.next_marker)
        following = msgspec.structs.replace(query, marker=listing.next_marker)
        try:
            listing = _list_page(access, following, asking, ends_at)
        except Troubled as error:
            # What is known stays: there is no row so far, and there is a way on.
            return replace(listing, page=replace(listing.page, trouble=error.trouble))
        listing = replace(listing, has_previous=first.has_previous, previous_marker=first.previous_marker)
        if listing.next_marker and not listing.page.exchange.from_store:
            _remember_place(access, query, listing)
    # Where it leads back to what was passed over, there is said to be more, and no way to it.
    return replace(listing, next_marker=None) if listing.next_marker in passed_over else listing


def _list_page(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> Listing:
    page, limit, largest_limit = _read_page(access, query, asking, ends_at)
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


def _remember_place(access: Access, query: InstanceQuery, listing: Listing) -> None:
    """Where the page after lies, and that it is reached from the one of `query`."""
    position = listing.first_position
    following = _Place(query.marker, position + len(listing.instances) if position else None)
    gateway.remember(access, _place_name(msgspec.structs.replace(query, marker=listing.next_marker)), following)


def _total(page: InstancePage, query: InstanceQuery, next_marker: str | None, first_position: int | None) -> int | None:
    """How many the list holds, as far as what is said of it goes together; None where that is not known."""
    meta = page.meta
    total = meta.total if meta and meta.total is not None and meta.total >= 0 else None
    last = (first_position or 1) - 1 + len(page.instances or ())
    if total is not None and total < last:
        # It has changed since, or is that of the page.
        total = None
    is_filtered = query != InstanceQuery(limit=query.limit, marker=query.marker)
    has_more = meta.has_more if meta else None
    is_end = first_position is not None and next_marker is None and not has_more
    if total is None or (is_filtered and has_more is False):
        # The end counts: whether a total is that of the filter is not documented.
        return last if is_end else total
    return total


def _says_more(page: InstancePage, query: InstanceQuery) -> bool:
    """Whether there are said to be others, be it without a way to them. After a marker a total says nothing of that."""
    meta = page.meta
    total = meta.total if meta and meta.has_more is None and query.marker is None else None
    return _leads_on(page) or (total or 0) > len(page.instances or ())


def _leads_on(page: InstancePage) -> bool:
    """The same, and whatever the total is: it may have changed, or be that of more than this list."""
    has_more = page.meta.has_more if page.meta else None
    return bool(page.links and page.links.next) if has_more is None else has_more


def _next_marker(page: InstancePage, query: InstanceQuery, limit: int, first_position: int | None) -> str | None:
    """The marker of the page after, from whichever of `meta`, `links` and the rows says it; None at the end.

    A cursor that points at itself is taken as the end, since following it would never stop.
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
    """Whether more may follow where nothing says so: the page is full, and neither total nor links speak against it."""
    instances, links = page.instances or (), page.links
    if len(instances) < limit:
        return False
    total = page.meta.total if page.meta else None
    if total is not None and total >= 0 and first_position:
        return total != first_position - 1 + len(instances)
    return not (links and (links.self or links.previous))


def _previous(page: InstancePage, query: InstanceQuery, place: _Place | None) -> tuple[bool, str | None]:
    """Whether there is a page before, and its marker (None: the first).

    Where this portal has come from is sure; what `links.previous` means is not documented, so it comes second.
    """
    if query.marker is None:
        return False, None
    if place:
        return True, place.previous_marker
    link = page.links.previous if page.links else None
    return bool(link), _marker_in(link)


def _marker_in(link: str | None) -> str | None:
    """The marker in a link of upstream's, if it is a UUID. The link itself is never followed."""
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
    """A page in the size that it was asked for with, and the largest size that was learned, if any."""

    page: Dated[InstancePage]
    limit: int
    largest: int | None


def _read_page(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> _Sized:
    """A page in the size asked for, or in the largest that ByCloud gives where that is less."""
    largest = gateway.read_largest_page(access.region)
    if largest and (query.limit or USUAL_PAGE) > largest:
        query = msgspec.structs.replace(query, limit=largest)
    asked = query.limit or USUAL_PAGE
    smaller = tuple(size for size in SMALLER_PAGES if size < asked)
    page, limit = _read_sized_page(access, query, smaller, asking, ends_at)
    is_refused = limit < asked
    cut = _find_cut(page.value, limit)
    if not page.exchange.from_store:
        _remember_seen(access, page.value.instances or ())
        # A page that is merely the last, or that a filter has thinned out, may name the number of its rows.
        is_plain = query == InstanceQuery(limit=query.limit, marker=query.marker)
        if is_refused or (cut and is_plain and _says_more(page.value, query)):
            largest = cut or limit
            gateway.learn_largest_page(access.region, largest)
    return _Sized(page, cut or limit, largest)


def _find_cut(page: InstancePage, limit: int) -> int | None:
    """To how many rows a page was cut that may go on: it says so, and is full."""
    given, has_more = (page.meta.limit, page.meta.has_more) if page.meta else (None, None)
    is_cut = given is not None and 0 < given < limit and given == len(page.instances or ()) and has_more is not False
    return given if is_cut else None


def _read_sized_page(
    access: Access, query: InstanceQuery, smaller: tuple[int, ...], asking: Asking, ends_at: float
) -> tuple[Dated[InstancePage], int]:
    """The page; where its size is refused, in the first of the smaller ones that is not."""
    try:
        page = gateway.read_page(access, query, asking=asking, ends_at=ends_at)
    except Troubled as error:
        if not smaller or not _may_be_of_limit(error.trouble, query):
            raise
    else:
        if not smaller or page.trouble is None or not _may_be_of_limit(page.trouble, query):
            return page, query.limit or USUAL_PAGE
    return _read_sized_page(access, msgspec.structs.replace(query, limit=smaller[0]), smaller[1:], asking, ends_at)


def _may_be_of_limit(trouble: Trouble, query: InstanceQuery) -> bool:
    """Whether a refusal may be about the page size: it names it, or there is little else that it could be about."""
    if trouble.kind != "invalid-request" or trouble.status not in REFUSED_PARAMETER:
        return False
    text = f"{trouble.message} {trouble.details or ''}"
    if _PAGE_SIZE.search(text):
        return True
    is_plain = query == InstanceQuery(limit=query.limit)
    return is_plain and (query.limit or USUAL_PAGE) > USUAL_PAGE


def _remember_seen(access: Access, instances: tuple[Instance, ...]) -> None:
    seen = read_seen(access)
    flavors = {flavor.id: flavor for flavor in seen.flavors}
    images = {image.id: image for image in seen.images}
    for instance in instances:
        for thing, named in ((instance.flavor, flavors), (instance.image, images)):
            if thing and _is_suggested(thing.id) and _is_suggested(thing.name):
                named[thing.id] = Named(thing.id, thing.name)
    now = Seen(
        flavors=_first_named(flavors),
        images=_first_named(images),
        statuses=_first_words({*seen.statuses, *filter(_is_suggested, (one.status for one in instances))}),
        tags=_first_words({*seen.tags, *filter(_is_suggested, (tag for one in instances for tag in _first_tags(one)))}),
    )
    if now != seen:
        gateway.remember(access, "seen", now)


def _is_suggested(text: str | None) -> TypeGuard[str]:
    return text is not None and 0 < len(text) <= LONGEST_SEEN


def _is_suggestion(named: Named) -> bool:
    return _is_suggested(named.id) and _is_suggested(named.name)


def _first_tags(instance: Instance) -> tuple[str, ...]:
    return (instance.tags or ())[:MOST_SEEN]


def _first_named(named: dict[str, Named]) -> tuple[Named, ...]:
    return tuple(sorted(named.values(), key=lambda one: (one.name, one.id))[:MOST_SEEN])


def _first_words(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(words)[:MOST_SEEN])


def _read_instance(access: Access, instance_id: str) -> Dated[StoredInstance] | None:
    """From the store, which knows an id as upstream writes it: in small letters, or else in capitals."""
    return gateway.read_instance(access, instance_id) or gateway.read_instance(access, instance_id.upper())


def _find_by_name(access: Access, instance_id: str, name: str, asking: Asking, ends_at: float) -> Found | None:
    query = InstanceQuery(name=name, limit=LARGEST_PAGE)
    try:
        return _find_on(access, instance_id, _list_rows(access, query, asking, ends_at).page)
    except Troubled as error:
        if error.trouble.kind != "invalid-request":
            raise
        # A name that cannot be asked for says nothing of the instance.
        return None


def _find_on(access: Access, instance_id: str, page: Dated[InstancePage]) -> Found | None:
    ids = [instance.id for instance in page.value.instances or () if instance.id]
    given_id = next((given for given in ids if given.lower() == instance_id), None)
    found = gateway.read_instance(access, given_id) if given_id else None
    if found is None:
        return None
    exchange = found.exchange if page.exchange.from_store else page.exchange
    return Found(replace(found, trouble=page.trouble, exchange=exchange))


def _is_late(ends_at: float) -> bool:
    return ends_at - monotonic() < settings.BYCLOUD_LIMITS.deadline_seconds / 2


def _walk(access: Access, instance_id: str, marker: str | None, ends_at: float) -> Missing | Found:
    if _is_late(ends_at):
        # Whoever tries again finds the answer for the name in the store, and goes on from there.
        raise Troubled(Trouble.from_error(TimedOut("There was no time left to search the list")))
    for _ in range(SWEEP_CALLS):
        query = InstanceQuery(limit=LARGEST_PAGE, marker=marker)
        listing = _list_page(access, query, Asking.SWEPT, ends_at)
        found = _find_on(access, instance_id, listing.page)
        if found:
            return found
        if listing.page.trouble:
            # What is stored may be older than the instance.
            raise Troubled(listing.page.trouble)
        marker = listing.next_marker
        if marker is None or _is_late(ends_at):
            break
    if marker is None and (_leads_on(listing.page.value) or listing.page.exchange.left_out):
        # Not all was searched, and "No such instance" would say that it was.
        raise Troubled(Trouble.from_error(BadPayload("The list goes on, but does not say where", path="$.links.next")))
    if marker is None and not listing.says_more:
        for given_id in (instance_id, instance_id.upper()):
            gateway.forget_instance(access, given_id)
    searched = (listing.first_position or 1) - 1 + len(listing.instances)
    return Missing(searched=searched, total=listing.total, next_marker=marker, page=listing.page)
