"""What is kept of credentials: the sealed bytes and facts that give nothing away. Only `vault` opens one."""

from datetime import datetime

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Member
from portal.accounts.takeover import Takeover


class Kind(models.TextChoices):
    """The two ways to authenticate that api/authentication documents."""

    BEARER = "bearer", _("Bearer token")
    API_KEY = "api-key", _("API key pair")


class Credential(models.Model):
    """One member's credential for one region; without a member, the team's.

    `checked_at` is when ByCloud took it (null: it was not asked yet), `visible_total` how many instances it saw then.
    `expires_on` is the last day on which it works, as whoever entered it said. `pause` is empty while it may be used.
    """

    member = models.ForeignKey(Member, null=True, on_delete=models.CASCADE, related_name="credentials")
    region = models.CharField(_("region"), max_length=63)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    sealed = models.BinaryField()
    fingerprint = models.CharField(_("fingerprint"), max_length=16)
    created_at = models.DateTimeField(_("created at"))
    replaced_at = models.DateTimeField(_("replaced at"), null=True)
    checked_at = models.DateTimeField(_("checked at"), null=True)
    visible_total = models.PositiveBigIntegerField(_("visible instances"), null=True)
    expires_on = models.DateField(_("expires on"), null=True)
    pause = models.CharField(_("paused because of"), max_length=16, choices=Takeover, blank=True, default="")

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
        """Set by an admin, for members who have none of their own."""
        return self.member_id is None

    def describe_pause(self) -> str:
        """Why it is not used, in a sentence for its member."""
        sentences = {
            Takeover.PASSWORD: gettext(
                "Your credential for %(region)s is paused: your password was set through a link. Enter it again "
                "to use it."
            ),
            Takeover.SECOND_FACTOR: gettext(
                "Your credential for %(region)s is paused: your second factor was reset. Enter it again to use it."
            ),
            Takeover.SINGLE_SIGN_ON: gettext(
                "Your credential for %(region)s is paused: your account was linked to single sign-on. Enter it again "
                "to use it."
            ),
        }
        return sentences[Takeover(self.pause)] % {"region": self.region} if self.pause else ""

    @property
    def set_at(self) -> datetime:
        """When the credential that is kept now was saved."""
        return self.replaced_at or self.created_at
