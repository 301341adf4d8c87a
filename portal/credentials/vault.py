"""Seals credentials, and is the only module that opens one. Knows no requests, no pages and no ByCloud calls.

The owner and the region are sealed in with the secret: Fernet has no associated data, and without them a row copied to
another member, or made the team's, would open there. The owner None is the team.
"""

from dataclasses import dataclass

import msgspec
from cryptography.fernet import InvalidToken, MultiFernet
from django.db.models import F, Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from portal import bycloud
from portal.accounts.models import Member
from portal.core.crypto import CryptoError, make_fernets
from portal.credentials import models


class PausedError(CryptoError):
    """It is not used until its member enters it again."""


@dataclass(frozen=True)
class ResolvedCredential:
    """What ByCloud is asked with, and the row it came from: the member's own, or else the team's."""

    credential: bycloud.Credential
    row: models.Credential


class _Content(msgspec.Struct, frozen=True):
    member_id: int | None
    region: str
    credential: bycloud.Credential


@sensitive_variables()
def seal(credential: bycloud.Credential, *, member_id: int | None, region: str) -> bytes:
    """Encrypt with the first key of `CREDENTIAL_KEYS`, bound to its owner and region."""
    content = _Content(member_id=member_id, region=region, credential=credential)
    return MultiFernet(make_fernets()).encrypt(msgspec.json.encode(content))


@sensitive_variables()
def unseal(sealed: bytes, *, member_id: int | None, region: str) -> bycloud.Credential:
    """Open with any key. `CryptoError` when no key opens it, or when it was sealed for another member or region."""
    return _open(MultiFernet(make_fernets()), sealed, member_id=member_id, region=region)


@sensitive_variables()
def reseal(sealed: bytes, *, member_id: int | None, region: str) -> bytes:
    """Seal under the first key; what is under it already comes back as it was. `CryptoError` as for `unseal`."""
    fernets = make_fernets()
    credential = _open(MultiFernet(fernets), sealed, member_id=member_id, region=region)
    try:
        fernets[0].decrypt(sealed)
    except InvalidToken:
        return seal(credential, member_id=member_id, region=region)
    return sealed


def resolve_credential(member: Member, region: bycloud.Region) -> ResolvedCredential | None:
    """The member's own credential for the region, else the team's, else None.

    `CryptoError` when it cannot be opened or is paused: the team's never steps in for one that the member has entered.
    """
    rows = models.Credential.objects.filter(Q(member=member) | Q(member=None), region=region.code)
    row = rows.order_by(F("member").asc(nulls_last=True)).first()
    if row is None:
        return None
    if row.pause:
        raise PausedError(row.describe_pause())
    return ResolvedCredential(unseal(bytes(row.sealed), member_id=row.member_id, region=region.code), row)


def find_credential(member: Member, region: bycloud.Region) -> bycloud.Credential | None:
    """As `resolve_credential`, the credential alone."""
    held = resolve_credential(member, region)
    return held.credential if held else None


def can_open(row: models.Credential) -> bool:
    """Whether the keys of this deployment open the row."""
    try:
        unseal(bytes(row.sealed), member_id=row.member_id, region=row.region)
    except CryptoError:
        return False
    return True


@sensitive_variables()
def fingerprint(credential: bycloud.Credential) -> str:
    """Four bytes of a keyed hash, as in `3f:a9:1c:07`: tells two credentials apart and gives neither away."""
    encoded = msgspec.json.encode(credential).decode()
    return salted_hmac("portal.credentials.vault.fingerprint", encoded, algorithm="sha256").digest()[:4].hex(":")


@sensitive_variables()
def _open(fernet: MultiFernet, sealed: bytes, *, member_id: int | None, region: str) -> bycloud.Credential:
    try:
        content = msgspec.json.decode(fernet.decrypt(sealed), type=_Content)
    except (InvalidToken, msgspec.DecodeError):
        content = None
    # Raised out here, so that no chained error carries what was decrypted.
    if content is None or (content.member_id, content.region) != (member_id, region):
        raise CryptoError(_("The credential for %(region)s can't be decrypted. Enter it again.") % {"region": region})
    return content.credential
