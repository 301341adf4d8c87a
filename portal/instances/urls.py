"""The instance pages of one region. docs/pages.md says what each address holds."""

from django.urls import path

from portal.instances import views

app_name = "instances"

urlpatterns = [
    path("", views.list_page, name="list"),
    path("revalidate/", views.revalidate, name="revalidate"),
    path("refresh/", views.refresh, name="refresh"),
    path("<uuid:instance_id>/", views.detail_page, name="detail"),
    path("<uuid:instance_id>.json", views.raw, name="raw"),
]
