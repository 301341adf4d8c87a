"""Encryption with the keys of `CREDENTIAL_KEYS` (Fernet). Knows no credential and no member.

A text is encrypted for a purpose, such as the kind of secret and whose it is, and opens for that purpose alone.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables


class CryptoError(Exception):
    """Something cannot be encrypted or decrypted. The text is one sentence for people and holds no secret."""


class NoKeyError(CryptoError):
    """`CREDENTIAL_KEYS` holds no usable key, so nothing at all can be encrypted or decrypted."""


def make_fernets() -> list[Fernet]:
    """The keys of `CREDENTIAL_KEYS`, newest first. Raises `NoKeyError`."""
    # Read at each call: keys are settings, and rotation is tested by changing them.
    try:
        fernets = [Fernet(key) for key in settings.CREDENTIAL_KEYS]
    except ValueError:
        fernets = []
    if not fernets:
        raise NoKeyError(_("The portal has no valid encryption key. Its administrator must set CREDENTIAL_KEYS."))
    return fernets


@sensitive_variables()
def encrypt_text(text: str, *, purpose: str) -> str:
    """Encrypt a secret that is no credential, such as what makes a member's one-time codes."""
    return MultiFernet(make_fernets()).encrypt(f"{purpose}:{text}".encode()).decode()


@sensitive_variables()
def decrypt_text(sealed: str, *, purpose: str) -> str:
    """Open with any key. `CryptoError` when no key opens it, or when it was sealed for another purpose."""
    try:
        opened = MultiFernet(make_fernets()).decrypt(sealed.encode()).decode()
    except InvalidToken:
        opened = ""
    if not opened.startswith(f"{purpose}:"):
        raise CryptoError(_("This can't be decrypted with any of the portal's keys."))
    return opened.removeprefix(f"{purpose}:")


@sensitive_variables()
def reencrypt_text(sealed: str, *, purpose: str) -> str:
    """Seal under the first key; what is under it already comes back as it was. `CryptoError` as for `decrypt_text`."""
    text = decrypt_text(sealed, purpose=purpose)
    try:
        make_fernets()[0].decrypt(sealed.encode())
    except InvalidToken:
        return encrypt_text(text, purpose=purpose)
    return sealed
