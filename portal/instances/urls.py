"""The instance pages of one region. docs/pages.md describes the URLs."""

from django.urls import path

from portal.instances import actions, downloads, filter_form, selection, suggestions, views

app_name = "instances"

urlpatterns = [
    path("", views.list_page, name="list"),
    path("filter/", filter_form.filter_list, name="filter"),
    path("suggest/", suggestions.suggestions, name="suggestions"),
    path("revalidate/", actions.revalidate, name="revalidate"),
    path("refresh/", actions.refresh, name="refresh"),
    path("check-credential/", actions.check_credential, name="check_credential"),
    path("layout/", actions.change_layout, name="change_layout"),
    path("export/", actions.export, name="export"),
    path("export-all/", downloads.export_all, name="export_all"),
    path("selected/", selection.selected, name="selected"),
    path("compare/", selection.compare, name="compare"),
    path("save-view/", actions.save_view, name="save_view"),
    path("<uuid:instance_id>/", views.detail_page, name="detail"),
    path("<uuid:instance_id>.json", views.raw, name="raw"),
]
