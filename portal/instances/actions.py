"""Actions on the list: change its display options, save it as a view, export the current page."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.accounts.models import Density
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.bycloud import Region
from portal.core.http import require_post
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest
from portal.gateway import ApiSession, FetchPolicy
from portal.instances import responses
from portal.instances.columns import find_columns, write_names
from portal.instances.display_options import choose_display_options
from portal.instances.errors import ErrorNotice
from portal.instances.export import CONTENT_TYPES, name_file, write_csv, write_json
from portal.instances.fetch_policy import find_names, get_api_session, list_or_error_notice, read_posted
from portal.instances.links import WHOLE_LIST, list_url, saved_view_url
from portal.instances.list_query import DEFAULT_LIMIT, ListView, at_marker, read_view, to_query_string, with_look
from portal.instances.services import KnownValues
from portal.instances.toolbar import describe_view
from portal.saved_views import services as shelf
from portal.saved_views.forms import SavedViewForm
from portal.saved_views.models import QUERY_LENGTH, SavedView

LONGEST_NUMBER = 18


@requires(Capability.MANAGE_OWN_PREFERENCES)
@require_post
def change_layout(request: MemberRequest, region: Region) -> HttpResponse:
    """Change columns, density and page size. `how` is `keep` (save as default), `here` (apply to this view) or `usual`
    (reset).
    """
    given = read_posted(request, region).copy()
    limit = given.get("limit", "")
    chosen = {"columns": ",".join(request.POST.getlist("columns"))} | {
        name: request.POST.get(name, "") for name in ("density", "limit")
    }
    for name, text in chosen.items():
        given[name] = text
    reading = read_view(given, seen=KnownValues())
    view = reading.view
    if view is None:
        return responses.refuse_list(request, region, reading)
    how = request.POST.get("how")
    if how in {"keep", "usual"}:
        member = request.user
        member.columns = write_names(view.columns) if how == "keep" else ""
        member.density = view.density or Density.COMFORTABLE if how == "keep" else Density.COMFORTABLE
        member.save(update_fields=["columns", "density"])
        view = with_look(view, columns=(), density="")
    if view.query.limit != _read_number(limit or str(DEFAULT_LIMIT)):
        view = at_marker(view, None)
    return HttpResponseRedirect(list_url(region, view), status=HTTPStatus.SEE_OTHER)


@requires(Capability.MANAGE_SAVED_VIEWS)
@require_post
def save_view(request: MemberRequest, region: Region) -> HttpResponse:
    """Save the current list as a view: a new one, or in place of the member's own `view`."""
    reading = read_view(read_posted(request, region), seen=KnownValues())
    view = reading.view
    if view is None:
        return responses.refuse_list(request, region, reading)
    query = describe_view(view, choose_display_options(view, request.user))
    pk = request.POST.get("view", "")
    if pk:
        saved = shelf.find_own_view(_read_number(pk), member=request.user, region=region.code)
        if saved is None:
            raise Http404
    else:
        saved = SavedView(owner=request.user, region=region.code)
    saved.query = query
    form = SavedViewForm(_fill(request, saved), instance=saved)
    if len(query) > QUERY_LENGTH:
        form.add_error(None, _("These filters are too long to save."))
    if form.is_valid():
        try:
            keep = shelf.change_view if pk else shelf.add_view
            keep(form.save(commit=False), request=request)
        except shelf.NameTakenError:
            form.refuse_name()
        except shelf.TooManyViewsError:
            form.add_error(None, _("You have reached the limit of %(most)d saved views.") % {"most": shelf.MOST_VIEWS})
        except SavedView.DoesNotExist:
            raise Http404 from None
        else:
            messages.success(request, _("View %(name)s saved.") % {"name": saved.name})
            return HttpResponseRedirect(saved_view_url(region, query), status=HTTPStatus.SEE_OTHER)
    context = {
        "region": region,
        "form": form,
        "query_string": to_query_string(view),
        "back_url": list_url(region, view),
    }
    return render(request, "saved_views/save.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@requires(Capability.LIST_INSTANCES)
@require_post
def export(request: MemberRequest, region: Region) -> HttpResponse:
    """Export the current page as a file. From the cache if possible, so that it costs no upstream request."""
    form = request.POST.get("format", "")
    if form not in CONTENT_TYPES:
        raise BadRequest
    access = get_api_session(request, region)
    if not isinstance(access, ApiSession):
        return responses.ask_for_credential(request, region, access, url=list_url(region, ListView()))
    given = read_posted(request, region)
    reading = read_view(given, seen=find_names(access, given))
    view = reading.view
    if view is None:
        return responses.refuse_list(request, region, reading)
    listing = list_or_error_notice(access, view.query, FetchPolicy.CACHE_FIRST)
    if isinstance(listing, ErrorNotice):
        return responses.answer_list(request, access, view, listing, policy=FetchPolicy.CACHE_FIRST)
    page, instances = listing.page, listing.instances
    if form == "csv":
        body = write_csv(instances, find_columns(choose_display_options(view, request.user).columns))
    else:
        body = write_json(instances, region=region, fetched_at=page.fetched_at, source=page.exchange.target)
    means = f"{form} with the team's credential {request.held.fingerprint}" if request.held.is_team else form
    subject = f"{region.code}: {len(instances)} instances, {means}, {to_query_string(view) or WHOLE_LIST}"
    record_event(Act.INSTANCES_EXPORTED, request=request, member=request.user, subject=subject)
    response = HttpResponse(body, content_type=CONTENT_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="{name_file(region, page.fetched_at, form)}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _fill(request: MemberRequest, saved: SavedView) -> Mapping[str, Any]:
    """The initial values: the submitted ones, or those of the view whose query is being replaced."""
    return {"name": saved.name, "is_shared": saved.is_shared} if saved.pk else request.POST


def _read_number(text: str) -> int:
    """Zero, which is not the id of any view, if the text is not a number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else 0
