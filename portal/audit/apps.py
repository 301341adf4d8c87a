<<<<<<< HEAD
"""The app that keeps what people did, append-only."""
=======
from importlib import import_module
>>>>>>> plain1

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "portal.audit"
    verbose_name = _("Audit")
