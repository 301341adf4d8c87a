"""Encryption with the Fernet keys in `CREDENTIAL_KEYS`.

A text is encrypted for a purpose, such as the kind of secret and its owner, and can only be decrypted for the same
purpose.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables


class CryptoError(Exception):
    """Encryption or decryption failed. The message is one sentence for users and contains no secret."""


class NoKeyError(CryptoError):
    """`CREDENTIAL_KEYS` has no valid key, so nothing can be encrypted or decrypted."""


def make_fernets() -> list[Fernet]:
    """Return the keys in `CREDENTIAL_KEYS`, newest first. Raises `NoKeyError`."""
    # Not cached: tests of key rotation change the setting.
    try:
        fernets = [Fernet(key) for key in settings.CREDENTIAL_KEYS]
    except ValueError:
        fernets = []
    if not fernets:
        raise NoKeyError(_("The portal has no valid encryption key. Its administrator must set CREDENTIAL_KEYS."))
    return fernets


@sensitive_variables()
def encrypt_text(text: str, *, purpose: str) -> str:
    """Encrypt a secret that is not a credential, such as a member's TOTP secret."""
    return MultiFernet(make_fernets()).encrypt(f"{purpose}:{text}".encode()).decode()


@sensitive_variables()
def decrypt_text(encrypted: str, *, purpose: str) -> str:
    """Decrypt with any key. Raises `CryptoError` if no key works or the text was encrypted for another purpose."""
    try:
        decrypted = MultiFernet(make_fernets()).decrypt(encrypted.encode()).decode()
    except InvalidToken:
        decrypted = ""
    if not decrypted.startswith(f"{purpose}:"):
        raise CryptoError(_("This can't be decrypted with any of the portal's keys."))
    return decrypted.removeprefix(f"{purpose}:")


@sensitive_variables()
def reencrypt_text(encrypted: str, *, purpose: str) -> str:
    """Encrypt with the first key; returns the text unchanged if it already is. Raises `CryptoError` like
    `decrypt_text`.
    """
    text = decrypt_text(encrypted, purpose=purpose)
    try:
        make_fernets()[0].decrypt(encrypted.encode())
    except InvalidToken:
        return encrypt_text(text, purpose=purpose)
    return encrypted
