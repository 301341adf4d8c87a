"""Suggestions for the search box, as options of its list box. Answered by the index alone."""

from contextlib import suppress

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.bycloud import Region
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.fleet.feed import find_fleet
from portal.fleet.query import LONGEST_TEXT
from portal.fleet.suggest import suggest
from portal.gateway import ApiSession
from portal.instances.errors import NoCredentialError
from portal.instances.links import named_instance_url
from portal.instances.views import instances_view, open_session

LONGEST_PLACE = 6


def suggest_nothing(request: MemberRequest, region: Region, _error: NoCredentialError) -> HttpResponse:
    return render(request, "instances/_suggestions.html", {"region": region, "suggestions": ()})


@instances_view(Capability.LIST_INSTANCES, {NoCredentialError: suggest_nothing})
@require_safe
def suggestions(request: MemberRequest, region: Region) -> HttpResponse:
    """For the text `q` with the caret behind `at` characters. No options if there is no index, or it cannot be read."""
    session = open_session(request, region)
    text, at = request.GET.get("q", ""), request.GET.get("at", "")
    place = int(at) if at.isascii() and at.isdigit() and len(at) < LONGEST_PLACE else len(text)
    context = {"region": region, "suggestions": (), "is_complete": False}
    if settings.FLEET_INDEX and len(text) <= LONGEST_TEXT:
        # Without an index that can be read, people type on without suggestions.
        with suppress(DatabaseError):
            context |= _suggest(session, text, place)
    return render(request, "instances/_suggestions.html", context)


def _suggest(session: ApiSession, text: str, at: int) -> dict[str, object]:
    fleet = find_fleet(session)
    if fleet is None:
        return {}
    found = suggest(fleet, text, at)
    return {
        "suggestions": [
            (one, url)
            for one in found
            if (url := named_instance_url(session.region, one.instance_id, one.shown)) or not one.instance_id
        ],
        "is_complete": fleet.completed_at is not None,
    }
