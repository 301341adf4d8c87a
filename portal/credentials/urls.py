"""Routes of a member's own credentials, under /credentials/."""

from django.urls import path

from portal.credentials import views

app_name = "credentials"

urlpatterns = [
    path("", views.list_credentials, name="list"),
    path("<region:region>/", views.edit_credential, name="edit"),
    path("<region:region>/check/", views.check_credential, name="check"),
    # A plain slug: a credential for a region that the settings name no more can still be removed.
    path("<slug:region>/remove/", views.remove_credential, name="remove"),
]
