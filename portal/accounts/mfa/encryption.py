"""Seals of second factors, each bound to its member and its kind: copied to another row, none of them opens.

allauth seals and opens through two hooks of its adapter that are told the text alone. Whose it is, and of what kind,
comes from the row that holds it: Django says when a row of `Authenticator` is in memory (`post_init`), whether it was
read from the database or is made anew, and there the text learns for what it is sealed.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models.signals import post_init
from django.dispatch import receiver

from portal.core.crypto import decrypt_text, encrypt_text

# Where each kind keeps what makes its codes. Passkeys keep public keys, and no secret.
NAMES = {str(Authenticator.Type.TOTP): "secret", str(Authenticator.Type.RECOVERY_CODES): "seed"}
_NO_OWNER = "second factor without an owner"


class _Unbound(str):
    """Just sealed, and in no row yet."""

    __slots__ = ()


class _Bound(str):
    """Out of a row, with what it must have been sealed for."""

    __slots__ = ("purpose",)
    purpose: str


def name_purpose(member_id: int, kind: str) -> str:
    return f"{kind} of {member_id}"


def seal(text: str) -> str:
    """What allauth then puts into a new row, which binds it."""
    return _Unbound(encrypt_text(text, purpose=_NO_OWNER))


def unseal(sealed: str) -> str:
    """`CryptoError` unless it comes out of the row of the member and of the kind that it was sealed for."""
    purpose = sealed.purpose if isinstance(sealed, _Bound) else _NO_OWNER
    return decrypt_text(sealed, purpose=purpose)


@receiver(post_init, sender=Authenticator)
def _bind(instance: Authenticator, **_rest: Any) -> None:
    # What a query left out is not asked for.
    held = vars(instance)
    kind, data = str(held.get("type")), held.get("data")
    sealed = data.get(NAMES.get(kind)) if isinstance(data, dict) else None
    if not isinstance(sealed, str):
        return
    purpose = name_purpose(held["user_id"], kind)
    if isinstance(sealed, _Unbound):
        sealed = encrypt_text(unseal(sealed), purpose=purpose)
    bound = _Bound(sealed)
    bound.purpose = purpose
    data[NAMES[kind]] = bound
