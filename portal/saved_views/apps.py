"""The saved views app: lists of instances that members keep under a name. It knows a list by its query string alone."""

from django.apps import AppConfig


class SavedViewsConfig(AppConfig):
    name = "portal.saved_views"
