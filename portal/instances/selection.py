"""The views of instances that were selected in a list: as a file, as text to copy, and side by side."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import get_args

from allauth.core import ratelimit
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.bycloud import Region
from portal.core.http import is_same_query, list_unknown, redirect_without
from portal.core.numbers import number_text
from portal.core.permissions import Capability
from portal.core.request import MemberRequest, require_post
from portal.gateway import ApiSession, FetchPolicy
from portal.instances.actions import read_posted
from portal.instances.comparison import answer_comparison
from portal.instances.downloads import answer_file, send_export
from portal.instances.export import record_export
from portal.instances.export_all import write_texts
from portal.instances.export_plan import CONTENT_TYPES, Format, TextFormat, plan_export
from portal.instances.forms import read_back
from portal.instances.indexed import IndexUnavailableError, open_index
from portal.instances.links import ListView, canonical_id, compare_url, list_url
from portal.instances.views import fetch_listing, instances_view, open_session, read_list

MOST_SELECTED = 1000
MOST_COPIED = 10_000
FEWEST_COMPARED, MOST_COMPARED = 2, 4


class _RefusedError(Exception):
    """Says why there is no file or text of the selected instances."""


@instances_view(Capability.LIST_INSTANCES)
@require_post
def selected(request: MemberRequest, region: Region) -> HttpResponseBase:
    """The selected instances (`id`, or `all` that match the list) as a file, or as plain text with one value of each;
    or the way to their `comparison`.

    The reason why there is none is a message on the list; for a text, which a script requests, it is the response.
    """
    session = open_session(request, region)
    view = read_list(session, read_posted(request, region))
    if request.POST.get("format") == "comparison":
        return _go_to_comparison(request, region, view)
    file_format = next((each for each in CONTENT_TYPES if each == request.POST.get("format")), None)
    if file_format is None:
        raise BadRequest
    is_file = file_format in get_args(Format)
    if is_file and request.POST.get("all"):
        return answer_file(request, session, view)
    if is_file and not ratelimit.consume(request, action="export", user=request.user):
        return ratelimit.respond_429(request)  # type: ignore[no-any-return]
    try:
        return _answer(request, session, view, file_format)
    except _RefusedError as refusal:
        if is_file:
            messages.warning(request, str(refusal))
            return HttpResponseRedirect(list_url(region, view), status=HTTPStatus.SEE_OTHER)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return HttpResponse(str(refusal), content_type=CONTENT_TYPES[file_format], status=status)


@instances_view(Capability.OPEN_INSTANCE)
@require_safe
def compare(request: MemberRequest, region: Region) -> HttpResponse:
    """Two to four instances side by side."""
    session = open_session(request, region)
    ids, only_differences = read_ids(request.GET), bool(request.GET.get("differences"))
    back = read_back(request.GET.get("back", "")) or ListView()
    if not FEWEST_COMPARED <= len(ids) <= MOST_COMPARED:
        return _refuse_comparison(request, region, back)
    url = compare_url(region, ids, only_differences=only_differences, back=back)
    if not is_same_query(url.partition("?")[2], request.META.get("QUERY_STRING", "")):
        return redirect_without(request, list_unknown(request, ("id", "differences", "back")), url)
    return answer_comparison(request, session, ids, only_differences=only_differences, back=back)


def _go_to_comparison(request: MemberRequest, region: Region, view: ListView) -> HttpResponse:
    ids = read_ids(request.POST)
    if request.POST.get("all") or not FEWEST_COMPARED <= len(ids) <= MOST_COMPARED:
        return _refuse_comparison(request, region, view)
    url = compare_url(region, ids, only_differences=False, back=view)
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)


def _refuse_comparison(request: MemberRequest, region: Region, back: ListView) -> HttpResponse:
    words = {"fewest": FEWEST_COMPARED, "most": MOST_COMPARED}
    messages.warning(request, _("Select %(fewest)d to %(most)d instances to compare them.") % words)
    return HttpResponseRedirect(list_url(region, back), status=HTTPStatus.SEE_OTHER)


def read_ids(given: QueryDict) -> tuple[str, ...]:
    """The ids of the selected instances: each in a parameter `id` of its own, or several separated by commas."""
    texts = ",".join(given.getlist("id")).split(",")
    return tuple(dict.fromkeys(filter(None, map(canonical_id, texts))))


def _answer(
    request: MemberRequest, session: ApiSession, view: ListView, file_format: Format | TextFormat
) -> HttpResponseBase:
    """Raises `_RefusedError`."""
    is_all, ids = bool(request.POST.get("all")), read_ids(request.POST)
    if not is_all and not ids:
        raise _RefusedError(_("Select at least one instance first."))
    if not is_all and len(ids) > MOST_SELECTED:
        raise _RefusedError(_("At most %(most)s instances can be selected.") % {"most": number_text(MOST_SELECTED)})
    try:
        with open_index(session, is_refresh=False) as index:
            export = plan_export(index, view, () if is_all else ids)
    except IndexUnavailableError:
        if file_format == "csv" or file_format == "jsonl":  # noqa: PLR1714 - tells mypy which are left
            raise _RefusedError(_("The index cannot answer. You can export the rows of a page instead.")) from None
        return _answer_from_page(request, session, view, file_format, () if is_all else ids)
    if not export.keys:
        raise _RefusedError(_("None of these instances is listed any more."))
    if file_format not in get_args(Format) and len(export.keys) > MOST_COPIED:
        most = number_text(MOST_COPIED)
        raise _RefusedError(_("At most %(most)s instances can be copied. Export them instead.") % {"most": most})
    if is_all and not export.coverage.is_complete:
        raise _RefusedError(_("The fleet has not been read to its end yet. Export what is known so far instead."))
    return send_export(request, session.region, export, file_format, view)


def _answer_from_page(
    request: MemberRequest, session: ApiSession, view: ListView, file_format: TextFormat, ids: Sequence[str]
) -> HttpResponse:
    """A text without the index: of instances that are all on one page of the live list."""
    if view.is_indexed or not ids:
        raise _RefusedError(_("The index cannot answer. Select instances on one page of the live list."))
    chosen = [
        each for each in fetch_listing(session, view, FetchPolicy.CACHE_FIRST).instances if canonical_id(each.id) in ids
    ]
    if len(chosen) < len(ids):
        raise _RefusedError(_("Without the index, only instances on this page can be copied."))
    record_export(request, session.region, len(chosen), file_format, "selected")
    return HttpResponse(write_texts(chosen, file_format), content_type=CONTENT_TYPES[file_format])
