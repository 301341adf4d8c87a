"""The toolbar of the list: display options, saved views, links to share."""

import msgspec
from django.utils.functional import Promise

from portal.accounts.models import Member
from portal.bycloud import Region
from portal.core.http import make_absolute
from portal.instances.columns import COLUMNS, FIRST
from portal.instances.display_options import DisplayOptions, pin
from portal.instances.links import list_url, saved_view_url
from portal.instances.list_query import LARGEST_LIMIT, PAGE_SIZES, ListView, at_marker, list_page_sizes, to_query_string
from portal.saved_views.services import list_links


class Option(msgspec.Struct, frozen=True):
    value: str
    label: str | Promise
    is_chosen: bool


class Settings(msgspec.Struct, frozen=True):
    """The form for the display options. `first` is the column that is always shown."""

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


class Share(msgspec.Struct, frozen=True):
    """The URLs to share: one with which people see their own columns, and one with the current columns."""

    url: str
    pinned_url: str


def build_settings(view: ListView, layout: DisplayOptions, *, largest_limit: int | None) -> Settings:
    limit = min(view.query.limit or PAGE_SIZES[0], largest_limit or LARGEST_LIMIT)
    return Settings(
        first=FIRST,
        columns=tuple(
            Option(column.name, column.title, column.name in layout.columns)
            for column in COLUMNS.values()
            if column.name != FIRST
        ),
        sizes=tuple(sorted({*list_page_sizes(largest_limit), limit})),
        limit=limit,
        is_compact=layout.density == "compact",
    )


def build_share(view: ListView, layout: DisplayOptions, *, region: Region) -> Share:
    return Share(
        url=make_absolute(list_url(region, view)),
        pinned_url=make_absolute(list_url(region, pin(view, layout))),
    )


def describe_view(view: ListView, layout: DisplayOptions) -> str:
    """The parts of a view to save: everything that is shown, for any member, from its first page."""
    return to_query_string(pin(at_marker(view, None), layout))


def link_views(view: ListView, layout: DisplayOptions, *, member: Member, region: Region) -> tuple[ViewLink, ...]:
    current = saved_view_url(region, describe_view(view, layout))
    return tuple(
        ViewLink(
            pk=one.pk,
            name=one.name,
            url=(url := saved_view_url(region, one.query)),
            is_current=url == current,
            is_shared=one.is_shared,
            owner="" if one.owner_id == member.pk else one.owner_name,
        )
        for one in list_links(member, region.code)
    )
