"""The responses of the list: its rows, an error in their place, or invalid parameters. Sends no requests to ByCloud."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.http import HttpResponse, QueryDict
from django_htmx.http import retarget

from portal.bycloud import Region
from portal.core.http import describe_unknown
from portal.core.request import MemberRequest
from portal.fleet.values import KnownValues
from portal.gateway import ApiSession, FetchPolicy, read_largest_page, read_meter
from portal.instances import controls
from portal.instances.controls import DisplayChoices, DisplayOptions, Pager, ShareLinks, ViewLink
from portal.instances.errors import ListFailedError, describe
from portal.instances.filters import ActiveFilter, build_active_filters, list_keys
from portal.instances.forms import InvalidListError, ListForm, clean_filters, name_hidden_in
from portal.instances.indexed import read_known_values
from portal.instances.links import ListView, bare_list_url, credential_url, list_url
from portal.instances.live import (
    RefreshState,
    describe_request,
    describe_usage,
    name_error,
)
from portal.instances.pages import (
    Page,
    answer_unchanged,
    find_target,
    is_due,
    is_shown_already,
    make_page_version,
    renew_url,
    respond,
)
from portal.instances.services import Listing
from portal.instances.table import Table, build_table
from portal.saved_views.services import SavedLink, list_links


@dataclass(frozen=True, kw_only=True)
class ListPage(Page):
    """`counts_apart`: the results alone are updated, and with them the counter and whatever else is set.

    `search_text` is in the search box, which `search_is_apart` from what htmx requested.
    """

    form: ListForm | None = None
    is_refused: bool = False
    counts_apart: bool = False
    unknown: str = ""
    list_url: str = ""
    clear_url: str = ""
    cleaned_url: str = ""
    valid_url: str = ""
    whole_list_url: str = ""
    hidden: str = ""
    active_filters: tuple[ActiveFilter, ...] = ()
    filter_keys: tuple[tuple[str, str], ...] = ()
    has_filters: bool = False
    share: ShareLinks | None = None
    views: tuple[ViewLink, ...] = ()
    has_own_views: bool = False
    is_whole_list: bool = False
    display_choices: DisplayChoices | None = None
    listing: Listing | None = None
    left_out: int = 0
    table: Table | None = None
    is_without_matches: bool = False
    is_without_instances: bool = False
    is_so_far: bool = False
    none_here: str = ""
    limit_words: str = ""
    pager: Pager | None = None
    count: str = ""
    search_text: str = ""
    search_is_apart: bool = False
    sort: str = ""
    is_first_page: bool = True

    def title(self) -> str:
        count = self.pager.range if self.pager and not self.is_first_page else self.count
        return controls.title_list(self.active_filters, count=count, sort=self.sort)

    def is_in_trouble(self) -> bool:
        return self.is_refused or super().is_in_trouble()


class ListControls(NamedTuple):
    """What a list has above its rows, whether ByCloud answers or not."""

    options: DisplayOptions
    filters: tuple[ActiveFilter, ...]


def shows_views(request: MemberRequest, *, refused: ListForm | None) -> bool:
    """Whether the response has links to the saved views. Changed filters may lead to one, or away from it."""
    return find_list_target(request, refused=refused) != "results" or request.htmx.trigger == "filters"


def find_list_target(request: MemberRequest, *, refused: ListForm | None) -> str:
    """Like `find_target`. What is invalid is named above the results, so all of the list is updated."""
    target = find_target(request)
    return "instances" if target and refused else target


def refuse_list(request: MemberRequest, region: Region, error: InvalidListError) -> HttpResponse:
    """In place of a list with invalid parameters that a form asked for: an error for each, and the input as it was
    entered.
    """
    unknown = [name for name in error.form.data if name not in error.form.fields]
    page = ListPage(
        region=region,
        form=error.form,
        search_text=str(error.form["q"].value()),
        is_refused=True,
        unknown=describe_unknown(unknown),
        list_url=bare_list_url(region),
    )
    return respond_list(request, page)


def respond_list(request: MemberRequest, page: ListPage) -> HttpResponse:
    """A list, or its region for htmx. Something that is invalid is a 400, also if the rest of it is shown."""
    target = find_list_target(request, refused=page.form if page.is_refused else None)
    status = HTTPStatus.BAD_REQUEST if page.is_refused else HTTPStatus.OK
    response = respond(request, "instances/list.html", page, target=target, status=status)
    return retarget(response, "#instances") if target and page.is_refused else response


def fail_list(
    request: MemberRequest, region: Region, failure: ListFailedError, *, refused: ListForm | None = None
) -> HttpResponse:
    """The error in place of the rows."""
    session, view = failure.session, failure.view
    above = read_controls(request, session, view)
    page = replace(
        build_page(request, session, view, above, largest_limit=read_largest_page(region), refused=refused),
        notice=describe(failure.error, read_meter(session)),
        live=RefreshState(
            url=list_url(region, view),
            target="#results",
            version="",
            refresh_seconds=request.user.refresh_seconds,
            error=failure.error,
        ),
    )
    return respond_list(request, page)


def answer_list(
    request: MemberRequest,
    session: ApiSession,
    view: ListView,
    listing: Listing,
    *,
    policy: FetchPolicy,
    unknown: Sequence[str] = (),
    links: Sequence[SavedLink] | None = None,
    refused: ListForm | None = None,
) -> HttpResponse:
    """A page of the list; 204 if the open page that asks shows the same already.

    `unknown` are parameters that were ignored; the page names them. `links` are the saved views, if they are known.
    `refused` is the form of the parameters that are invalid, without which the list is shown.
    """
    region, page = session.region, listing.page
    above = read_controls(request, session, view)
    version = make_page_version(request, *_name_content(listing), above.filters, above.options)
    if is_shown_already(request, version):
        return answer_unchanged(session, page)
    table = build_table(listing.instances, region=region, view=view, options=above.options)
    has_filters = view.has_filters
    shown = replace(
        build_page(request, session, view, above, largest_limit=listing.largest_limit, links=links, refused=refused),
        unknown=describe_unknown(unknown),
        listing=listing,
        left_out=page.upstream_call.left_out,
        cached=page,
        table=table,
        is_without_matches=table is None and has_filters and not listing.says_more,
        none_here=controls.title_none_here(listing, is_filtered=has_filters),
        limit_words=controls.describe_limit(listing, view),
        pager=controls.build_pager(listing, view, region=region),
        count=controls.describe_count(listing),
        notice=describe(page.error, read_meter(session)) if page.error else None,
        live=RefreshState(
            url=list_url(region, view),
            target="#results",
            version=version,
            refresh_seconds=request.user.refresh_seconds,
            is_due=is_due(page, policy),
            pending=table.pending if table else "",
            error=page.error,
        ),
        announcement=controls.describe_page(listing, is_filtered=has_filters),
        request_info=describe_request(session, page),
    )
    return respond_list(request, shown)


def build_page(
    request: MemberRequest,
    session: ApiSession,
    view: ListView,
    above: ListControls,
    *,
    largest_limit: int | None,
    links: Sequence[SavedLink] | None = None,
    refused: ListForm | None = None,
) -> ListPage:
    """The list without its rows. What surrounds the results is left out as far as it stays as it is on the page."""
    region, target = session.region, find_list_target(request, refused=refused)
    hidden = name_hidden_in(view)
    page = ListPage(
        region=region,
        counts_apart=target == "results",
        search_text=str(refused["q"].value()) if refused else view.q,
        is_refused=refused is not None,
        valid_url=list_url(region, view) if refused else "",
        query_string=view.to_query_string(),
        sort=view.sort,
        is_first_page=not view.query.marker and view.page <= 1,
        target="#results",
        renew_url=renew_url(request, region),
        credential_url=credential_url(region, next_url=list_url(region, view)),
        rate_limit=describe_usage(read_meter(session)),
        active_filters=above.filters,
        filter_keys=list_keys(),
        has_filters=view.has_filters,
        hidden=", ".join(hidden),
        clear_url=list_url(region, ListView(), limit=view.query.limit, columns=view.columns, density=view.density),
        cleaned_url=list_url(region, view, **clean_filters(view)) if hidden else "",
        list_url=bare_list_url(region),
    )
    if target == "results" and "Portal-Refresh" in request.headers:
        return page
    if target:
        # Typing in the box is not disturbed unless the query has changed.
        shown = QueryDict(urlsplit(request.htmx.current_url or "").query).get("q", "")
        page = replace(page, search_is_apart=shown != view.q)
    page = replace(page, share=controls.build_share(view, above.options, region=region))
    if shows_views(request, refused=refused):
        links = list_links(request.user, region.code) if links is None else links
        views = controls.link_views(links, view, above.options, member=request.user, region=region)
        is_whole = view.change(marker=None) == ListView() and not any(one.is_current for one in views)
        page = replace(
            page,
            views=views,
            has_own_views=any(not one.owner for one in views),
            is_whole_list=is_whole,
            whole_list_url=list_url(region, ListView()),
        )
    if target != "results":
        choices = controls.build_display_choices(view, above.options, largest_limit=largest_limit)
        page = replace(page, display_choices=choices, form=refused or ListForm(view=view))
    return page


def read_controls(request: MemberRequest, session: ApiSession, view: ListView) -> ListControls:
    """Known values are read where they are shown, as names of flavors and images."""
    has_names = view.query.flavor_id or view.query.image_id
    known = read_known_values(session) if has_names else KnownValues()
    return ListControls(
        options=controls.choose_display_options(view, request.user),
        filters=build_active_filters(view, region=session.region, known=known),
    )


def _name_content(listing: Listing) -> tuple[Any, ...]:
    """Everything of a page that is shown."""
    page = listing.page
    position = (
        listing.total,
        listing.next_marker,
        listing.has_previous,
        listing.previous_marker,
        listing.first_position,
    )
    size = (listing.limit, listing.largest_limit, page.upstream_call.left_out)
    state = (listing.marker_is_gone, listing.says_more, name_error(page.error))
    return page.value.instances, position, size, state
