"""The app of what every page shares: middleware, errors, health, logging, system checks."""

from importlib import import_module

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "portal.web"

    def ready(self) -> None:
        import_module("portal.web.checks")
