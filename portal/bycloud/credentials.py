"""The two authentication methods of api/authentication. Neither shows its secret when printed."""

from typing import Any

import msgspec


class BearerToken(msgspec.Struct, frozen=True, tag="bearer"):
    """A console user's access token, sent as `Authorization: Bearer <token>`.

    Raises `ValueError` for a token that a header cannot carry. Its message can be shown and does not contain the token.
    """

    token: str

    def __post_init__(self) -> None:
        _check("The token", self.token)

    def __repr__(self) -> str:
        return "BearerToken(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Empty, because msgspec's default would show the secret in a rich traceback."""
        return []

    @property
    def secret(self) -> str:
        """The part that must never be shown."""
        return self.token

    def headers(self) -> dict[str, str]:
        """The authentication header."""
        return {"Authorization": f"Bearer {self.token}"}


class ApiKey(msgspec.Struct, frozen=True, tag="api-key"):
    """A service account's key pair, sent as `X-Api-Key: <access key id>:<secret access key>`.

    Raises `ValueError` for a pair that a header cannot carry. Its message is fit to be shown and contains neither key.
    """

    access_key_id: str
    secret_access_key: str

    def __post_init__(self) -> None:
        _check("The access key id", self.access_key_id)
        _check("The secret access key", self.secret_access_key)
        if ":" in self.access_key_id:
            raise ValueError("The access key id has a colon; give the id and the secret access key apart.")

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Empty, as for a token."""
        return []

    @property
    def secret(self) -> str:
        """The part that must never be shown."""
        return self.secret_access_key

    def headers(self) -> dict[str, str]:
        """The authentication header."""
        return {"X-Api-Key": f"{self.access_key_id}:{self.secret_access_key}"}


Credential = BearerToken | ApiKey


def _check(name: str, text: str) -> None:
    """HTTP headers carry printable ASCII. Spaces and line breaks in a credential are copy-and-paste mistakes."""
    if not text:
        raise ValueError(f"{name} is empty.")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"{name} has a space, a line break or a character that is not plain ASCII.")
