"""The views of the instance pages that take forms: refresh, display options, save as a view, export."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.models import Density
from portal.bycloud import DEFAULT_LIMIT, Region
from portal.core.permissions import Capability
from portal.core.request import MemberRequest, require_post
from portal.credentials import services as credential_services
from portal.fleet.values import KnownValues
from portal.gateway import FetchPolicy
from portal.instances import detail, responses
from portal.instances.columns import find_columns, write_names
from portal.instances.controls import choose_display_options, describe_view
from portal.instances.export import CONTENT_TYPES, name_file, record_export, write_csv, write_json
from portal.instances.forms import InvalidHintsError, InvalidListError, ListForm, read_hints, read_view
from portal.instances.indexed import IndexUnavailableError, read_on
from portal.instances.indexed import read_list as read_index
from portal.instances.links import WHOLE_LIST, DetailQuery, ListView, instance_url, is_uuid, list_url, saved_view_url
from portal.instances.pages import find_target
from portal.instances.views import fetch_listing, find_detail, find_shown, instances_view, open_session, read_list
from portal.saved_views import services as saved_views
from portal.saved_views.forms import SavedViewForm
from portal.saved_views.models import QUERY_LENGTH, SavedView

LONGEST_NUMBER = 18


@instances_view(Capability.LIST_INSTANCES)
@require_post
def revalidate(request: MemberRequest, region: Region) -> HttpResponse:
    """Fetch a page again unless it is fresh."""
    return _renew(request, region, FetchPolicy.RETRY)


@instances_view(Capability.FORCE_REFRESH)
@require_post
def refresh(request: MemberRequest, region: Region) -> HttpResponse:
    """Fetch a page again, however fresh it is."""
    return _renew(request, region, FetchPolicy.FORCE)


@instances_view(Capability.LIST_INSTANCES)
@require_post
def check_credential(request: MemberRequest, region: Region) -> HttpResponse:
    """Check the list's credential with one request to ByCloud. If it is valid, fetch the page again."""
    open_session(request, region)
    checked = credential_services.check_again(request.credential, region=region, member=request.user)
    messages.add_message(request, checked.level, checked.sentence)
    if checked.is_checked:
        return _renew(request, region, FetchPolicy.RETRY)
    return HttpResponseRedirect(_find_way_back(request, region), status=HTTPStatus.SEE_OTHER)


@instances_view(Capability.MANAGE_OWN_PREFERENCES)
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


@instances_view(Capability.MANAGE_SAVED_VIEWS)
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


@instances_view(Capability.LIST_INSTANCES)
@require_post
def export(request: MemberRequest, region: Region) -> HttpResponse:
    """Export the current page as a file. From the cache if possible, so that it costs no upstream request."""
    file_format = request.POST.get("format", "")
    if file_format not in CONTENT_TYPES:
        raise BadRequest
    session = open_session(request, region)
    view = read_list(session, read_posted(request, region))
    if view.is_indexed:
        try:
            found = read_index(session, view, is_refresh=False)
        except IndexUnavailableError:
            return HttpResponseRedirect(list_url(region, view), status=HTTPStatus.SEE_OTHER)
        instances, fetched_at, source = found.instances, found.totals.oldest or timezone.now(), list_url(region, view)
    else:
        listing = fetch_listing(session, view, FetchPolicy.CACHE_FIRST)
        instances, fetched_at = listing.instances, listing.page.fetched_at
        source = listing.page.upstream_call.target
    if file_format == "csv":
        body = write_csv(instances, find_columns(choose_display_options(view, request.user).columns))
    else:
        body = write_json(instances, region=region, fetched_at=fetched_at, source=source)
    record_export(request, region, len(instances), file_format, view.to_query_string() or WHOLE_LIST)
    response = HttpResponse(body, content_type=CONTENT_TYPES[file_format])
    name = name_file(region, fetched_at, file_format)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _read_number(text: str) -> int:
    """Zero, which is not the id of any view, if the text is not a number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else 0


def _renew(request: MemberRequest, region: Region, policy: FetchPolicy) -> HttpResponse:
    """Fetch the list of `query`, or the `instance` with `query` as its hints. Then 303 to its page.

    Errors are shown in the response itself, because the page may not show them after a redirect.
    """
    session = open_session(request, region)
    instance_id = request.POST.get("instance", "")
    if is_uuid(instance_id):
        hints = read_hints(QueryDict(request.POST.get("query", "")), instance_id)
        found = find_detail(session, instance_id, hints, policy)
        if found.cached.error or found.absence:
            return detail.answer_instance(request, session, instance_id, hints, found, policy=policy)
        url = instance_url(region, instance_id, hints)
    else:
        view = read_list(session, read_posted(request, region))
        if view.is_indexed:
            read_on(session)
            return HttpResponseRedirect(list_url(region, view), status=HTTPStatus.SEE_OTHER)
        listing = fetch_listing(session, view, policy)
        if listing.page.error and find_target(request):
            return responses.answer_list(request, session, view, listing, policy=policy)
        url = list_url(region, view)
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)


def _find_way_back(request: MemberRequest, region: Region) -> str:
    """The address of the page that a form belongs to, as far as it can be parsed."""
    instance_id = request.POST.get("instance", "")
    try:
        if is_uuid(instance_id):
            return instance_url(region, instance_id, read_hints(QueryDict(request.POST.get("query", "")), instance_id))
        return list_url(region, read_view(read_posted(request, region), known=KnownValues()))
    except InvalidHintsError:
        return instance_url(region, instance_id, DetailQuery())
    except InvalidListError:
        return list_url(region, ListView())


def read_posted(request: MemberRequest, region: Region) -> QueryDict:
    """The list that a form belongs to, from its query string or its address.

    htmx may have changed the address since the form was rendered. It sends the current one with each request, and
    the script adds it to forms that the browser submits.
    """
    given = request.POST.get("query", "")
    posted = QueryDict(given.partition("?")[2] if given.startswith("/") else given)
    shown = QueryDict((find_shown(request, region) or "").partition("?")[2])
    # A list with an invalid address is shown without what is invalid, and so was the form.
    return shown if shown and ListForm(shown).is_valid() else posted
