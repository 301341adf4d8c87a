"""Validates the claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7).

PyJWT, as called by allauth, checks the issuer and the audience, and the expiry only if the token has one. The remaining
checks are here.
"""

import math
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from allauth.socialaccount.providers.oauth2.client import OAuth2Error

# How far the provider's clock may be ahead.
LEEWAY = timedelta(minutes=2)
# Tokens are issued during the sign-in, so an older one is not accepted.
OLDEST = timedelta(minutes=10)


class UntrustedTokenError(OAuth2Error):  # type: ignore[misc]  # allauth has no types
    """The message says what is wrong with the token, in English, for the log and the audit. It contains no claim
    values.
    """


def check_claims(claims: Mapping[str, Any], *, client_id: str) -> None:
    """Raise `UntrustedTokenError` unless the token was issued for this client and is valid now."""
    audiences = claims.get("aud")
    if isinstance(audiences, list) and len(audiences) > 1 and "azp" not in claims:
        raise UntrustedTokenError("several audiences and no azp")
    if "azp" in claims and claims["azp"] != client_id:
        raise UntrustedTokenError("azp is another client")
    now, leeway = time.time(), LEEWAY.total_seconds()
    # Must exist; PyJWT checks that it is not in the past.
    _read_time(claims, "exp")
    issued = _read_time(claims, "iat")
    if issued > now + leeway:
        raise UntrustedTokenError("iat is in the future")
    if issued < now - OLDEST.total_seconds():
        raise UntrustedTokenError("iat is long ago")
    if "nbf" in claims and _read_time(claims, "nbf") > now + leeway:
        raise UntrustedTokenError("nbf is in the future")


def _read_time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UntrustedTokenError(f"{name} is no time")
    return value
