"""The refusals that are the portal's own: no request went upstream."""

from portal.bycloud import ByCloudError, RateLimited


class RateLimitReached(RateLimited):
    """The portal's budget is out for this errand. `retry_at` says when it goes on."""


class TriesSpent(RateLimitReached):
    """More credentials have been tried than may be within a minute. `retry_at` says when it goes on."""


class Busy(ByCloudError):  # noqa: N818 -- named as its siblings in portal.bycloud are
    """As many requests as may wait for ByCloud at once are waiting already, or for their turn at the budget."""
