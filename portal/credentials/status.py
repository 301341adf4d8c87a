"""The status of credentials, for members, admins and lists.

It is only informational: ByCloud decides whether a credential is valid, and the portal still tries it.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.accounts.models import Member
from portal.core.crypto import CryptoError
from portal.core.formatting import day_text
from portal.credentials import vault
from portal.credentials.models import Credential
from portal.gateway import ApiSession, LastUsed, read_last_used


class Badge(NamedTuple):
    """How a status is displayed: `tone`, text and `icon`."""

    tone: str
    word: str
    icon: str


@dataclass(frozen=True)
class CredentialStatus:
    row: Credential
    can_open: bool
    use: LastUsed
    days_left: int | None

    @property
    def is_expired(self) -> bool:
        return self.days_left is not None and self.days_left < 0

    @property
    def is_expiring(self) -> bool:
        return self.days_left is not None and 0 <= self.days_left <= settings.CREDENTIAL_WARN_DAYS

    @property
    def is_refused(self) -> bool:
        """Whether ByCloud's most recent response rejected the credential."""
        rejected_at = self.use.rejected_at
        # Prefer the time from the same clock; the row's time may be from another machine.
        taken_at = self.use.used_at or self.row.checked_at
        return rejected_at is not None and (taken_at is None or rejected_at > taken_at)

    @property
    def is_valid(self) -> bool:
        """ByCloud has accepted it, and nothing has invalidated it since."""
        is_taken = self.row.checked_at is not None or self.use.used_at is not None
        return self.can_open and not self.row.pause and is_taken and not self.is_refused and not self.is_expired

    @property
    def badge(self) -> Badge:
        if self.row.pause or not self.can_open:
            paused = Badge("warn", _("Paused; enter it again"), "circle-pause")
            return paused if self.row.pause else Badge("error", _("Can't be decrypted; enter it again"), "circle-alert")
        if self.is_refused:
            return Badge("error", _("Rejected by ByCloud"), "circle-x")
        if self.is_expired:
            return Badge("error", _("Expired"), "calendar-x")
        if not self.is_valid:
            return Badge("warn", _("Not verified yet"), "circle-question-mark")
        if self.is_expiring:
            return Badge("warn", _("Valid, expires soon"), "calendar-clock")
        return Badge("ok", _("Valid"), "circle-check")


def read_status(row: Credential) -> CredentialStatus:
    """Decrypt the row to find its last use, which is stored under a key derived from the credential."""
    try:
        credential = vault.decrypt(bytes(row.encrypted), member_id=row.member_id, region=row.region)
    except CryptoError:
        credential = None
    region = settings.BYCLOUD_REGIONS.get(row.region)
    return CredentialStatus(
        row=row,
        can_open=credential is not None,
        use=read_last_used(ApiSession(region, credential)) if region and credential else LastUsed(),
        days_left=count_days_left(row.expires_on),
    )


def list_statuses() -> dict[tuple[int | None, str], CredentialStatus]:
    """All members' and the team's, by member id (None: the team) and region, for the configured regions."""
    rows = Credential.objects.filter(region__in=list(settings.BYCLOUD_REGIONS))
    return {(row.member_id, row.region): read_status(row) for row in rows}


def list_marks(
    member: Member, statuses: dict[tuple[int | None, str], CredentialStatus]
) -> tuple[tuple[str, Badge], ...]:
    """The status of the member's credential in each region, as shown to admins."""
    return tuple((region, _find_badge(statuses, member, region)) for region in settings.BYCLOUD_REGIONS)


def count_days_left(day: date | None) -> int | None:
    """0 on the last day, negative after it, in the active time zone. None without a day."""
    return (day - timezone.localdate()).days if day else None


def describe_expiry(row: Credential) -> str:
    """A warning if the credential has expired or will soon, otherwise an empty string."""
    days = count_days_left(row.expires_on)
    if row.expires_on is None or days is None or days > settings.CREDENTIAL_WARN_DAYS:
        return ""
    named = {"region": row.region, "day": day_text(row.expires_on), "days": days}
    if days < 0:
        return (
            _("The team's credential for %(region)s expired on %(day)s. It is still being used.")
            if row.is_team
            else _("Your credential for %(region)s expired on %(day)s. It is still being used.")
        ) % named
    if days == 0:
        return (
            _("The team's credential for %(region)s expires today.")
            if row.is_team
            else _("Your credential for %(region)s expires today.")
        ) % named
    return (
        ngettext(
            "The team's credential for %(region)s expires in %(days)s day, on %(day)s.",
            "The team's credential for %(region)s expires in %(days)s days, on %(day)s.",
            days,
        )
        if row.is_team
        else ngettext(
            "Your credential for %(region)s expires in %(days)s day, on %(day)s.",
            "Your credential for %(region)s expires in %(days)s days, on %(day)s.",
            days,
        )
    ) % named


def _find_badge(statuses: dict[tuple[int | None, str], CredentialStatus], member: Member, region: str) -> Badge:
    own = statuses.get((member.pk, region))
    if own:
        return own.badge
    if (None, region) in statuses:
        return Badge("neutral", _("The team's"), "users")
    return Badge("off", _("None"), "minus")
