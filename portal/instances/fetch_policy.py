"""What the views have in common: the API session, the list that a form belongs to, and the list or its error."""

import structlog
from django.http import QueryDict
from django.urls import reverse

from portal.bycloud import InstanceQuery, Region
from portal.core.crypto import CryptoError
from portal.core.request import MemberRequest
from portal.credentials.vault import resolve_credential
from portal.gateway import ApiSession, FetchFailed, FetchPolicy, read_meter
from portal.instances.errors import ErrorNotice, describe
from portal.instances.services import KnownValues, Listing, list_instances, read_known_values


def get_api_session(request: MemberRequest, region: Region) -> ApiSession | str:
    """The session for requests to ByCloud, or a text that says why there is none; empty if no credential was added.

    Sets `request.held`, and adds to every log line whether the credential is the member's own or the team's.
    """
    try:
        held = resolve_credential(request.user, region)
    except CryptoError as error:
        return str(error)
    if held is None:
        return ""
    request.held = held.row
    structlog.contextvars.bind_contextvars(asks_with="team" if held.row.is_team else "own")
    return ApiSession(region, held.credential, asker=str(request.user.pk), is_shared=held.row.is_team)


def find_names(access: ApiSession, given: QueryDict) -> KnownValues:
    """The known names for filters. Most lists have no such filter, so the cache is not queried for them."""
    return read_known_values(access) if {"flavor_id", "image_id"} & given.keys() else KnownValues()


def find_shown(request: MemberRequest, region: Region) -> str | None:
    """The URL of the list that htmx sent the request from; None for any other page.

    A response to a form may also show a list, but it has the form's URL, which does not identify the list.
    """
    address = request.htmx.current_url_abs_path or ""
    return address if address.partition("?")[0] == reverse("instances:list", args=[region]) else None


def read_posted(request: MemberRequest, region: Region) -> QueryDict:
    """The list that a form belongs to, from its query string or its URL.

    htmx may have changed the URL since the form was rendered. It sends the current one with each request, and the
    script adds it to forms that the browser submits.
    """
    text = find_shown(request, region) or request.POST.get("query", "")
    return QueryDict(text.partition("?")[2] if text.startswith("/") else text)


def list_or_error_notice(access: ApiSession, query: InstanceQuery, policy: FetchPolicy) -> Listing | ErrorNotice:
    """A page of the list, or the error if there is none to show."""
    try:
        return list_instances(access, query, policy=policy)
    except FetchFailed as error:
        return describe(error.trouble, read_meter(access))
