"""Home and health."""

from django.urls import path

from portal.site import health, views

urlpatterns = [
    path("", views.show_home, name="home"),
    path("health/live/", health.show_live, name="health_live"),
    path("health/ready/", health.show_ready, name="health_ready"),
]
