"""Code shared by all apps. It does not depend on any of them."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "portal.core"
