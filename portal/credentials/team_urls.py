from django.urls import path

from portal.credentials import views

app_name = "team_credentials"

urlpatterns = [
    path("", views.list_team_credentials, name="list"),
    path("<region:region>/", views.edit_team_credential, name="edit"),
    path("<region:region>/check/", views.check_team_credential, name="check"),
    path("<slug:region>/remove/", views.remove_team_credential, name="remove"),
]
