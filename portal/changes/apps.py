"""The changes app: the page with what changed in a region, and until when each member has seen it."""

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    name = "portal.changes"
