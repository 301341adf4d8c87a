from django.urls import path

from portal.saved_views import views

app_name = "saved_views"

urlpatterns = [
    path("", views.list_page, name="list"),
    path("no-default/", views.clear_default, name="clear_default"),
    path("<int:pk>/", views.edit, name="edit"),
    path("<int:pk>/default/", views.make_default, name="make_default"),
    path("<int:pk>/remove/", views.remove, name="remove"),
]
