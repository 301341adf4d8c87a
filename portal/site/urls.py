from django.urls import path

from portal.site import views

urlpatterns = [
    path("", views.show_home, name="home"),
    path("team/", views.show_team, name="team"),
    path("health/live/", views.show_live, name="health_live"),
    path("health/ready/", views.show_ready, name="health_ready"),
]
