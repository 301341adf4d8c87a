"""The saved views app: lists of instances that members save under a name. It stores a list as its query string."""

from django.apps import AppConfig


class SavedViewsConfig(AppConfig):
    name = "portal.saved_views"
