"""A passkey with every field under the test's control. Chromium's virtual authenticator only creates valid ones."""

import base64
import hashlib
import json
import secrets

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256

from portal.accounts.models import Member

HOST = "testserver"
_PRESENT, _VERIFIED, _HAS_KEY = 0x01, 0x04, 0x40


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Key:
    """Set up for `owner`, for use alone or after the password (WebAuthn level 2, sections 5.8.1, 6.1 and 6.5.4)."""

    def __init__(self, owner: Member, *, is_alone: bool = True, verifies_user: bool = True) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._id = secrets.token_bytes(16)
        self._owner = owner
        public = dict(ES256.from_cryptography_key(self._private.public_key()))  # type: ignore[no-untyped-call]
        key = b"\0" * 16 + len(self._id).to_bytes(2) + self._id + cbor.encode(public)
        data = _make_data(is_verified=verifies_user, key=key)
        response = {
            "clientDataJSON": encode(_make_client_data("create", "")),
            "attestationObject": encode(cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        extensions = {"credProps": {"rk": is_alone}}
        credential = self._answer(response) | {"clientExtensionResults": extensions}
        self.row = Authenticator.objects.create(
            user=owner, type="webauthn", data={"name": "Soft", "credential": credential}
        )

    def sign(self, challenge: str, *, is_verified: bool) -> str:
        """What a browser sends for this challenge; `is_verified`: the key says that it has recognised its owner."""
        data, client = _make_data(is_verified=is_verified), _make_client_data("get", challenge)
        signature = self._private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        # allauth's spelling of a primary key: a plain decimal number.
        whose = str(self._owner.pk).encode()
        parts = {"clientDataJSON": client, "authenticatorData": data, "signature": signature, "userHandle": whose}
        return json.dumps(self._answer({name: encode(part) for name, part in parts.items()}))

    def _answer(self, response: dict[str, str]) -> dict[str, object]:
        rest: dict[str, object] = {"type": "public-key", "response": response, "clientExtensionResults": {}}
        return rest | {"id": encode(self._id), "rawId": encode(self._id)}


def _make_data(*, is_verified: bool, key: bytes = b"") -> bytes:
    flags = _PRESENT | (_VERIFIED if is_verified else 0) | (_HAS_KEY if key else 0)
    return hashlib.sha256(HOST.encode()).digest() + bytes([flags]) + b"\0\0\0\0" + key


def _make_client_data(act: str, challenge: str) -> bytes:
    return json.dumps({"type": f"webauthn.{act}", "challenge": challenge, "origin": f"https://{HOST}"}).encode()
