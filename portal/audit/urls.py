from django.urls import path

from portal.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.list_events, name="list"),
    path("export/", views.export_events, name="export"),
]
