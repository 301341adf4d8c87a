"""All URL patterns. Each view declares the capability it requires; docs/routes.md lists both."""

from django.conf import settings
from django.urls import include, path, register_converter

from portal.core.http import RegionConverter
from portal.site import development

register_converter(RegionConverter, "region")

urlpatterns = [
    path("", include("portal.site.urls")),
    path("", include("portal.accounts.urls")),
    path("", include("portal.credentials.urls")),
    path("audit/", include("portal.audit.urls")),
    path("<region:region>/", include("portal.overview.urls")),
    path("<region:region>/instances/", include("portal.instances.urls")),
    path("<region:region>/changes/", include("portal.changes.urls")),
    path("<region:region>/views/", include("portal.saved_views.urls")),
    *(development.urlpatterns if settings.DEBUG else ()),
]

handler400 = "portal.site.errors.bad_request"
handler403 = "portal.site.errors.permission_denied"
handler404 = "portal.site.errors.page_not_found"
handler429 = "portal.site.errors.too_many_requests"
handler500 = "portal.site.errors.server_error"
