"""The two ways to authenticate that api/authentication documents. Neither shows its secret when printed."""

import msgspec


class BearerToken(msgspec.Struct, frozen=True, tag="bearer"):
    """A console user's access token, sent as `Authorization: Bearer <token>`."""

    token: str

    def __repr__(self) -> str:
        return "BearerToken(…)"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class ApiKey(msgspec.Struct, frozen=True, tag="api-key"):
    """A service account's key pair, sent as `X-Api-Key: <access key id>:<secret access key>`."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def headers(self) -> dict[str, str]:
        return {"X-Api-Key": f"{self.access_key_id}:{self.secret_access_key}"}


Credential = BearerToken | ApiKey
