"""What changed in one region."""

from django.urls import path

from portal.changes import views

app_name = "changes"

urlpatterns = [path("", views.changes_page, name="list")]
