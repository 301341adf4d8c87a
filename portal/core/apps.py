"""The ground floor: what every app may use and that knows no app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "portal.core"
