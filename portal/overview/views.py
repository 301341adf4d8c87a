"""The overview of a region: its first page, if the index is on."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from portal.bycloud import Region
from portal.core.http import is_same_query, redirect_without
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.instances.links import bare_list_url, find_forbidden_character
from portal.instances.pages import find_target
from portal.instances.views import instances_view, open_session
from portal.overview.responses import answer_overview, overview_url

LONGEST_NAME = 250


@instances_view(Capability.LIST_INSTANCES)
@require_safe
def show_overview(request: MemberRequest, region: Region) -> HttpResponse:
    """`by` is the name of a metadata entry to count instances by."""
    if not settings.FLEET_INDEX:
        return HttpResponseRedirect(bare_list_url(region))
    session = open_session(request, region)
    by = request.GET.get("by", "").lower()
    if len(by) > LONGEST_NAME or find_forbidden_character(by):
        by = ""
    url = overview_url(region, by=by)
    if not is_same_query(url.partition("?")[2], request.META.get("QUERY_STRING", "")) and not find_target(request):
        unknown = [name for name in request.GET if name != "by" or not by]
        return redirect_without(request, unknown, url)
    return answer_overview(request, session, by=by)
