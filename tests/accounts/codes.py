"""One-time codes as an authenticator app generates them (RFC 4226, RFC 6238), independent of the portal's code."""

import base64
import hashlib
import hmac
import time

SECONDS_TO_ENTER = 8


def make_lasting_code(secret: str) -> str:
    """A code that is good for some seconds more, however late in its half minute this is called."""
    left = 30 - time.time() % 30
    if left < SECONDS_TO_ENTER:
        time.sleep(left)
    return make_code(secret)


def make_code(secret: str, *, steps: int = 0) -> str:
    """The six digits that an app with this secret shows now, or so many half minutes later."""
    counter = int(time.time()) // 30 + steps
    digest = hmac.new(base64.b32decode(secret.replace(" ", "")), counter.to_bytes(8), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF) % 1_000_000:06}"
