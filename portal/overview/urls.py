"""The first page of one region."""

from django.urls import path

from portal.overview import views

app_name = "overview"

urlpatterns = [path("", views.show_overview, name="overview")]
