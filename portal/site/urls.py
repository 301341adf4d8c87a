from django.urls import path

from portal.site import health, team, views

urlpatterns = [
    path("", views.show_home, name="home"),
    path("team/", team.show_team, name="team"),
    path("health/live/", health.show_live, name="health_live"),
    path("health/ready/", health.show_ready, name="health_ready"),
]
