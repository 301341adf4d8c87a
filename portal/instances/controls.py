"""What surrounds the rows of a list: display options, saved views, counter and pager."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from django.utils.text import Truncator
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from portal.accounts.models import Member
from portal.bycloud import DEFAULT_LIMIT, LARGEST_LIMIT, Region
from portal.core.formatting import clock_text
from portal.core.http import make_absolute
from portal.core.numbers import number_text
from portal.instances.columns import FIRST, list_titles, read_names
from portal.instances.filters import ActiveFilter
from portal.instances.links import ListView, list_url, saved_view_url
from portal.instances.services import Listing
from portal.saved_views.services import SavedLink

LONGEST_IN_TITLE = 40
PAGE_SIZES = (DEFAULT_LIMIT, 50, LARGEST_LIMIT)


class DisplayOptions(msgspec.Struct, frozen=True):
    """How a list is shown: column names in the order of the table, and a density."""

    columns: tuple[str, ...]
    density: str


class Option(msgspec.Struct, frozen=True):
    value: str
    label: str
    is_chosen: bool


class DisplayChoices(msgspec.Struct, frozen=True):
    """The choices in the form for the display options. `first` is the column that is always shown."""

    first: str
    columns: tuple[Option, ...]
    sizes: tuple[int, ...]
    limit: int | None
    is_compact: bool


class ViewLink(msgspec.Struct, frozen=True):
    """A saved view as a link. `owner` is set if it belongs to another member."""

    pk: int
    name: str
    url: str
    is_current: bool
    is_shared: bool
    owner: str


class ShareLinks(msgspec.Struct, frozen=True):
    """The URLs to share: one with which people see their own columns, and one with the current columns."""

    url: str
    pinned_url: str


class PageSize(msgspec.Struct, frozen=True):
    limit: int
    url: str
    is_current: bool


class PageLink(msgspec.Struct, frozen=True):
    """The number of a page. `is_after_gap`: some before it are left out."""

    number: int
    url: str
    is_current: bool
    is_after_gap: bool


class Pager(msgspec.Struct, frozen=True):
    """The position of the page and the links to others. A URL is empty if there is no such page. A list that cursors
    lead through has no `pages`.
    """

    range: str
    first_url: str
    previous_url: str
    next_url: str
    sizes: tuple[PageSize, ...]
    pages: tuple[PageLink, ...] = ()


def choose_display_options(view: ListView, member: Member) -> DisplayOptions:
    """Those in the list's address, or else the member's preferences."""
    return DisplayOptions(view.columns or read_names(member.columns), view.density or member.density)


def list_page_sizes(largest: int | None) -> list[int]:
    """The page sizes to offer, given the largest one allowed."""
    most = min(largest or LARGEST_LIMIT, LARGEST_LIMIT)
    return [*(size for size in PAGE_SIZES if size < most), most]


def build_display_choices(view: ListView, options: DisplayOptions, *, largest_limit: int | None) -> DisplayChoices:
    limit = min(view.query.limit or DEFAULT_LIMIT, largest_limit or LARGEST_LIMIT)
    return DisplayChoices(
        first=FIRST,
        columns=tuple(
            [
                Option(name, title, name in options.columns)
                for name, title in list_titles(get_language()).items()
                if name != FIRST
            ]
        ),
        sizes=tuple(sorted({*list_page_sizes(largest_limit), limit})),
        limit=limit,
        is_compact=options.density == "compact",
    )


def build_share(view: ListView, options: DisplayOptions, *, region: Region) -> ShareLinks:
    pinned = list_url(region, view, columns=options.columns, density=options.density, marker=view.query.marker)
    return ShareLinks(url=make_absolute(list_url(region, view)), pinned_url=make_absolute(pinned))


def describe_view(view: ListView, options: DisplayOptions) -> str:
    """The parts of a view to save: everything that is shown, for any member, from its first page."""
    return view.to_query_string(columns=options.columns, density=options.density)


def link_views(
    links: Iterable[SavedLink], view: ListView, options: DisplayOptions, *, member: Member, region: Region
) -> tuple[ViewLink, ...]:
    current = saved_view_url(region, describe_view(view, options))
    return tuple(
        ViewLink(
            pk=one.pk,
            name=one.name,
            url=(url := saved_view_url(region, one.query)),
            is_current=url == current,
            is_shared=one.is_shared,
            owner="" if one.owner_id == member.pk else one.owner_name,
        )
        for one in links
    )


def build_pager(listing: Listing, view: ListView, *, region: Region) -> Pager:
    def at(marker: str | None) -> str:
        return list_url(region, view, marker=marker)

    return Pager(
        range=describe_range(listing),
        # Also if it is not known what came before.
        first_url=at(None) if view.query.marker and not listing.marker_is_gone else "",
        previous_url=at(listing.previous_marker) if listing.has_previous else "",
        next_url=at(listing.next_marker) if listing.next_marker else "",
        sizes=tuple(
            [
                PageSize(size, list_url(region, view, limit=size), is_current=size == listing.limit)
                for size in list_page_sizes(listing.largest_limit)
            ]
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


def title_list(filters: Iterable[ActiveFilter], *, count: str, sort: str) -> str:
    """The title of a list, by which tabs and bookmarks can be told apart: `web-* · ERROR (12) – Instances`."""
    texts = (f"{each.label} {each.value}" if each.is_excluded else each.value for each in filters)
    words = [Truncator(text).chars(LONGEST_IN_TITLE) for text in texts]
    if sort:
        words.append(f"{list_titles(get_language())[sort.removeprefix('-')]} {'↓' if sort.startswith('-') else '↑'}")
    counted = f" ({count})" if count else ""
    if not words:
        return _("Instances") + counted
    return f"{' · '.join(words)}{counted} – {_('Instances')}"


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


def describe_moment(fetched_at: datetime) -> str:
    return _("as of %(time)s") % {"time": clock_text(fetched_at)}
