"""The instances before and after one in the list that its page was opened from. Never sends a request to ByCloud."""

from typing import NamedTuple

from portal.bycloud import DEFAULT_LIMIT, Instance
from portal.core.filters import shorten
from portal.gateway import ApiSession
from portal.instances.indexed import find_around
from portal.instances.links import ListView, canonical_id, named_instance_url
from portal.instances.services import Listing, find_listing


class Neighbor(NamedTuple):
    """Its name, cut, or its id without one, and its page, which leads back to the page of the list that it is on."""

    name: str
    url: str


class Neighbors(NamedTuple):
    previous: Neighbor | None
    next: Neighbor | None


def find_neighbors(session: ApiSession, view: ListView, instance_id: str) -> Neighbors | None:
    """From the index for its lists, for live ones from the pages that are cached. None if the instance is not on this
    page of the list or alone in it, or if the page is not cached.
    """
    found = (_find_indexed if view.is_indexed else _find_live)(session, view, instance_id)
    return found if found and any(found) else None


def _find_indexed(session: ApiSession, view: ListView, instance_id: str) -> Neighbors | None:
    around = find_around(session, view, instance_id)
    if around is None:
        return None
    size = view.query.limit or DEFAULT_LIMIT

    def link(instance: Instance | None, number: int) -> Neighbor | None:
        return _link(session, view.change(page=view.write_page(number // size + 1)), instance)

    return Neighbors(link(around.before, around.number - 1), link(around.after, around.number + 1))


def _find_live(session: ApiSession, view: ListView, instance_id: str) -> Neighbors | None:
    listing = find_listing(session, view.query)
    if listing is None:
        return None
    instances = listing.instances
    ids = [canonical_id(instance.id) for instance in instances]
    if instance_id not in ids:
        return None
    place = ids.index(instance_id)
    before, after = place - 1, place + 1
    return Neighbors(
        _link_end(session, view, listing, is_next=False) if before < 0 else _link(session, view, instances[before]),
        _link(session, view, instances[after])
        if after < len(instances)
        else _link_end(session, view, listing, is_next=True),
    )


def _link_end(session: ApiSession, view: ListView, listing: Listing, *, is_next: bool) -> Neighbor | None:
    """The first instance of the next page, or the last one of the previous page, if that is cached."""
    if not (listing.next_marker if is_next else listing.has_previous):
        return None
    other = view.change(marker=listing.next_marker if is_next else listing.previous_marker)
    found = find_listing(session, other.query)
    if not found or not found.instances:
        return None
    return _link(session, other, found.instances[0 if is_next else -1])


def _link(session: ApiSession, view: ListView, instance: Instance | None) -> Neighbor | None:
    """None without an instance, or for one whose id is none of a page."""
    if instance is None:
        return None
    url = named_instance_url(session.region, instance.id or "", instance.name or "", back=view)
    return Neighbor(shorten(instance.name or instance.id or ""), url) if url else None
