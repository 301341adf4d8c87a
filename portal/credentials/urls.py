from django.urls import path

from portal.credentials import views

app_name = "credentials"

urlpatterns = [
    path("", views.list_credentials, name="list"),
    path("<region:region>/", views.edit_credential, name="edit"),
    path("<region:region>/check/", views.check_credential, name="check"),
    # A slug instead of a region, so that credentials for removed regions can still be deleted.
    path("<slug:region>/remove/", views.remove_credential, name="remove"),
]
