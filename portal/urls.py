"""Every route of the portal. Each view declares its capability; docs/routes.md lists both."""

from django.conf import settings
from django.urls import include, path, register_converter

from portal.web import development
from portal.web.regions import RegionConverter

register_converter(RegionConverter, "region")

urlpatterns = [
    path("", include("portal.web.urls")),
    path("", include("portal.accounts.urls")),
    path("credentials/", include("portal.credentials.urls")),
    path("team/credentials/", include("portal.credentials.team_urls")),
    path("audit/", include("portal.audit.urls")),
    path("<region:region>/instances/", include("portal.instances.urls")),
    path("<region:region>/views/", include("portal.saved_views.urls")),
    *(development.urlpatterns if settings.DEBUG else ()),
]

handler400 = "portal.web.errors.bad_request"
handler403 = "portal.web.errors.permission_denied"
handler404 = "portal.web.errors.page_not_found"
handler429 = "portal.web.errors.too_many_requests"
handler500 = "portal.web.errors.server_error"
