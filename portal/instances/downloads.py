"""The views that write instances as a file from the index: all that match."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import get_args

from allauth.core import ratelimit
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from portal.bycloud import Region
from portal.core.http import is_same_query, list_unknown, redirect_without
from portal.core.permissions import Capability
from portal.core.request import MemberRequest, require_form
from portal.gateway import ApiSession, read_meter
from portal.instances.actions import read_posted
from portal.instances.export import record_export
from portal.instances.export_all import TooManyExportsError, start_export
from portal.instances.export_plan import (
    CONTENT_TYPES,
    Export,
    Format,
    TextFormat,
    name_file,
    plan_export,
    write_coverage,
)
from portal.instances.filters import ActiveFilter, build_active_filters
from portal.instances.forms import ListForm
from portal.instances.index_responses import find_pace
from portal.instances.index_status import IndexStatus, describe_count, describe_status
from portal.instances.indexed import IndexUnavailableError, open_index, read_known_values
from portal.instances.indexed import read_list as read_index
from portal.instances.links import ListView, export_url, list_url, write_all_matching
from portal.instances.live import RefreshState, describe_usage
from portal.instances.pages import (
    Page,
    answer_shown,
    find_target,
    is_shown_already,
    make_page_version,
    respond,
)
from portal.instances.views import instances_view, open_session, read_list


@dataclass(frozen=True, kw_only=True)
class ExportPage(Page):
    """`count` is the number of instances that match, as far as they are known."""

    list_url: str
    filters: tuple[ActiveFilter, ...]
    count: str = ""
    is_complete: bool = False

    def title(self) -> str:
        return _("Export")


@instances_view(Capability.LIST_INSTANCES)
@require_form
def export_all(request: MemberRequest, region: Region) -> HttpResponseBase:
    """By POST, a file with all instances of a list. The page says how many they are, and how far a walk is; the file
    leads there, too, while the list has never been read to its end, unless what is known is asked for (`known`).
    """
    session = open_session(request, region)
    if request.method == "POST":
        return answer_file(request, session, read_list(session, read_posted(request, region)))
    view = read_list(session, request.GET)
    url = export_url(region, view)
    if not is_same_query(url.partition("?")[2], request.META.get("QUERY_STRING", "")) and not find_target(request):
        return redirect_without(request, list_unknown(request, ListForm.base_fields), url)
    return _answer_page(request, session, view)


def _answer_page(request: MemberRequest, session: ApiSession, view: ListView) -> HttpResponse:
    region, target = session.region, find_target(request)
    page = ExportPage(
        region=region,
        query_string=write_all_matching(view),
        list_url=list_url(region, view),
        filters=build_active_filters(view, region=region, known=read_known_values(session)),
        rate_limit=describe_usage(read_meter(session)),
    )
    try:
        found = read_index(session, view, is_refresh="Portal-Refresh" in request.headers)
    except IndexUnavailableError:
        status = IndexStatus(live_url=list_url(region, view, q="", sort=""))
        return respond(request, "instances/export_all.html", replace(page, index=status), target=target)
    status = describe_status(found.coverage, found.totals, problems=found.problems)
    version = make_page_version(request, status, found.totals.instances)
    if is_shown_already(request, version):
        return answer_shown()
    shown = replace(
        page,
        index=status,
        count=describe_count(found.coverage, found.totals),
        is_complete=found.coverage.is_complete,
        live=RefreshState(
            url=export_url(region, view),
            target="#export-all",
            version=version,
            refresh_seconds=request.user.refresh_seconds,
            follow_seconds=find_pace(found.coverage),
        ),
        announcement=_("All instances are read.") if found.coverage.is_complete and target else "",
    )
    return respond(request, "instances/export_all.html", shown, target=target)


def answer_file(request: MemberRequest, session: ApiSession, view: ListView) -> HttpResponseBase:
    """The file; or, by 303, the page that says why there is none yet."""
    region, file_format = session.region, read_format(request.POST.get("format", ""))
    if not ratelimit.consume(request, action="export", user=request.user):
        return ratelimit.respond_429(request)  # type: ignore[no-any-return]
    try:
        with open_index(session, is_refresh=False) as index:
            export = plan_export(index, view)
    except IndexUnavailableError:
        return _redirect(export_url(region, view))
    if not export.coverage.is_complete and "known" not in request.POST:
        return _redirect(export_url(region, view))
    return send_export(request, region, export, file_format, view)


def send_export(
    request: MemberRequest, region: Region, export: Export, file_format: Format | TextFormat, view: ListView
) -> HttpResponseBase:
    """As a file; what is to be copied as a page of plain text."""
    try:
        pieces = start_export(export, file_format)
    except TooManyExportsError:
        messages.warning(request, _("Several exports are being written at the moment. Try again in a minute."))
        return _redirect(list_url(region, view))
    selects = "selected" if export.query is None else export.query or "all"
    record_export(request, region, len(export.keys), file_format, f"{write_coverage(export.coverage)} known, {selects}")
    response = StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[file_format])
    if file_format in ("csv", "jsonl"):
        response.headers["Content-Disposition"] = f'attachment; filename="{name_file(export, file_format)}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _redirect(url: str) -> HttpResponse:
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)


def read_format(text: str) -> Format:
    for file_format in get_args(Format):
        if file_format == text:
            return file_format  # type: ignore[no-any-return]
    raise BadRequest
