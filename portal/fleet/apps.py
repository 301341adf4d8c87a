"""The fleet app: an index of the instances that each credential can see, fed by every page that is fetched."""

from importlib import import_module

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "portal.fleet"

    def ready(self) -> None:
        # Connect the signal receivers.
        import_module("portal.fleet.feed")
        import_module("portal.fleet.privacy")
