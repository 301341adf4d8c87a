"""The app of the members' ByCloud credentials."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CredentialsConfig(AppConfig):
    name = "portal.credentials"
    verbose_name = _("Credentials")

    def ready(self) -> None:
        # The gateway is no app; this is the lowest one that asks it.
        import_module("portal.gateway.checks")
        # What hears of a member who may be another person from now on.
        import_module("portal.credentials.pausing")
