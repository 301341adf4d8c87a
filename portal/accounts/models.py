"""Members of the team and the links that invite them."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.accounts.capabilities import ROLE_CAPABILITIES, Capability, Role


class Theme(models.TextChoices):
    SYSTEM = "system", _("As the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Member(AbstractUser):
    """A person of the team. What she may do follows from her role alone; Django's permissions are not used."""

    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, default=Theme.SYSTEM)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")

    def can(self, capability: Capability) -> bool:
        return self.is_active and capability in ROLE_CAPABILITIES.get(self.role, frozenset())
