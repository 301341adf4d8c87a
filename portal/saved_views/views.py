"""The page of saved views: rename, share, delete, set as default. Views are created on the list page itself."""

from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.bycloud import Region
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, posted_data, require_form, require_post
from portal.saved_views import services as saved_views
from portal.saved_views.forms import SavedViewForm
from portal.saved_views.models import SavedView


@requires(Capability.MANAGE_SAVED_VIEWS)
@require_safe
def list_page(request: MemberRequest, region: Region) -> HttpResponse:
    views = saved_views.list_views(request.user, region.code)
    context = {
        "region": region,
        "views": views,
        "has_default": any(view.is_default for view in views),
        "may_remove_shared": request.user.can(Capability.MANAGE_TEAM),
        "most": saved_views.MOST_VIEWS,
    }
    return render(request, "saved_views/list.html", context)


@requires(Capability.MANAGE_SAVED_VIEWS)
@require_form
def edit(request: MemberRequest, region: Region, pk: int) -> HttpResponse:
    view = saved_views.find_own_view(pk, member=request.user, region=region.code)
    if view is None:
        raise Http404
    name = view.name
    form = SavedViewForm(posted_data(request), instance=view)
    if form.is_valid():
        try:
            saved_views.change_view(form.save(commit=False), request=request)
        except saved_views.ViewNameTakenError:
            form.refuse_name()
        except SavedView.DoesNotExist:
            raise Http404 from None
        else:
            messages.success(request, _("View %(name)s updated.") % {"name": view.name})
            return redirect("saved_views:list", region)
    context = {"region": region, "form": form, "view": view, "name": name}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "saved_views/edit.html", context, status=status)


@requires(Capability.MANAGE_SAVED_VIEWS)
@require_form
def remove(request: MemberRequest, region: Region, pk: int) -> HttpResponse:
    """GET asks for confirmation; POST removes the view."""
    if request.method != "POST":
        view = saved_views.find_removable_view(pk, member=request.user, region=region.code)
        if view is None:
            raise Http404
        context = {"region": region, "view": view, "defaults": view.defaults.count()}
        return render(request, "saved_views/remove.html", context)
    view = saved_views.remove_view(pk, member=request.user, region=region.code, request=request)
    if view is None:
        raise Http404
    messages.success(request, _("View %(name)s deleted.") % {"name": view.name})
    return redirect("saved_views:list", region)


@requires(Capability.MANAGE_SAVED_VIEWS)
@require_post
def make_default(request: MemberRequest, region: Region, pk: int) -> HttpResponse:
    view = saved_views.set_default(pk, member=request.user, region=region.code)
    if view is None:
        raise Http404
    messages.success(request, _("%(name)s is now your default view.") % {"name": view.name})
    return redirect("saved_views:list", region)


@requires(Capability.MANAGE_SAVED_VIEWS)
@require_post
def clear_default(request: MemberRequest, region: Region) -> HttpResponse:
    saved_views.clear_default(member=request.user, region=region.code)
    messages.success(request, _("All instances is now your default view."))
    return redirect("saved_views:list", region)
