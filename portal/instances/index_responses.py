"""Renders a list that the index answers: the same page as of a live one."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.bycloud import Region
from portal.core.http import describe_unknown
from portal.core.request import MemberRequest
from portal.gateway import ApiSession, read_largest_page
from portal.instances import controls
from portal.instances.controls import PageLink, Pager, PageSize
from portal.instances.forms import ListForm
from portal.instances.index_status import IndexStatus, describe_count, describe_range, describe_status
from portal.instances.indexed import Coverage, IndexedList, IndexUnavailableError, read_list
from portal.instances.links import ListView, list_url
from portal.instances.live import RefreshState
from portal.instances.pages import answer_shown, is_shown_already, make_page_version
from portal.instances.responses import build_page, read_controls, respond_list
from portal.instances.table import build_table
from portal.saved_views.services import SavedLink

# Of a page that follows a walk: no more often than that, and at least that often until it is complete.
SHORTEST_SECONDS = 2
LONGEST_SECONDS = 30


def answer_index(
    request: MemberRequest,
    session: ApiSession,
    view: ListView,
    *,
    unknown: Sequence[str] = (),
    links: Sequence[SavedLink] | None = None,
    refused: ListForm | None = None,
) -> HttpResponse:
    """A page of the list; 204 if the open page that asks shows the same already."""
    region, is_refresh = session.region, "Portal-Refresh" in request.headers
    try:
        found = read_list(session, view, is_refresh=is_refresh)
    except IndexUnavailableError:
        found = None
    above = read_controls(request, session, view)
    page = replace(
        build_page(
            request, session, view, above, largest_limit=read_largest_page(region), links=links, refused=refused
        ),
        unknown=describe_unknown(unknown),
    )
    if found is None:
        status = IndexStatus(live_url=list_url(region, view, q="", sort=""))
        return respond_list(request, replace(page, index=status))
    status = describe_status(found.coverage, found.totals, problems=found.problems)
    version = make_page_version(request, found.instances, status, found.first, above.filters, above.options)
    if is_shown_already(request, version):
        return answer_shown()
    table = build_table(found.instances, region=region, view=view, options=above.options)
    pace = find_pace(found.coverage)
    is_without_matches = table is None and found.coverage.is_complete and view.has_filters
    shown = replace(
        page,
        index=status,
        table=table,
        is_without_matches=is_without_matches,
        is_so_far=table is None and not found.coverage.is_complete,
        is_without_instances=table is None and found.coverage.is_complete and not view.has_filters,
        pager=_build_pager(found, view, region),
        count=describe_count(found.coverage, found.totals),
        live=RefreshState(
            url=list_url(region, view),
            target="#results",
            version=version,
            refresh_seconds=request.user.refresh_seconds,
            follow_seconds=pace,
            # A page that follows a walk is quick already.
            pending=table.pending if table and not pace else "",
        ),
        announcement="" if is_refresh and status.progress else _describe_page(found),
    )
    return respond_list(request, shown)


def _build_pager(found: IndexedList, view: ListView, region: Region) -> Pager:
    def at(number: int) -> str:
        return list_url(region, view, page=view.write_page(number))

    number, pages = found.number, found.pages
    near = sorted({1, *range(max(1, number - 2), min(pages, number + 2) + 1), pages})
    return Pager(
        range=describe_range(found),
        first_url=at(1) if number > 1 else "",
        previous_url=at(number - 1) if number > 1 else "",
        next_url=at(number + 1) if number < pages else "",
        sizes=tuple(
            PageSize(size, list_url(region, view, limit=size), is_current=size == view.query.limit)
            for size in controls.PAGE_SIZES
        ),
        pages=tuple(
            PageLink(each, at(each), is_current=each == number, is_after_gap=place > 0 and each - near[place - 1] > 1)
            for place, each in enumerate(near)
        )
        if pages > 1
        else (),
    )


def find_pace(coverage: Coverage) -> int:
    """How long to wait before the next step of a walk, in seconds; 0 if it is not this page's business."""
    if coverage.is_complete and not coverage.is_walking:
        return 0
    seconds = ceil((coverage.due_at - timezone.now()).total_seconds())
    return min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)


def _describe_page(found: IndexedList) -> str:
    """What a screen reader announces after a page was swapped in."""
    if not found.instances:
        return _("No matches") if found.coverage.is_complete else _("No matches so far")
    return _("Instances %(range)s") % {"range": describe_range(found)}
