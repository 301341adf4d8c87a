"""What surrounds the rows of a list: active filters, the counter, the range and the pager."""

from datetime import datetime

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.bycloud import Region
from portal.core.formatting import clock_text
from portal.core.numbers import number_text
from portal.instances import list_query
from portal.instances.links import list_url
from portal.instances.list_query import ListView
from portal.instances.services import KnownValues, Listing, Missing


class ActiveFilter(msgspec.Struct, frozen=True):
    """An active filter, and the URL of the list without it."""

    label: str
    value: str
    url: str


class PageSize(msgspec.Struct, frozen=True):
    limit: int
    url: str
    is_current: bool


class Pager(msgspec.Struct, frozen=True):
    """The position of the page and the links to others. A URL is empty if there is no such page."""

    range: str
    first_url: str
    previous_url: str
    next_url: str
    sizes: tuple[PageSize, ...]


def build_active_filters(view: ListView, *, region: Region, seen: KnownValues) -> tuple[ActiveFilter, ...]:
    def without(parameter: str) -> str:
        return list_url(region, list_query.without_filter(view, parameter))

    query = view.query
    tokens = []
    if query.name:
        tokens.append(ActiveFilter(_("name"), query.name, without("name")))
    if query.status:
        tokens.append(ActiveFilter(_("status"), query.status, without("status")))
    tokens += [ActiveFilter(_("tag"), tag, list_url(region, list_query.without_tag(view, tag))) for tag in query.tags]
    if query.flavor_id:
        flavor = list_query.find_name(seen.flavors, query.flavor_id) or query.flavor_id
        tokens.append(ActiveFilter(_("flavor"), flavor, without("flavor_id")))
    if query.image_id:
        image = list_query.find_name(seen.images, query.image_id) or query.image_id
        tokens.append(ActiveFilter(_("image"), image, without("image_id")))
    return tuple(tokens)


def build_pager(listing: Listing, view: ListView, *, region: Region) -> Pager:
    def at(marker: str | None) -> str:
        return list_url(region, list_query.at_marker(view, marker))

    return Pager(
        range=describe_range(listing),
        # Also if it is not known what came before.
        first_url=at(None) if view.query.marker and not listing.marker_is_gone else "",
        previous_url=at(listing.previous_marker) if listing.has_previous else "",
        next_url=at(listing.next_marker) if listing.next_marker else "",
        sizes=tuple(
            PageSize(size, list_url(region, list_query.with_limit(view, size)), is_current=size == listing.limit)
            for size in list_query.list_page_sizes(listing.largest_limit)
        ),
    )


def describe_count(listing: Listing) -> str:
    """How many instances the list has: `150`, or `at least 40` if the total is unknown; empty if none was seen yet."""
    if listing.total is not None:
        return number_text(listing.total)
    # After a page without rows, the next one may be empty too.
    more = 1 if listing.next_marker and listing.instances else 0
    least = (listing.first_position or 1) - 1 + len(listing.instances) + more
    return _("at least %(least)s") % {"least": number_text(least)} if least else ""


def describe_range(listing: Listing) -> str:
    """`21–40 of 150` if the position is known, otherwise the number of rows."""
    shown = len(listing.instances)
    if listing.first_position is None or not shown:
        text = ngettext("%(shown)d shown", "%(shown)d shown", shown) % {"shown": shown}
        return (
            _("%(shown)s of %(total)s") % {"shown": text, "total": number_text(listing.total)}
            if listing.total
            else text
        )
    first, last = number_text(listing.first_position), number_text(listing.first_position + shown - 1)
    if listing.total is None:
        return f"{first}–{last}"
    return _("%(first)s–%(last)s of %(total)s") % {"first": first, "last": last, "total": number_text(listing.total)}


def describe_page(listing: Listing, *, is_filtered: bool) -> str:
    """What a screen reader announces after a page was swapped in."""
    if none_here := title_none_here(listing, is_filtered=is_filtered):
        return none_here
    if not listing.instances:
        return _("No matches") if is_filtered else _("No instances yet")
    numbers = {"range": describe_range(listing), "moment": describe_moment(listing.page.fetched_at)}
    return _("Instances %(range)s, %(moment)s") % numbers


def title_none_here(listing: Listing, *, is_filtered: bool) -> str:
    """The title of a page without rows that is not the whole list; empty for any other page."""
    if listing.instances or not listing.says_more:
        return ""
    return _("No match on this page") if is_filtered else _("No instances on this page")


def describe_limit(listing: Listing, view: ListView) -> str:
    """The note on a page that has fewer rows than its URL asks for; otherwise empty."""
    asked = view.query.limit
    if asked is None or listing.largest_limit is None or listing.limit >= asked:
        return ""
    numbers = {"limit": listing.limit, "asked": asked}
    return (
        _(
            "ByCloud returns at most %(limit)d instances per page; this URL requests %(asked)d. "
            "Select Next for the rest."
        )
        % numbers
    )


def describe_search(missing: Missing) -> str:
    """The progress of the search for an instance."""
    if missing.next_marker is None:
        return _("Instance not found")
    searched = number_text(missing.searched)
    if not missing.total:
        return _("Searched %(searched)s instances. Not found yet.") % {"searched": searched}
    numbers = {"searched": searched, "total": number_text(missing.total)}
    return _("Searched %(searched)s of %(total)s instances. Not found yet.") % numbers


def describe_moment(fetched_at: datetime) -> str:
    return _("as of %(time)s") % {"time": clock_text(fetched_at)}
