"""What is kept of a member's credentials: the sealed bytes and facts that give nothing away. Only `vault` opens one."""

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Member


class Kind(models.TextChoices):
    """The two ways to authenticate that api/authentication documents."""

    BEARER = "bearer", _("Bearer token")
    API_KEY = "api-key", _("API key pair")


class Credential(models.Model):
    """One member's credential for one region. `checked_at` is when ByCloud took it; null: it was not asked yet."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="credentials")
    region = models.CharField(_("region"), max_length=63)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    sealed = models.BinaryField()
    fingerprint = models.CharField(_("fingerprint"), max_length=16)
    created_at = models.DateTimeField(_("created at"))
    replaced_at = models.DateTimeField(_("replaced at"), null=True)
    checked_at = models.DateTimeField(_("checked at"), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "region"], name="one_credential_per_member_and_region"),
        ]

    def __str__(self) -> str:
        return f"{self.region} {self.fingerprint}"

    @property
    def set_at(self) -> datetime:
        """When the credential that is kept now was saved."""
        return self.replaced_at or self.created_at
