"""The organizations of the sandbox and their credentials. They are public and valid only in the sandbox."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CredentialKind = Literal["bearer", "api-key"]


@dataclass(frozen=True)
class Organization:
    """A tenant: its name, its bearer token and its API key (`id:secret`)."""

    name: str
    token: str
    api_key: str


@dataclass(frozen=True)
class Caller:
    """The sender of a request. `organization` is None if the credential is missing or invalid."""

    kind: CredentialKind | None = None
    organization: str | None = None
    may_list: bool = False


ORGANIZATIONS = (
    Organization("acme", "sandbox-acme-token", "AKIASANDBOXACME:sandbox-acme-secret"),
    Organization("globex", "sandbox-globex-token", "AKIASANDBOXGLOBEX:sandbox-globex-secret"),
    Organization("initech", "sandbox-initech-token", "AKIASANDBOXINITECH:sandbox-initech-secret"),
)
FORBIDDEN_TOKEN = "sandbox-forbidden-token"  # noqa: S105 (public by design)

_BY_TOKEN = {each.token: each.name for each in ORGANIZATIONS}
_BY_KEY = {each.api_key: each.name for each in ORGANIZATIONS}
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


def identify(headers: Mapping[str, str]) -> Caller:
    """The caller, from `Authorization` or, if that is missing, `X-Api-Key` (docs page api/authentication)."""
    authorization = headers.get("authorization")
    if authorization is not None:
        match = _BEARER.fullmatch(authorization.strip())
        token = match[1] if match else ""
        if token == FORBIDDEN_TOKEN:
            return Caller("bearer", "acme")
        return Caller("bearer", _BY_TOKEN.get(token), may_list=token in _BY_TOKEN)
    key = headers.get("x-api-key")
    if key is not None:
        return Caller("api-key", _BY_KEY.get(key.strip()), may_list=key.strip() in _BY_KEY)
    return Caller()
