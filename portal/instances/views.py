"""The views of the instance pages, all by GET; actions.py has those by POST. docs/pages.md describes every state."""

from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any
from uuid import UUID

import structlog
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from django_htmx.http import push_url, replace_url

from portal.bycloud import Region
from portal.core.crypto import CryptoError
from portal.core.http import is_same_query, list_unknown, redirect_without
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest
from portal.credentials.vault import resolve_credential
from portal.fleet.values import KnownValues
from portal.gateway import ApiSession, FetchFailed, FetchPolicy
from portal.instances import detail, export, responses
from portal.instances.errors import (
    DetailFailedError,
    DetailMissingError,
    InstancesError,
    ListFailedError,
    NoCredentialError,
)
from portal.instances.forms import HINTS, InvalidHintsError, InvalidListError, ListForm, read_hints, read_view
from portal.instances.index_responses import answer_index
from portal.instances.indexed import read_known_values
from portal.instances.links import (
    DetailQuery,
    ListView,
    bare_list_url,
    instance_url,
    list_url,
    saved_view_url,
)
from portal.instances.lookup import FoundInstance, InstanceNotFoundError, find_instance
from portal.instances.pages import ask_for_credential, find_target
from portal.instances.services import Listing, list_instances
from portal.saved_views import services as saved_views

View = Callable[..., HttpResponseBase]
Handlers = Mapping[type[InstancesError], View]
PAGE_HANDLERS: Handlers = {
    NoCredentialError: ask_for_credential,
    InvalidListError: responses.refuse_list,
    ListFailedError: responses.fail_list,
    InvalidHintsError: detail.refuse_instance,
    DetailFailedError: detail.fail_instance,
    DetailMissingError: detail.miss_instance,
}
JSON_HANDLERS: Handlers = {
    NoCredentialError: export.ask_for_credential_in_json,
    InvalidHintsError: export.refuse_in_json,
    DetailFailedError: export.fail_in_json,
    DetailMissingError: export.miss_in_json,
}


def instances_view(capability: Capability, handlers: Handlers = PAGE_HANDLERS) -> Callable[[View], View]:
    """A view for members with the capability. What it cannot show becomes the response that `handlers` has for it."""

    def declare(view: View) -> View:
        @requires(capability)
        @wraps(view)
        def answer(request: MemberRequest, region: Region, **arguments: Any) -> HttpResponseBase:
            try:
                return view(request, region, **arguments)
            except InstancesError as error:
                return handlers[type(error)](request, region, error)

        return answer

    return declare


@instances_view(Capability.LIST_INSTANCES)
@require_safe
def list_page(request: MemberRequest, region: Region) -> HttpResponse:
    session = open_session(request, region)
    refused = None
    try:
        view = read_list(session, request.GET)
    except InvalidListError as error:
        # The list is shown without what is wrong.
        refused = error.form
        view = refused.view or ListView()
    unknown = list_unknown(request, ListForm.base_fields)
    # Without any parameter of its own, the list opens with the member's default view.
    is_bare = len(unknown) == len(request.GET)
    links = saved_views.list_links(request.user, region.code) if is_bare else None
    default = next((link for link in links or () if link.default_id), None)
    if default:
        return redirect_without(request, unknown, saved_view_url(region, default.query))
    url = list_url(region, view)
    params = request.META.get("QUERY_STRING", "")
    is_canonical = not params or is_same_query(params, url.partition("?")[2])
    target = find_target(request)
    if not is_canonical and not target and not refused:
        return redirect_without(request, unknown, url)
    if view.is_indexed:
        response = answer_index(request, session, view, unknown=unknown, links=links, refused=refused)
    else:
        policy = _read_policy(request)
        if links is None and responses.shows_views(request, refused=refused):
            # Before ByCloud is asked, because the connection to the database is given back for that time.
            links = saved_views.list_links(request.user, region.code)
        try:
            listing = fetch_listing(session, view, policy)
        except ListFailedError as failure:
            return responses.fail_list(request, region, failure, refused=refused)
        response = responses.answer_list(
            request, session, view, listing, policy=policy, unknown=unknown, links=links, refused=refused
        )
    if not is_canonical and not refused:
        return push_url(response, url)
    # After a response to a form, redirect to the list itself.
    is_elsewhere = target and request.htmx.current_url and not find_shown(request, region)
    return replace_url(response, url) if is_elsewhere else response


@instances_view(Capability.OPEN_INSTANCE)
@require_safe
def detail_page(request: MemberRequest, region: Region, instance_id: UUID) -> HttpResponse:
    session = open_session(request, region)
    hints = read_hints(request.GET, str(instance_id))
    is_canonical = is_same_query(hints.to_query_string(), request.META.get("QUERY_STRING", ""))
    if not is_canonical and not find_target(request):
        return redirect_without(request, list_unknown(request, HINTS), instance_url(region, str(instance_id), hints))
    policy = _read_policy(request)
    found = find_detail(session, str(instance_id), hints, policy)
    return detail.answer_instance(request, session, str(instance_id), hints, found, policy=policy)


@instances_view(Capability.READ_RAW_INSTANCE, JSON_HANDLERS)
@require_safe
def raw(request: MemberRequest, region: Region, instance_id: UUID) -> HttpResponse:
    """The raw JSON of one instance."""
    session = open_session(request, region)
    hints = read_hints(request.GET, str(instance_id))
    found = find_detail(session, str(instance_id), hints, FetchPolicy.CACHE_FIRST)
    return export.answer_json(found, str(instance_id), is_download="download" in request.GET)


def open_session(request: MemberRequest, region: Region) -> ApiSession:
    """The session for requests to ByCloud. Raises `NoCredentialError`.

    Sets `request.credential`, and adds to every log line whether the credential is the member's own or the team's.
    """
    try:
        resolved = resolve_credential(request.user, region)
    except CryptoError as error:
        raise NoCredentialError(str(error)) from None
    if resolved is None:
        raise NoCredentialError
    request.credential = resolved.row
    is_team = resolved.row.is_team
    structlog.contextvars.bind_contextvars(key_owner="team" if is_team else "member")
    return ApiSession(region, resolved.credential, member_id=str(request.user.pk), is_shared=is_team)


def read_list(session: ApiSession, params: QueryDict) -> ListView:
    """Like `read_view`, with the known names, for which most lists have no filter."""
    if "flavor_id" in params or "image_id" in params:
        return read_view(params, known=read_known_values(session))
    return read_query_string(params.urlencode())


@lru_cache(maxsize=256)
def read_query_string(query_string: str) -> ListView:
    """Like `read_view`, without known names. Cached, because an open page sends the same query string again and again,
    and a refresh would spend a tenth of its time on the form.
    """
    return read_view(QueryDict(query_string), known=KnownValues())


def _read_policy(request: MemberRequest) -> FetchPolicy:
    """A page that refreshes itself sends a header that says so, and whether anything is in transition."""
    refreshes = {"1": FetchPolicy.REVALIDATE, "quick": FetchPolicy.REVALIDATE_FAST}
    return refreshes.get(request.headers.get("Portal-Refresh", ""), FetchPolicy.CACHE_FIRST)


def fetch_listing(session: ApiSession, view: ListView, policy: FetchPolicy) -> Listing:
    try:
        return list_instances(session, view.query, policy=policy)
    except FetchFailed as failure:
        raise ListFailedError(session, view, failure.error) from None


def find_detail(session: ApiSession, instance_id: str, hints: DetailQuery, policy: FetchPolicy) -> FoundInstance:
    try:
        return find_instance(session, instance_id, name=hints.name, marker=hints.marker, policy=policy)
    except InstanceNotFoundError as error:
        raise DetailMissingError(session, instance_id, hints, error) from None
    except FetchFailed as failure:
        raise DetailFailedError(session, instance_id, hints, failure.error) from None


def find_shown(request: MemberRequest, region: Region) -> str | None:
    """The address of the list that htmx sent the request from; None for any other page.

    A response to a form may also show a list, but it has the form's address, which does not identify the list.
    """
    address = request.htmx.current_url_abs_path or ""
    return address if address.partition("?")[0] == bare_list_url(region) else None
