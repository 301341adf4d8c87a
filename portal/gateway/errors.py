"""Errors that the portal raises itself, without a request to ByCloud."""

from portal.bycloud import ByCloudError, RateLimited


class RateLimitReached(RateLimited):
    """The portal's rate limit is reached for this priority. `retry_at` is when a request is allowed again."""


class TriesSpent(RateLimitReached):
    """Too many credentials were tried within a minute. `retry_at` is when the next one may be tried."""


class Busy(ByCloudError):  # noqa: N818 -- named like its siblings in portal.bycloud
    """Too many requests are waiting for ByCloud or for the rate limit already."""
