"""Renders the overview: the whole page, or its region for htmx. Sends no requests to ByCloud but a walk's."""

from dataclasses import dataclass, replace

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.bycloud import Region
from portal.core.http import encode_query
from portal.core.request import MemberRequest
from portal.gateway import ApiSession, read_meter
from portal.instances.index_responses import find_pace
from portal.instances.index_status import REJECTED_KINDS, IndexStatus, describe_count, describe_status
from portal.instances.indexed import IndexUnavailableError
from portal.instances.links import ListView, bare_list_url, credential_url, list_url
from portal.instances.live import RefreshState, describe_usage
from portal.instances.pages import Page, answer_shown, find_target, is_shown_already, make_page_version, respond
from portal.overview.cards import (
    NEWEST_VIEW,
    Bar,
    Card,
    NewInstance,
    RecentChange,
    Sum,
    build_cards,
    build_states,
    list_changes,
    list_newest,
    list_sums,
    list_troubles,
)
from portal.overview.services import Figures, read_figures

TEMPLATE = "overview/overview.html"


@dataclass(frozen=True, kw_only=True)
class OverviewPage(Page):
    """`own_url` is the address of this page, `bare_url` the same without `by`, `list_url` that of the live list, and
    `whole_url` that of the list from the index.

    `count` is the number of instances, in words. `names` are the metadata entries to choose from, `by` the chosen
    one. `is_rejected`: the walk waits for another credential. `is_empty`: there is nothing to count (yet).
    """

    own_url: str
    bare_url: str
    list_url: str
    whole_url: str
    count: str = ""
    troubles: tuple[Bar, ...] = ()
    states: Card | None = None
    cards: tuple[Card, ...] = ()
    sums: tuple[Sum, ...] = ()
    newest: tuple[NewInstance, ...] = ()
    newest_url: str = ""
    changes: tuple[RecentChange, ...] = ()
    by: str = ""
    names: tuple[str, ...] = ()
    is_rejected: bool = False
    is_complete: bool = False
    is_empty: bool = False

    def title(self) -> str:
        return _("Overview")

    def is_in_trouble(self) -> bool:
        return self.is_rejected or super().is_in_trouble()


def overview_url(region: Region, *, by: str = "") -> str:
    """The address of the overview, with instances counted by a metadata entry."""
    query_string = encode_query([("by", by)]) if by else ""
    return f"{reverse('overview:overview', args=[region])}?{query_string}".removesuffix("?")


def answer_overview(request: MemberRequest, session: ApiSession, *, by: str) -> HttpResponse:
    """The page; 204 if the open page that asks shows the same already."""
    region, target = session.region, find_target(request)
    url = overview_url(region, by=by)
    page = OverviewPage(
        region=region,
        own_url=url,
        bare_url=overview_url(region),
        list_url=bare_list_url(region),
        whole_url=list_url(region, ListView(page=1)),
        credential_url=credential_url(region, next_url=url),
        rate_limit=describe_usage(read_meter(session)),
    )
    try:
        # A member who presses Refresh asks for the region, too.
        figures = read_figures(session, by=by, is_refresh=bool(target))
    except IndexUnavailableError:
        return respond(request, TEMPLATE, replace(page, index=IndexStatus(live_url=page.list_url)), target=target)
    version = make_page_version(request, figures)
    if is_shown_already(request, version):
        return answer_shown()
    return respond(request, TEMPLATE, _fill_page(page, figures, request, version), target=target)


def _fill_page(page: OverviewPage, figures: Figures, request: MemberRequest, version: str) -> OverviewPage:
    region, coverage, totals = page.region, figures.coverage, figures.totals
    return replace(
        page,
        index=describe_status(coverage, totals),
        live=RefreshState(
            url=page.own_url,
            target="#overview",
            version=version,
            refresh_seconds=request.user.refresh_seconds,
            follow_seconds=find_pace(coverage),
        ),
        count=describe_count(coverage, totals),
        troubles=list_troubles(figures, region),
        states=build_states(figures, region),
        cards=build_cards(figures, region),
        sums=list_sums(totals),
        newest=list_newest(figures, region),
        newest_url=list_url(region, NEWEST_VIEW),
        changes=list_changes(figures, region),
        by=figures.by,
        names=figures.names,
        is_rejected=coverage.pause in REJECTED_KINDS,
        is_complete=coverage.is_complete,
        is_empty=not totals.instances,
    )
