"""Stored credentials: encrypted data and metadata that is safe to show. Only `vault` decrypts them."""

from datetime import datetime

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Member, PauseReason


class Kind(models.TextChoices):
    """The two authentication methods of the ByCloud API."""

    BEARER = "bearer", _("Bearer token")
    API_KEY = "api-key", _("API key pair")


class Credential(models.Model):
    """A member's credential for a region; without a member, the team's.

    `checked_at` is when ByCloud last accepted it (null: never), and `visible_total` the number of instances it saw.
    `expires_on` is the last day it is valid, as entered by the member. `pause` is empty while it may be used.
    """

    member = models.ForeignKey(Member, null=True, on_delete=models.CASCADE, related_name="credentials")
    region = models.CharField(_("region"), max_length=63)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    encrypted = models.BinaryField()
    fingerprint = models.CharField(_("fingerprint"), max_length=16)
    created_at = models.DateTimeField(_("created at"))
    replaced_at = models.DateTimeField(_("replaced at"), null=True)
    checked_at = models.DateTimeField(_("checked at"), null=True)
    visible_total = models.PositiveBigIntegerField(_("visible instances"), null=True)
    expires_on = models.DateField(_("expires on"), null=True)
    pause = models.CharField(_("paused because of"), max_length=16, choices=PauseReason, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "region"], name="one_credential_per_member_and_region"),
            models.UniqueConstraint(
                fields=["region"], condition=models.Q(member=None), name="one_team_credential_per_region"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.region} {self.fingerprint}{' (team)' if self.is_team else ''}"

    @property
    def is_team(self) -> bool:
        """Set by an admin, for members without their own credential."""
        return self.member_id is None

    def describe_pause(self) -> str:
        """Why the credential is paused, for the member. Empty if it is not."""
        sentences = {
            PauseReason.PASSWORD: gettext(
                "Your credential for %(region)s is paused: your password was set through a link. Enter it again "
                "to use it."
            ),
            PauseReason.SECOND_FACTOR: gettext(
                "Your credential for %(region)s is paused: your second factor was reset. Enter it again to use it."
            ),
            PauseReason.SINGLE_SIGN_ON: gettext(
                "Your credential for %(region)s is paused: your account was linked to single sign-on. Enter it again "
                "to use it."
            ),
        }
        return sentences[PauseReason(self.pause)] % {"region": self.region} if self.pause else ""

    @property
    def set_at(self) -> datetime:
        """When the current credential was saved."""
        return self.replaced_at or self.created_at
