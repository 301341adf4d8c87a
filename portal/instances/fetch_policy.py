"""What the views of lists and instances begin with: the credential to ask with, the address meant, and the answer."""

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
    """What to ask upstream with, or why there is nothing: a sentence, empty when no credential was ever given.

    Whose it is stands in `request.held` from then on, and in every log line.
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
    """The names that filters may be given by. Most lists have no such filter, and are spared the look-up."""
    return read_known_values(access) if {"flavor_id", "image_id"} & given.keys() else KnownValues()


def find_shown(request: MemberRequest, region: Region) -> str | None:
    """The address of the list that htmx asks from; None from any other page.

    An answer to a form shows a list, too, and has the form's address, which says nothing of it.
    """
    address = request.htmx.current_url_abs_path or ""
    return address if address.partition("?")[0] == reverse("instances:list", args=[region]) else None


def read_posted(request: MemberRequest, region: Region) -> QueryDict:
    """The list that a form stands beside: its query string, or its address.

    htmx may have changed the address since the form was made. It names the present one with each request, and
    portal.js puts it into forms that the browser sends.
    """
    text = find_shown(request, region) or request.POST.get("query", "")
    return QueryDict(text.partition("?")[2] if text.startswith("/") else text)


def list_or_error_notice(access: ApiSession, query: InstanceQuery, policy: FetchPolicy) -> Listing | ErrorNotice:
    """A page of the list; what went wrong where there is none to show."""
    try:
        return list_instances(access, query, policy=policy)
    except FetchFailed as error:
        return describe(error.trouble, read_meter(access))
