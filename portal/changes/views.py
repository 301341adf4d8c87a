"""The view of the changes in a region."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from portal.bycloud import Region
from portal.changes.forms import ChangesForm
from portal.changes.links import changes_url
from portal.changes.responses import answer_changes, answer_without_index, refuse_changes
from portal.changes.services import read_page
from portal.core.http import is_same_query, list_unknown, redirect_without
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.instances.indexed import IndexUnavailableError
from portal.instances.pages import find_target
from portal.instances.views import instances_view, open_session


@instances_view(Capability.LIST_INSTANCES)
@require_safe
def changes_page(request: MemberRequest, region: Region) -> HttpResponse:
    session = open_session(request, region)
    form = ChangesForm(request.GET)
    if not form.is_valid():
        return refuse_changes(request, session, [(name, str(error[0])) for name, error in form.errors.items()])
    view, unknown = form.read_view(), list_unknown(request, form.fields)
    url = changes_url(region, view, before=view.before)
    if not is_same_query(request.META.get("QUERY_STRING", ""), url.partition("?")[2]) and not find_target(request):
        return redirect_without(request, unknown, url)
    try:
        found = read_page(
            session,
            request.user,
            view,
            is_opened=is_opened_by_a_person(request),
            is_refresh="Portal-Refresh" in request.headers,
        )
    except IndexUnavailableError:
        return answer_without_index(request, session, view)
    return answer_changes(request, session, view, found, unknown=unknown)


def is_opened_by_a_person(request: MemberRequest) -> bool:
    """Not by a page that refreshes itself, nor by a browser that fetches what may be opened later."""
    is_prefetch = "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    return request.method == "GET" and "Portal-Refresh" not in request.headers and not is_prefetch
