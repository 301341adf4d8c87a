"""The instances as pages ask for them: a list with its way back and on, one instance by id, and what was seen so far.

Knows the gateway and ByCloud's words; knows nothing of requests and templates.
"""

from dataclasses import dataclass, replace
from time import monotonic
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
from django.conf import settings

from portal import gateway
from portal.bycloud import Instance, InstancePage, InstanceQuery, TimedOut
from portal.gateway import Access, Asking, Dated, StoredInstance, Trouble, Troubled

LARGEST_PAGE = 100
SWEEP_CALLS = 5
MOST_SEEN = 200


class Named(msgspec.Struct, frozen=True):
    """A flavor or an image as the fleet's instances name it."""

    id: str
    name: str


class Seen(msgspec.Struct, frozen=True):
    """What the pages fetched so far have held: suggestions for filters, each sorted, at most `MOST_SEEN` of a kind."""

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
    """

    page: Dated[InstancePage]
    instances: tuple[Instance, ...]
    total: int | None
    next_marker: str | None
    has_previous: bool
    previous_marker: str | None
    first_position: int | None
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

    A marker that upstream does not take any more, or that nothing follows, is answered with the first page.
    """
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    if query.marker is None:
        return _list_page(access, query, asking, ends_at)
    try:
        listing = _list_page(access, query, asking, ends_at)
    except Troubled as error:
        is_gone = error.trouble.kind == "invalid-request"
        if not is_gone:
            raise
    else:
        trouble = listing.page.trouble
        is_gone = not listing.instances or (trouble is not None and trouble.kind == "invalid-request")
        if not is_gone:
            return listing
    first = _list_page(access, msgspec.structs.replace(query, marker=None), asking, ends_at)
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
    if stored and asking.is_content_with(stored.fetched_at):
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
    return gateway.recall(access, "seen", Seen) or Seen()


def _list_page(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> Listing:
    page = _read_page(access, query, asking, ends_at)
    instances = page.value.instances or ()
    next_marker = _next_marker(page.value, query)
    place = _Place(None, 1) if query.marker is None else gateway.recall(access, _place_name(query), _Place)
    first_position = place.first_position if place else None
    if next_marker and not page.exchange.from_store:
        following = _Place(query.marker, first_position + len(instances) if first_position else None)
        gateway.remember(access, _place_name(msgspec.structs.replace(query, marker=next_marker)), following)
    has_previous, previous_marker = _previous(page.value, query, place)
    meta = page.value.meta
    total = meta.total if meta else None
    if total is None and next_marker is None and first_position:
        total = first_position - 1 + len(instances)
    return Listing(
        page=page,
        instances=instances,
        total=total,
        next_marker=next_marker,
        has_previous=has_previous,
        previous_marker=previous_marker,
        first_position=first_position,
    )


def _next_marker(page: InstancePage, query: InstanceQuery) -> str | None:
    """The marker of the page after, from whichever of `meta`, `links` and the rows says it; None at the end.

    A cursor that points at itself is taken as the end, since following it would never stop.
    """
    instances = page.instances or ()
    has_more = page.meta.has_more if page.meta else None
    linked = _marker_in(page.links.next) if page.links else None
    if not instances or has_more is False:
        return None
    if has_more is None and linked is None and (page.links or len(instances) < (query.limit or 20)):
        return None
    marker = linked or _checked(page.meta.marker if page.meta else None) or _checked(instances[-1].id)
    return None if marker == query.marker else marker


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
    if not link:
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


def _read_page(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> Dated[InstancePage]:
    page = gateway.read_page(access, query, asking=asking, ends_at=ends_at)
    if not page.exchange.from_store:
        _remember_seen(access, page.value.instances or ())
    return page


def _remember_seen(access: Access, instances: tuple[Instance, ...]) -> None:
    seen = read_seen(access)
    flavors = {flavor.id: flavor for flavor in seen.flavors}
    images = {image.id: image for image in seen.images}
    for instance in instances:
        if instance.flavor and instance.flavor.id and instance.flavor.name:
            flavors[instance.flavor.id] = Named(instance.flavor.id, instance.flavor.name)
        if instance.image and instance.image.id and instance.image.name:
            images[instance.image.id] = Named(instance.image.id, instance.image.name)
    now = Seen(
        flavors=_first_named(flavors),
        images=_first_named(images),
        statuses=_first_words({*seen.statuses, *(instance.status for instance in instances if instance.status)}),
        tags=_first_words({*seen.tags, *(tag for instance in instances for tag in instance.tags or ())}),
    )
    if now != seen:
        gateway.remember(access, "seen", now)


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
        return _find_on(access, instance_id, _read_page(access, query, asking, ends_at))
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
    if marker is None:
        for given_id in (instance_id, instance_id.upper()):
            gateway.forget_instance(access, given_id)
    searched = (listing.first_position or 1) - 1 + len(listing.instances)
    return Missing(searched=searched, total=listing.total, next_marker=marker, page=listing.page)
