from django.urls import include, path

from portal.credentials import views

# To remove, a slug instead of a region, so that credentials for removed regions can still be deleted.
own_patterns = [
    path("", views.list_credentials, name="list"),
    path("<region:region>/", views.edit_credential, name="edit"),
    path("<region:region>/check/", views.check_credential, name="check"),
    path("<slug:region>/remove/", views.remove_credential, name="remove"),
]
team_patterns = [
    path("", views.list_team_credentials, name="list"),
    path("<region:region>/", views.edit_team_credential, name="edit"),
    path("<region:region>/check/", views.check_team_credential, name="check"),
    path("<slug:region>/remove/", views.remove_team_credential, name="remove"),
]
urlpatterns = [
    path("credentials/", include((own_patterns, "credentials"))),
    path("team/credentials/", include((team_patterns, "team_credentials"))),
]
