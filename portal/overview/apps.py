"""The overview of a region: what the index counts. It has no models."""

from django.apps import AppConfig


class OverviewConfig(AppConfig):
    name = "portal.overview"
