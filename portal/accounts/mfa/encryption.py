"""Encrypts the secrets of second factors, bound to the member and the method, so that they don't work in another row.

allauth's adapter hooks for encryption only get the text. The member and the method come from the row: `post_init` runs
for each `Authenticator`, new or loaded from the database, and binds its secret there.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models.signals import post_init
from django.dispatch import receiver

from portal.core.crypto import decrypt_text, encrypt_text

# The key of the secret in each method's data. Passkeys store public keys only.
NAMES = {str(Authenticator.Type.TOTP): "secret", str(Authenticator.Type.RECOVERY_CODES): "seed"}
_NO_OWNER = "second factor without an owner"


class _Unbound(str):
    """Encrypted, but not in a row yet."""

    __slots__ = ()


class _Bound(str):
    """From a row, with the purpose it must have been encrypted for."""

    __slots__ = ("purpose",)
    purpose: str


def name_purpose(member_id: int, kind: str) -> str:
    return f"{kind} of {member_id}"


def encrypt(text: str) -> str:
    """Encrypt for a new row. The row then binds the secret to its member."""
    return _Unbound(encrypt_text(text, purpose=_NO_OWNER))


def decrypt(encrypted: str) -> str:
    """Decrypt. Raises `CryptoError` if the secret was encrypted for another member or method."""
    purpose = encrypted.purpose if isinstance(encrypted, _Bound) else _NO_OWNER
    return decrypt_text(encrypted, purpose=purpose)


@receiver(post_init, sender=Authenticator)
def _bind(instance: Authenticator, **_rest: Any) -> None:
    # Don't load fields that the query deferred.
    held = vars(instance)
    kind, data = str(held.get("type")), held.get("data")
    encrypted = data.get(NAMES.get(kind)) if isinstance(data, dict) else None
    if not isinstance(encrypted, str):
        return
    purpose = name_purpose(held["user_id"], kind)
    if isinstance(encrypted, _Unbound):
        encrypted = encrypt_text(decrypt(encrypted), purpose=purpose)
    bound = _Bound(encrypted)
    bound.purpose = purpose
    data[NAMES[kind]] = bound
