"""The admin, and a URL to check that it has started."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path


def show_live(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("health/live/", show_live), path("admin/", admin.site.urls)]
