"""All errors between the portal and ByCloud.

ByCloudError
├── Unreachable      no connection: refused, DNS, reset, TLS, or a truncated response
├── TimedOut         the deadline passed before the response was complete
├── InvalidRequest   400, 404, 409, 422 and any other 4xx
├── Unauthorized     401: the credential is missing, invalid or expired
├── Forbidden        403: the credential is valid, but lacks the permission
├── RateLimited      429, with the time to retry
├── ServerFault      any 5xx
└── InvalidResponse  a response that does not match the docs (also a redirect, or one that is too large)
"""

# ruff: noqa: N818 -- the names say what happened; the base class says that it is an error

from datetime import datetime

import msgspec


class RateLimit(msgspec.Struct, frozen=True):
    """ByCloud's own count: the window's limit, the requests left, and when the window ends."""

    limit: int
    remaining: int
    reset_at: datetime | None


class ByCloudError(Exception):
    """A request to ByCloud failed.

    `status` is the HTTP status, if there was a response. `message`, `details` and `request_id` come from the error
    envelope of api/errors, if it was readable. None of them ever contains a credential. `retry_at` (aware, UTC) is when
    ByCloud said to retry, and `rate_limit` its own count, if the response had them.
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
    """No connection, or it broke before the response was complete."""


class TimedOut(ByCloudError):
    """The deadline of the whole request passed."""


class InvalidRequest(ByCloudError):
    """A 4xx other than 401, 403 and 429. Possibly the response for a marker whose instance is gone."""


class Unauthorized(ByCloudError):
    """401: authentication is required, or the credential is invalid."""


class Forbidden(ByCloudError):
    """403: the credential lacks the permission."""


class RateLimited(ByCloudError):
    """429. `retry_at` comes from `Retry-After` or else `X-RateLimit-Reset`."""


class ServerFault(ByCloudError):
    """Any 5xx, after all retries. `retry_at` comes from `Retry-After`."""


class InvalidResponse(ByCloudError):
    """A response that cannot be parsed. `path` is the JSON path of the first error, such as
    `$.instances[3].flavor.ram`; `$` for the whole body.
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
