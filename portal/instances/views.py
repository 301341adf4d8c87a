"""The instance pages: one request in, one answer out. docs/pages.md describes the addresses and every state."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django_htmx.http import push_url, replace_url

from portal.accounts.capabilities import Capability, requires
from portal.accounts.requests import MemberRequest
from portal.bycloud import Region
from portal.credentials import intake
from portal.gateway import Access, Asking, Troubled, read_meter
from portal.instances import answers, raws
from portal.instances.asking import find_access, find_names, find_shown, list_or_notice, read_posted
from portal.instances.catalog import Found, Missing, Seen, find_instance
from portal.instances.filters import ListView, is_uuid, read_view
from portal.instances.hints import PARAMETERS, Hints, read_hints
from portal.instances.links import instance_url, list_url, saved_view_url
from portal.instances.troubles import Notice, describe
from portal.saved_views.shelf import find_default
from portal.web.addresses import is_same_query, leave_out, list_unknown, require_post


@requires(Capability.LIST_INSTANCES)
@require_safe
def list_page(request: MemberRequest, region: Region) -> HttpResponse:
    access = find_access(request, region)
    if not isinstance(access, Access):
        return answers.ask_for_credential(request, region, access, url=request.get_full_path())
    reading = read_view(request.GET, seen=find_names(access, request.GET))
    view = reading.view
    if view is None:
        return answers.refuse_list(request, region, reading)
    # Opened without any parameter of its own, the list is the one that this member has chosen to begin with.
    is_bare = len(reading.unknown) == len(request.GET)
    default = find_default(member=request.user, region=region.code) if is_bare else None
    if default:
        return leave_out(request, reading.unknown, saved_view_url(region, default.query))
    url = list_url(region, view)
    given = request.META.get("QUERY_STRING", "")
    is_canonical = not given or is_same_query(given, url.partition("?")[2])
    if not is_canonical and not answers.wants_fragment(request):
        return leave_out(request, reading.unknown, url)
    asking = _read_asking(request)
    listing = list_or_notice(access, view.query, asking)
    response = answers.answer_list(request, access, view, listing, asking=asking, unknown=reading.unknown)
    if not is_canonical:
        return push_url(response, url)
    # From an answer to a form, one comes to the list itself.
    is_elsewhere = answers.wants_fragment(request) and request.htmx.current_url and not find_shown(request, region)
    return replace_url(response, url) if is_elsewhere else response


@requires(Capability.OPEN_INSTANCE)
@require_safe
def detail_page(request: MemberRequest, region: Region, instance_id: UUID) -> HttpResponse:
    access = find_access(request, region)
    if not isinstance(access, Access):
        return answers.ask_for_credential(request, region, access, url=request.get_full_path())
    hints = read_hints(request.GET)
    if not isinstance(hints, Hints):
        return answers.refuse_instance(request, region, str(instance_id), hints)
    is_canonical = is_same_query(hints.to_query_string(), request.META.get("QUERY_STRING", ""))
    if not is_canonical and not answers.wants_fragment(request):
        return leave_out(request, list_unknown(request, PARAMETERS), instance_url(region, str(instance_id), hints))
    asking = _read_asking(request)
    outcome = _find(access, str(instance_id), hints, asking)
    return answers.answer_instance(request, access, str(instance_id), hints, outcome, asking=asking)


@requires(Capability.READ_RAW_INSTANCE)
@require_safe
def raw(request: MemberRequest, region: Region, instance_id: UUID) -> HttpResponse:
    """The untouched JSON of one instance; errors are JSON too."""
    access = find_access(request, region)
    if not isinstance(access, Access):
        return raws.refuse(HTTPStatus.CONFLICT, access or _("You have no ByCloud credential for this region yet."))
    hints = read_hints(request.GET)
    if not isinstance(hints, Hints):
        return raws.refuse_parameters(hints)
    outcome = _find(access, str(instance_id), hints, Asking.STORED_FIRST)
    if isinstance(outcome, Notice):
        return raws.refuse_for(outcome)
    if isinstance(outcome, Missing):
        return raws.miss(outcome)
    return raws.answer(outcome.instance.value, str(instance_id), is_download="download" in request.GET)


@requires(Capability.LIST_INSTANCES)
@require_post
def revalidate(request: MemberRequest, region: Region) -> HttpResponse:
    """Load a page anew unless it is fresh."""
    return _renew(request, region, Asking.PRESSED)


@requires(Capability.FORCE_REFRESH)
@require_post
def refresh(request: MemberRequest, region: Region) -> HttpResponse:
    """Load a page anew, however fresh it is."""
    return _renew(request, region, Asking.FORCED)


@requires(Capability.LIST_INSTANCES)
@require_post
def check_credential(request: MemberRequest, region: Region) -> HttpResponse:
    """Ask ByCloud once about the credential that the lists are read with. Is it taken, the page is loaded anew."""
    access = find_access(request, region)
    if isinstance(access, Access):
        checked = intake.check_again(request.held, region=region, asker=request.user)
        if isinstance(checked, intake.Kept) and checked.is_checked:
            messages.success(request, checked.sentence)
        else:
            messages.warning(request, checked.sentence)
            return HttpResponseRedirect(_find_way_back(request, region), status=HTTPStatus.SEE_OTHER)
    return _renew(request, region, Asking.PRESSED)


def _find_way_back(request: MemberRequest, region: Region) -> str:
    """The page that a form names, as far as it can be read."""
    instance_id = request.POST.get("instance", "")
    if is_uuid(instance_id):
        hints = read_hints(QueryDict(request.POST.get("query", "")))
        return instance_url(region, instance_id, hints if isinstance(hints, Hints) else Hints())
    return list_url(region, read_view(read_posted(request, region), seen=Seen()).view or ListView())


def _renew(request: MemberRequest, region: Region, asking: Asking) -> HttpResponse:
    """Load what the form names: the list of `query`, or the `instance` with `query` as its hints. Then 303 to its page.

    What went wrong is answered at once, since a page loaded later may not tell of it.
    """
    access = find_access(request, region)
    if not isinstance(access, Access):
        url = list_url(region, ListView())
        return answers.ask_for_credential(request, region, access, url=url)
    instance_id = request.POST.get("instance", "")
    if is_uuid(instance_id):
        given = QueryDict(request.POST.get("query", ""))
        return _renew_instance(request, access, instance_id, given, asking)
    return _renew_list(request, access, read_posted(request, region), asking)


def _renew_list(request: MemberRequest, access: Access, given: QueryDict, asking: Asking) -> HttpResponse:
    reading = read_view(given, seen=find_names(access, given))
    view = reading.view
    if view is None:
        return answers.refuse_list(request, access.region, reading)
    listing = list_or_notice(access, view.query, asking)
    if isinstance(listing, Notice) or (listing.page.trouble and answers.wants_fragment(request)):
        return answers.answer_list(request, access, view, listing, asking=asking)
    return HttpResponseRedirect(list_url(access.region, view), status=HTTPStatus.SEE_OTHER)


def _renew_instance(
    request: MemberRequest, access: Access, instance_id: str, given: QueryDict, asking: Asking
) -> HttpResponse:
    hints = read_hints(given)
    if not isinstance(hints, Hints):
        return answers.refuse_instance(request, access.region, instance_id, hints)
    outcome = _find(access, instance_id, hints, asking)
    if not isinstance(outcome, Found) or outcome.instance.trouble:
        return answers.answer_instance(request, access, instance_id, hints, outcome, asking=asking)
    return HttpResponseRedirect(instance_url(access.region, instance_id, hints), status=HTTPStatus.SEE_OTHER)


def _read_asking(request: MemberRequest) -> Asking:
    """A page that refreshes itself says so with this header on the same URL, and whether anything is in transition."""
    refreshes = {"1": Asking.REVALIDATED, "quick": Asking.QUICKENED}
    return refreshes.get(request.headers.get("Portal-Refresh", ""), Asking.STORED_FIRST)


def _find(access: Access, instance_id: str, hints: Hints, asking: Asking) -> Found | Missing | Notice:
    try:
        return find_instance(access, instance_id, name=hints.name, marker=hints.marker, asking=asking)
    except Troubled as error:
        return describe(error.trouble, read_meter(access))
