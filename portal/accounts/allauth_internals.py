"""All that the portal uses of allauth's private modules. No other module imports from them."""

# Its `rollback` takes back one attempt; the public function only says whether it was within the limit.
from allauth.core.internal.ratelimit import RateLimitUsage, consume

# Where the secret of an app is stored until its first code.
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY

# The challenge of a passwordless sign-in; the public view returns it for GET only.
from allauth.mfa.webauthn.internal.auth import begin_authentication, get_state

__all__ = ["SECRET_SESSION_KEY", "RateLimitUsage", "begin_authentication", "consume", "get_state"]
