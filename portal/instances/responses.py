"""Renders the list: the whole page, or the region that htmx requested. Sends no requests to ByCloud."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language
from django_htmx.http import HttpResponseClientRedirect, retarget, trigger_client_event

from portal.bycloud import Region
from portal.core.http import describe_unknown
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.credentials.forms import CredentialForm
from portal.credentials.status import describe_expiry
from portal.gateway import ApiSession, Cached, FetchPolicy, read_largest_page, read_meter
from portal.instances import controls
from portal.instances.controls import ActiveFilter, DisplayOptions, DisplayOptionsForm, Pager, ShareLinks, ViewLink
from portal.instances.errors import ErrorNotice, ListFailedError, NoCredentialError, describe
from portal.instances.forms import InvalidListError, ListForm, clean_filters, name_hidden_in
from portal.instances.links import ListView, bare_list_url, credential_url, list_url
from portal.instances.live import (
    RateLimitUsage,
    RefreshState,
    RequestInfo,
    describe_request,
    describe_unchanged,
    describe_usage,
    make_version,
    name_error,
)
from portal.instances.services import KnownValues, Listing, read_known_values
from portal.instances.table import Table, build_table
from portal.saved_views.services import SavedLink, list_links

_REGIONS = {
    "instances": "instances/_instances.html",
    "results": "instances/_results.html",
    "instance": "instances/_instance.html",
}
VARY = ("HX-Request", "HX-Target", "HX-Trigger", "Cookie")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the templates of the list and of an instance have in common: each field is a variable there.

    `query_string` and `target` are what Refresh and Retry submit and which region they update.
    """

    region: Region
    instance_id: str = ""
    query_string: str = ""
    target: str = ""
    renew_url: str = ""
    credential_url: str = ""
    rate_limit: RateLimitUsage | None = None
    page: Cached[Any] | None = None
    live: RefreshState | None = None
    notice: ErrorNotice | None = None
    request_info: RequestInfo | None = None
    announcement: str = ""


@dataclass(frozen=True, kw_only=True)
class ListPage(Page):
    """`counts_apart`: the results alone are updated, and with them the counter and whatever else is set."""

    form: ListForm | None = None
    is_refused: bool = False
    counts_apart: bool = False
    unknown: str = ""
    list_url: str = ""
    clear_url: str = ""
    cleaned_url: str = ""
    whole_list_url: str = ""
    hidden: str = ""
    active_filters: tuple[ActiveFilter, ...] = ()
    share: ShareLinks | None = None
    views: tuple[ViewLink, ...] = ()
    has_own_views: bool = False
    is_whole_list: bool = False
    layout: DisplayOptionsForm | None = None
    listing: Listing | None = None
    left_out: int = 0
    table: Table | None = None
    is_without_matches: bool = False
    none_here: str = ""
    limit_words: str = ""
    pager: Pager | None = None
    count: str = ""


def find_target(request: MemberRequest) -> str:
    """The region of the page that htmx requested; empty for the whole page, which a history restore needs, too."""
    htmx = request.htmx
    is_fragment = bool(htmx) and not htmx.history_restore_request and htmx.target in _REGIONS
    return str(htmx.target) if is_fragment else ""


def shows_views(request: MemberRequest) -> bool:
    """Whether the response has links to the saved views. Changed filters may lead to one, or away from it."""
    return find_target(request) != "results" or request.htmx.trigger == "filters"


def ask_for_credential(request: MemberRequest, region: Region, error: NoCredentialError) -> HttpResponse:
    """The page that asks for a credential, and then returns to the page or, after a form, to the list."""
    url = list_url(region, ListView()) if request.method == "POST" else request.get_full_path()
    if find_target(request):
        return HttpResponseClientRedirect(url)
    return render(
        request,
        "credentials/missing.html",
        {"region": region, "form": CredentialForm(), "problem": error.problem, "next": url},
        status=HTTPStatus.CONFLICT if error.problem else HTTPStatus.OK,
    )


def refuse_list(request: MemberRequest, region: Region, error: InvalidListError) -> HttpResponse:
    """The list with invalid parameters: an error for each, and the input as it was entered."""
    unknown = [name for name in error.form.data if name not in error.form.fields]
    page = ListPage(
        region=region,
        form=error.form,
        is_refused=True,
        unknown=describe_unknown(unknown),
        list_url=bare_list_url(region),
    )
    # The form above the results has errors, too.
    target = "instances" if find_target(request) else ""
    response = respond(request, "instances/list.html", page, target=target, status=HTTPStatus.BAD_REQUEST)
    return retarget(response, "#instances") if target else response


def fail_list(request: MemberRequest, region: Region, failure: ListFailedError) -> HttpResponse:
    """The error in place of the rows."""
    session, view = failure.session, failure.view
    layout = controls.choose_display_options(view, request.user)
    known = _read_known(request, session, view)
    filters = controls.build_active_filters(view, region=region, known=known)
    page = replace(
        _build_page(
            request,
            session,
            view,
            layout=layout,
            filters=filters,
            known=known,
            largest_limit=read_largest_page(region),
        ),
        notice=describe(failure.error, read_meter(session)),
        live=RefreshState(
            url=list_url(region, view),
            target="#results",
            version="",
            refresh_seconds=request.user.refresh_seconds,
            error=failure.error,
        ),
    )
    return respond(request, "instances/list.html", page, target=find_target(request))


def answer_list(
    request: MemberRequest,
    session: ApiSession,
    view: ListView,
    listing: Listing,
    *,
    policy: FetchPolicy,
    unknown: Sequence[str] = (),
    links: Sequence[SavedLink] | None = None,
) -> HttpResponse:
    """A page of the list; 204 if the open page that asks shows the same already.

    `unknown` are parameters that were ignored; the page names them. `links` are the saved views, if they are known.
    """
    region, page, target = session.region, listing.page, find_target(request)
    layout = controls.choose_display_options(view, request.user)
    known = _read_known(request, session, view)
    filters = controls.build_active_filters(view, region=region, known=known)
    version = make_page_version(request, *_name_content(listing), filters, layout)
    if is_shown_already(request, version):
        return answer_unchanged(session, page)
    table = build_table(listing.instances, region=region, view=view, layout=layout)
    has_filters = view.query.has_filters
    shown = replace(
        _build_page(
            request,
            session,
            view,
            layout=layout,
            filters=filters,
            known=known,
            largest_limit=listing.largest_limit,
            links=links,
        ),
        unknown=describe_unknown(unknown),
        listing=listing,
        left_out=page.upstream_call.left_out,
        page=page,
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
    return respond(request, "instances/list.html", shown, target=target)


def _build_page(
    request: MemberRequest,
    session: ApiSession,
    view: ListView,
    *,
    layout: DisplayOptions,
    filters: tuple[ActiveFilter, ...],
    known: KnownValues,
    largest_limit: int | None,
    links: Sequence[SavedLink] | None = None,
) -> ListPage:
    """The list without its rows. What surrounds the results is left out as far as it stays as it is on the page."""
    region, target = session.region, find_target(request)
    hidden = name_hidden_in(view)
    page = ListPage(
        region=region,
        counts_apart=target == "results",
        query_string=view.to_query_string(),
        target="#results",
        renew_url=renew_url(request, region),
        credential_url=credential_url(region, next_url=list_url(region, view)),
        rate_limit=describe_usage(read_meter(session)),
        active_filters=filters,
        hidden=", ".join(hidden),
        clear_url=list_url(region, ListView(), limit=view.query.limit, columns=view.columns, density=view.density),
        cleaned_url=list_url(region, view, **clean_filters(view)) if hidden else "",
        list_url=bare_list_url(region),
    )
    if target == "results" and "Portal-Refresh" in request.headers:
        return page
    page = replace(page, share=controls.build_share(view, layout, region=region))
    if shows_views(request):
        links = list_links(request.user, region.code) if links is None else links
        views = controls.link_views(links, view, layout, member=request.user, region=region)
        is_whole = view.change(marker=None) == ListView() and not any(one.is_current for one in views)
        page = replace(
            page,
            views=views,
            has_own_views=any(not one.owner for one in views),
            is_whole_list=is_whole,
            whole_list_url=list_url(region, ListView()),
        )
    if target != "results":
        settings = controls.build_settings(view, layout, largest_limit=largest_limit)
        page = replace(page, layout=settings, form=ListForm(view=view, known=known))
    return page


def _read_known(request: MemberRequest, session: ApiSession, view: ListView) -> KnownValues:
    """The known values, where they are shown: in the filter form, or as names of flavors and images."""
    has_names = view.query.flavor_id or view.query.image_id
    return read_known_values(session) if has_names or find_target(request) != "results" else KnownValues()


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


def renew_url(request: MemberRequest, region: Region) -> str:
    """Where Refresh and Retry lead."""
    name = "refresh" if request.user.can(Capability.FORCE_REFRESH) else "revalidate"
    return reverse(f"instances:{name}", args=[region])


def is_due(page: Cached[Any], policy: FetchPolicy) -> bool:
    """Whether the page should refresh at once: not if it has just tried, and not before ByCloud allows it."""
    return policy is FetchPolicy.CACHE_FIRST and page.is_due


def make_page_version(request: MemberRequest, *parts: Any) -> str:
    """The version depends on content, member and credential: buttons depend on the role, times on the time zone."""
    member, credential = request.user, request.credential
    reader = (member.role, member.refresh_seconds, timezone.get_current_timezone_name(), get_language())
    return make_version(reader, credential.is_team, describe_expiry(credential), *parts)


def is_shown_already(request: MemberRequest, version: str) -> bool:
    """Whether an open page refreshes itself and has this version."""
    headers = request.headers
    return "Portal-Refresh" in headers and headers.get("Portal-Version") == version and bool(find_target(request))


def answer_unchanged(session: ApiSession, page: Cached[Any]) -> HttpResponse:
    """Nothing to swap: only the date and the rate limit are updated."""
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    trigger_client_event(response, "portal:unchanged", describe_unchanged(page, read_meter(session)))
    patch_vary_headers(response, VARY)
    return response


def respond(
    request: MemberRequest, template: str, page: Page, *, target: str, status: int = HTTPStatus.OK
) -> HttpResponse:
    """The page, or the region that htmx requested. A notice without a page is all there is to show."""
    template = _REGIONS[target] if target else template
    notice = None if page.page else page.notice
    # Parameters may be checked before the credential is looked up.
    credential = getattr(request, "credential", None)
    warning = describe_expiry(credential) if credential else ""
    variables = {**vars(page), "credential": credential, "expiry_warning": warning}
    response = render(request, template, variables, status=notice.status if notice else status)
    if notice and notice.retry_seconds:
        response.headers["Retry-After"] = str(notice.retry_seconds)
    patch_vary_headers(response, VARY)
    return response
