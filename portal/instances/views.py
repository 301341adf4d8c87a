"""The views of the instance pages. docs/pages.md describes the URLs and every state."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django_htmx.http import push_url, replace_url

from portal.bycloud import Region
from portal.core.http import is_same_query, leave_out, list_unknown, require_post
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest
from portal.credentials import services as intake
from portal.gateway import ApiSession, FetchFailed, FetchPolicy, read_meter
from portal.instances import raw_json, responses
from portal.instances.detail_query import PARAMETERS, DetailQuery, read_detail_query
from portal.instances.errors import ErrorNotice, describe
from portal.instances.fetch_policy import find_names, find_shown, get_api_session, list_or_error_notice, read_posted
from portal.instances.links import instance_url, list_url, saved_view_url
from portal.instances.list_query import ListView, is_uuid, read_view
from portal.instances.services import Found, KnownValues, Missing, find_instance
from portal.saved_views.services import find_default


@requires(Capability.LIST_INSTANCES)
@require_safe
def list_page(request: MemberRequest, region: Region) -> HttpResponse:
    access = get_api_session(request, region)
    if not isinstance(access, ApiSession):
        return responses.ask_for_credential(request, region, access, url=request.get_full_path())
    reading = read_view(request.GET, seen=find_names(access, request.GET))
    view = reading.view
    if view is None:
        return responses.refuse_list(request, region, reading)
    # Without any parameter of its own, the list opens with the member's default view.
    is_bare = len(reading.unknown) == len(request.GET)
    default = find_default(member=request.user, region=region.code) if is_bare else None
    if default:
        return leave_out(request, reading.unknown, saved_view_url(region, default.query))
    url = list_url(region, view)
    given = request.META.get("QUERY_STRING", "")
    is_canonical = not given or is_same_query(given, url.partition("?")[2])
    if not is_canonical and not responses.wants_fragment(request):
        return leave_out(request, reading.unknown, url)
    policy = _read_asking(request)
    listing = list_or_error_notice(access, view.query, policy)
    response = responses.answer_list(request, access, view, listing, policy=policy, unknown=reading.unknown)
    if not is_canonical:
        return push_url(response, url)
    # After a response to a form, redirect to the list itself.
    is_elsewhere = responses.wants_fragment(request) and request.htmx.current_url and not find_shown(request, region)
    return replace_url(response, url) if is_elsewhere else response


@requires(Capability.OPEN_INSTANCE)
@require_safe
def detail_page(request: MemberRequest, region: Region, instance_id: UUID) -> HttpResponse:
    access = get_api_session(request, region)
    if not isinstance(access, ApiSession):
        return responses.ask_for_credential(request, region, access, url=request.get_full_path())
    hints = read_detail_query(request.GET)
    if not isinstance(hints, DetailQuery):
        return responses.refuse_instance(request, region, str(instance_id), hints)
    is_canonical = is_same_query(hints.to_query_string(), request.META.get("QUERY_STRING", ""))
    if not is_canonical and not responses.wants_fragment(request):
        return leave_out(request, list_unknown(request, PARAMETERS), instance_url(region, str(instance_id), hints))
    policy = _read_asking(request)
    outcome = _find(access, str(instance_id), hints, policy)
    return responses.answer_instance(request, access, str(instance_id), hints, outcome, policy=policy)


@requires(Capability.READ_RAW_INSTANCE)
@require_safe
def raw(request: MemberRequest, region: Region, instance_id: UUID) -> HttpResponse:
    """The raw JSON of one instance. Errors are JSON too."""
    access = get_api_session(request, region)
    if not isinstance(access, ApiSession):
        return raw_json.refuse(
            HTTPStatus.CONFLICT, access or _("You don't have a ByCloud credential for this region yet.")
        )
    hints = read_detail_query(request.GET)
    if not isinstance(hints, DetailQuery):
        return raw_json.refuse_parameters(hints)
    outcome = _find(access, str(instance_id), hints, FetchPolicy.CACHE_FIRST)
    if isinstance(outcome, ErrorNotice):
        return raw_json.refuse_for(outcome)
    if isinstance(outcome, Missing):
        return raw_json.miss(outcome)
    return raw_json.answer(outcome.instance.value, str(instance_id), is_download="download" in request.GET)


@requires(Capability.LIST_INSTANCES)
@require_post
def revalidate(request: MemberRequest, region: Region) -> HttpResponse:
    """Fetch a page again unless it is fresh."""
    return _renew(request, region, FetchPolicy.RETRY)


@requires(Capability.FORCE_REFRESH)
@require_post
def refresh(request: MemberRequest, region: Region) -> HttpResponse:
    """Fetch a page again, however fresh it is."""
    return _renew(request, region, FetchPolicy.FORCE)


@requires(Capability.LIST_INSTANCES)
@require_post
def check_credential(request: MemberRequest, region: Region) -> HttpResponse:
    """Check the list's credential with one request to ByCloud. If it is valid, fetch the page again."""
    access = get_api_session(request, region)
    if isinstance(access, ApiSession):
        checked = intake.check_again(request.held, region=region, asker=request.user)
        if isinstance(checked, intake.Saved) and checked.is_checked:
            messages.success(request, checked.sentence)
        else:
            messages.warning(request, checked.sentence)
            return HttpResponseRedirect(_find_way_back(request, region), status=HTTPStatus.SEE_OTHER)
    return _renew(request, region, FetchPolicy.RETRY)


def _find_way_back(request: MemberRequest, region: Region) -> str:
    """The URL of the page that a form belongs to, as far as it can be parsed."""
    instance_id = request.POST.get("instance", "")
    if is_uuid(instance_id):
        hints = read_detail_query(QueryDict(request.POST.get("query", "")))
        return instance_url(region, instance_id, hints if isinstance(hints, DetailQuery) else DetailQuery())
    return list_url(region, read_view(read_posted(request, region), seen=KnownValues()).view or ListView())


def _renew(request: MemberRequest, region: Region, policy: FetchPolicy) -> HttpResponse:
    """Fetch the list of `query`, or the `instance` with `query` as its hints. Then 303 to its page.

    Errors are shown in the response itself, because the page may not show them after a redirect.
    """
    access = get_api_session(request, region)
    if not isinstance(access, ApiSession):
        url = list_url(region, ListView())
        return responses.ask_for_credential(request, region, access, url=url)
    instance_id = request.POST.get("instance", "")
    if is_uuid(instance_id):
        given = QueryDict(request.POST.get("query", ""))
        return _renew_instance(request, access, instance_id, given, policy)
    return _renew_list(request, access, read_posted(request, region), policy)


def _renew_list(request: MemberRequest, access: ApiSession, given: QueryDict, policy: FetchPolicy) -> HttpResponse:
    reading = read_view(given, seen=find_names(access, given))
    view = reading.view
    if view is None:
        return responses.refuse_list(request, access.region, reading)
    listing = list_or_error_notice(access, view.query, policy)
    if isinstance(listing, ErrorNotice) or (listing.page.trouble and responses.wants_fragment(request)):
        return responses.answer_list(request, access, view, listing, policy=policy)
    return HttpResponseRedirect(list_url(access.region, view), status=HTTPStatus.SEE_OTHER)


def _renew_instance(
    request: MemberRequest, access: ApiSession, instance_id: str, given: QueryDict, policy: FetchPolicy
) -> HttpResponse:
    hints = read_detail_query(given)
    if not isinstance(hints, DetailQuery):
        return responses.refuse_instance(request, access.region, instance_id, hints)
    outcome = _find(access, instance_id, hints, policy)
    if not isinstance(outcome, Found) or outcome.instance.trouble:
        return responses.answer_instance(request, access, instance_id, hints, outcome, policy=policy)
    return HttpResponseRedirect(instance_url(access.region, instance_id, hints), status=HTTPStatus.SEE_OTHER)


def _read_asking(request: MemberRequest) -> FetchPolicy:
    """A page that refreshes itself sends a header that says so, and whether anything is in transition."""
    refreshes = {"1": FetchPolicy.REVALIDATE, "quick": FetchPolicy.REVALIDATE_FAST}
    return refreshes.get(request.headers.get("Portal-Refresh", ""), FetchPolicy.CACHE_FIRST)


def _find(
    access: ApiSession, instance_id: str, hints: DetailQuery, policy: FetchPolicy
) -> Found | Missing | ErrorNotice:
    try:
        return find_instance(access, instance_id, name=hints.name, marker=hints.marker, policy=policy)
    except FetchFailed as error:
        return describe(error.trouble, read_meter(access))
