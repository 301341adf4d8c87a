"""Stored credentials as a starting point for tests."""

from typing import Any

from django.utils import timezone

from portal.accounts.models import Member
from portal.bycloud import BearerToken, Credential, Region
from portal.credentials import models, vault


def keep(
    member: Member | None, credential: Credential, region: str = "spo1", *, is_checked: bool = True, **given: Any
) -> models.Credential:
    """A credential as it stands after it was saved, without asking anyone. Without a member, the team's."""
    now = timezone.now()
    return models.Credential.objects.create(
        member=member,
        region=region,
        kind=models.Kind.BEARER if isinstance(credential, BearerToken) else models.Kind.API_KEY,
        encrypted=vault.encrypt(credential, member_id=member.pk if member else None, region=region),
        fingerprint=vault.fingerprint(credential),
        created_at=now,
        checked_at=now if is_checked else None,
        **given,
    )


def find_credential(member: Member, region: Region) -> Credential | None:
    """What the member's pages use in this region."""
    resolved = vault.resolve_credential(member, region)
    return resolved.credential if resolved else None
