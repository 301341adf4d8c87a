"""The portal's routes, and an empty view: the baseline cost of a page."""

from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe

from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest
from portal.urls import handler400, handler403, handler404, handler429, handler500

__all__ = ["handler400", "handler403", "handler404", "handler429", "handler500", "urlpatterns"]


@requires(Capability.LIST_INSTANCES)
@require_safe
def show_nothing(_request: MemberRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("empty/", show_nothing), path("", include("portal.urls"))]
