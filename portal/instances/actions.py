"""Actions on the list: change its display options, save it as a view, export the current page."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.accounts.models import Density
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.bycloud import DEFAULT_LIMIT, Region
from portal.core.permissions import Capability
from portal.core.request import MemberRequest, require_post
from portal.gateway import FetchPolicy
from portal.instances.columns import find_columns, write_names
from portal.instances.controls import choose_display_options, describe_view
from portal.instances.export import CONTENT_TYPES, name_file, write_csv, write_json
from portal.instances.forms import read_view
from portal.instances.links import WHOLE_LIST, list_url, saved_view_url
from portal.instances.services import KnownValues
from portal.instances.views import answers, fetch_listing, open_session, read_list, read_posted
from portal.saved_views import services as saved_views
from portal.saved_views.forms import SavedViewForm
from portal.saved_views.models import QUERY_LENGTH, SavedView

LONGEST_NUMBER = 18


@answers(Capability.MANAGE_OWN_PREFERENCES)
@require_post
def change_layout(request: MemberRequest, region: Region) -> HttpResponse:
    """Change columns, density and page size. `how` is `keep` (save as default), `here` (apply to this view) or `usual`
    (reset).
    """
    params = read_posted(request, region).copy()
    limit = params.get("limit", "")
    params["columns"] = ",".join(request.POST.getlist("columns"))
    params["density"], params["limit"] = request.POST.get("density", ""), request.POST.get("limit", "")
    view = read_view(params, known=KnownValues())
    how = request.POST.get("how")
    if how in {"keep", "usual"}:
        member = request.user
        member.columns = write_names(view.columns) if how == "keep" else ""
        member.density = view.density or Density.COMFORTABLE if how == "keep" else Density.COMFORTABLE
        member.save(update_fields=["columns", "density"])
        view = view.change(columns=(), density="", marker=view.query.marker)
    if view.query.limit != _read_number(limit or str(DEFAULT_LIMIT)):
        view = view.change(marker=None)
    return HttpResponseRedirect(list_url(region, view), status=HTTPStatus.SEE_OTHER)


@answers(Capability.MANAGE_SAVED_VIEWS)
@require_post
def save_view(request: MemberRequest, region: Region) -> HttpResponse:
    """Save the current list as a view: a new one, or in place of the member's own `view`."""
    view = read_view(read_posted(request, region), known=KnownValues())
    query = describe_view(view, choose_display_options(view, request.user))
    pk = request.POST.get("view", "")
    if pk:
        saved = saved_views.find_own_view(_read_number(pk), member=request.user, region=region.code)
        if saved is None:
            raise Http404
    else:
        saved = SavedView(owner=request.user, region=region.code)
    saved.query = query
    # The submitted values, or those of the view whose query is being replaced.
    values = {"name": saved.name, "is_shared": saved.is_shared} if saved.pk else request.POST
    form = SavedViewForm(values, instance=saved)
    if len(query) > QUERY_LENGTH:
        form.add_error(None, _("These filters are too long to save."))
    if form.is_valid():
        try:
            keep = saved_views.change_view if pk else saved_views.add_view
            keep(form.save(commit=False), request=request)
        except saved_views.ViewNameTakenError:
            form.refuse_name()
        except saved_views.TooManyViewsError:
            form.add_error(
                None, _("You have reached the limit of %(most)d saved views.") % {"most": saved_views.MOST_VIEWS}
            )
        except SavedView.DoesNotExist:
            raise Http404 from None
        else:
            messages.success(request, _("View %(name)s saved.") % {"name": saved.name})
            return HttpResponseRedirect(saved_view_url(region, query), status=HTTPStatus.SEE_OTHER)
    context = {
        "region": region,
        "form": form,
        "query_string": view.to_query_string(),
        "back_url": list_url(region, view),
    }
    return render(request, "saved_views/save.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@answers(Capability.LIST_INSTANCES)
@require_post
def export(request: MemberRequest, region: Region) -> HttpResponse:
    """Export the current page as a file. From the cache if possible, so that it costs no upstream request."""
    form = request.POST.get("format", "")
    if form not in CONTENT_TYPES:
        raise BadRequest
    session = open_session(request, region)
    view = read_list(session, read_posted(request, region))
    listing = fetch_listing(session, view, FetchPolicy.CACHE_FIRST)
    page, instances = listing.page, listing.instances
    if form == "csv":
        body = write_csv(instances, find_columns(choose_display_options(view, request.user).columns))
    else:
        source = page.upstream_call.target
        body = write_json(instances, region=region, fetched_at=page.fetched_at, source=source)
    means = (
        f"{form} with the team's credential {request.credential.fingerprint}" if request.credential.is_team else form
    )
    subject = f"{region.code}: {len(instances)} instances, {means}, {view.to_query_string() or WHOLE_LIST}"
    record_event(Action.INSTANCES_EXPORTED, request=request, member=request.user, subject=subject)
    response = HttpResponse(body, content_type=CONTENT_TYPES[form])
    name = name_file(region, page.fetched_at, form)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _read_number(text: str) -> int:
    """Zero, which is not the id of any view, if the text is not a number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else 0
