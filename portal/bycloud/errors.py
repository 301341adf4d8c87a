"""Everything that can go wrong between the portal and ByCloud, as one tree.

ByCloudError
├── Unreachable      no connection: refused, DNS, reset, TLS, or an answer cut short
├── TimedOut         the deadline passed before the whole answer was there
├── InvalidRequest   400, 404, 409, 422 and any other 4xx: asked for something ByCloud does not take
├── Unauthorized     401: the credential is missing, wrong or expired
├── Forbidden        403: the credential is good, but may not do this
├── RateLimited      429, with when to come back
├── ServerFault      any 5xx
└── InvalidResponse  an answer that is not what the docs describe (also a redirect, or more bytes than allowed)
"""

# ruff: noqa: N818 -- the names say what happened, and ByCloudError that it is an error

from datetime import datetime

import msgspec


class RateLimit(msgspec.Struct, frozen=True):
    """ByCloud's own count: requests allowed in its window, those that are left, and when the window ends."""

    limit: int
    remaining: int
    reset_at: datetime | None


class ByCloudError(Exception):
    """An exchange with ByCloud that gave no usable answer.

    `status` is the HTTP status when there was an answer; `message`, `details` and `request_id` come from the error
    envelope of api/errors when it was readable. None of them ever holds a credential. `retry_at` (aware, UTC) is when
    ByCloud said to come back, `rate_limit` its own count, where the answer told it.
    """

    rate_limit: RateLimit | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        details: str | None = None,
        request_id: str | None = None,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.details = details
        self.request_id = request_id
        self.retry_at = retry_at


class Unreachable(ByCloudError):
    """No connection could be made, or it broke before the whole answer was there."""


class TimedOut(ByCloudError):
    """The deadline over the whole exchange passed."""


class InvalidRequest(ByCloudError):
    """A 4xx other than 401, 403 and 429. A marker whose instance is gone may be answered so."""


class Unauthorized(ByCloudError):
    """401: authentication required, or the credential is invalid."""


class Forbidden(ByCloudError):
    """403: the credential may not do this."""


class RateLimited(ByCloudError):
    """429. `retry_at` comes from `Retry-After` or else `X-RateLimit-Reset`."""


class ServerFault(ByCloudError):
    """Any 5xx, after the tries that are allowed. `retry_at` comes from `Retry-After`."""


class InvalidResponse(ByCloudError):
    """An answer that cannot be read. `path` is the JSON path of the first thing that is wrong, such as
    `$.instances[3].flavor.ram`; `$` when the whole body is.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "$",
        status: int | None = None,
        details: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, details=details, request_id=request_id)
        self.path = path
