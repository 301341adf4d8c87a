"""Encrypts and decrypts credentials. No other module decrypts them.

The owner and the region are encrypted with the secret, because Fernet has no associated data: otherwise a row copied to
another member or to the team would work there. Owner None is the team.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from cryptography.fernet import InvalidToken, MultiFernet
from django.db.models import Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from portal import bycloud
from portal.accounts.models import Member
from portal.core.crypto import CryptoError, make_fernets
from portal.credentials import models


class PausedError(CryptoError):
    """The credential is paused until the member enters it again."""


@dataclass(frozen=True)
class ResolvedCredential:
    """The credential to use for ByCloud requests, and its row: the member's own or the team's."""

    credential: bycloud.Credential
    row: models.Credential


class _Content(msgspec.Struct, frozen=True):
    member_id: int | None
    region: str
    credential: bycloud.Credential


_DECODER = msgspec.json.Decoder(_Content)


@sensitive_variables()
def encrypt(credential: bycloud.Credential, *, member_id: int | None, region: str) -> bytes:
    """Encrypt with the first key of `CREDENTIAL_KEYS`, bound to owner and region."""
    content = _Content(member_id=member_id, region=region, credential=credential)
    return MultiFernet(make_fernets()).encrypt(msgspec.json.encode(content))


@sensitive_variables()
def decrypt(encrypted: bytes, *, member_id: int | None, region: str) -> bycloud.Credential:
    """Decrypt with any key. Raises `CryptoError` if no key works or it was encrypted for another owner or region."""
    return _open(MultiFernet(make_fernets()), encrypted, member_id=member_id, region=region)


@sensitive_variables()
def reencrypt(encrypted: bytes, *, member_id: int | None, region: str) -> bytes:
    """Encrypt with the first key; returns the data unchanged if it already is. Raises `CryptoError` like `decrypt`."""
    fernets = make_fernets()
    credential = _open(MultiFernet(fernets), encrypted, member_id=member_id, region=region)
    try:
        fernets[0].decrypt(encrypted)
    except InvalidToken:
        return encrypt(credential, member_id=member_id, region=region)
    return encrypted


def resolve_credential(member: Member, region: bycloud.Region) -> ResolvedCredential | None:
    """The member's own credential for the region, otherwise the team's, otherwise None.

    Raises `CryptoError` if it can't be decrypted or is paused: the team's credential does not replace one that the
    member has entered.
    """
    # At most two.
    rows = models.Credential.objects.filter(Q(member=member) | Q(member=None), region=region.code)
    row = min(rows, key=lambda row: row.is_team, default=None)
    if row is None:
        return None
    if row.pause:
        raise PausedError(row.describe_pause())
    return ResolvedCredential(decrypt(bytes(row.encrypted), member_id=row.member_id, region=region.code), row)


@sensitive_variables()
def list_credentials(region: bycloud.Region) -> Iterator[ResolvedCredential]:
    """Every stored credential of a region that can be decrypted, also those that are paused."""
    for row in models.Credential.objects.filter(region=region.code).order_by("pk"):
        with suppress(CryptoError):
            yield ResolvedCredential(decrypt(bytes(row.encrypted), member_id=row.member_id, region=region.code), row)


@sensitive_variables()
def fingerprint(credential: bycloud.Credential) -> str:
    """Four bytes of a keyed hash, such as `3f:a9:1c:07`: distinguishes credentials without revealing them."""
    encoded = msgspec.json.encode(credential).decode()
    return salted_hmac("portal.credentials.vault.fingerprint", encoded, algorithm="sha256").digest()[:4].hex(":")


@sensitive_variables()
def _open(fernet: MultiFernet, encrypted: bytes, *, member_id: int | None, region: str) -> bycloud.Credential:
    try:
        content = _DECODER.decode(fernet.decrypt(encrypted))
    except (InvalidToken, msgspec.DecodeError):
        content = None
    # Raised outside the `except` block, so that no chained exception contains decrypted data.
    if content is None or (content.member_id, content.region) != (member_id, region):
        raise CryptoError(_("The credential for %(region)s can't be decrypted. Enter it again.") % {"region": region})
    return content.credential
