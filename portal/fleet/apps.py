"""The fleet app: an index of the instances that each credential can see, fed by every page that is fetched."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "portal.fleet"
