"""Pages and checks that use several apps: home, team page, error pages, health, system checks."""

from importlib import import_module

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "portal.site"
    label = "portal_site"

    def ready(self) -> None:
        import_module("portal.site.checks")
