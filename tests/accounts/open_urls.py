"""The portal's routes and a few more, to test the middleware."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from portal import urls
from portal.core.permissions import Capability, requires

handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


def show_undeclared(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("wide open")


@requires(Capability.READ_AUDIT)
def show_zone(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(timezone.get_current_timezone_name())


@requires(Capability.PUBLIC)
def show_public_zone(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(timezone.get_current_timezone_name())


@requires(Capability.PUBLIC)
def crash(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("password=hunter2")


@requires(Capability.PUBLIC)
def pretend_old(_request: HttpRequest) -> HttpResponse:
    """An answer with a policy of its own."""
    return HttpResponse("old", headers={"Cache-Control": "public", "Permissions-Policy": "camera=(self)"})


urlpatterns = [
    path("undeclared/", show_undeclared),
    path("zone/", show_zone),
    path("public-zone/", show_public_zone),
    path("crash/", crash),
    path("old/", pretend_old),
    *urls.urlpatterns,
]
