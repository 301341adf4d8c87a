"""The two ways to authenticate that api/authentication documents. Neither shows its secret when printed."""

from typing import Any

import msgspec


class BearerToken(msgspec.Struct, frozen=True, tag="bearer"):
    """A console user's access token, sent as `Authorization: Bearer <token>`.

    Raises `ValueError`, with a sentence for people that does not hold the token, when a header cannot carry it.
    """

    token: str

    def __post_init__(self) -> None:
        _check("The token", self.token)

    def __repr__(self) -> str:
        return "BearerToken(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Nothing: what msgspec gives here would show the secret in a rich traceback."""
        return []

    @property
    def secret(self) -> str:
        """What must never be shown."""
        return self.token

    def headers(self) -> dict[str, str]:
        """The header that authenticates."""
        return {"Authorization": f"Bearer {self.token}"}


class ApiKey(msgspec.Struct, frozen=True, tag="api-key"):
    """A service account's key pair, sent as `X-Api-Key: <access key id>:<secret access key>`.

    Raises `ValueError`, with a sentence for people that holds neither, when a header cannot carry the pair.
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
        """Nothing, as for a token."""
        return []

    @property
    def secret(self) -> str:
        """What must never be shown."""
        return self.secret_access_key

    def headers(self) -> dict[str, str]:
        """The header that authenticates."""
        return {"X-Api-Key": f"{self.access_key_id}:{self.secret_access_key}"}


Credential = BearerToken | ApiKey


def _check(name: str, text: str) -> None:
    """An HTTP header carries printable ASCII; a space or a line end in a credential is a slip of the clipboard."""
    if not text:
        raise ValueError(f"{name} is empty.")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"{name} has a space, a line break or a character that is not plain ASCII.")
