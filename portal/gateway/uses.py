"""When a credential last brought an answer, and when it was last refused. Kept beside the pages, and lost with them.

Written once for each exchange with ByCloud, which its limits keep rare: no page view writes anything.
"""

from datetime import UTC, datetime

import msgspec

from portal.gateway.access import Access
from portal.gateway.store import recall, remember

KEPT_SECONDS = 90 * 24 * 60 * 60
USED, REFUSED = "last used", "last refused"


class _Moment(msgspec.Struct, frozen=True):
    at: datetime


class Use(msgspec.Struct, frozen=True):
    """Each None when it is not known: it never was, or the cache has been emptied since."""

    used_at: datetime | None = None
    refused_at: datetime | None = None


def record_use(access: Access) -> None:
    """ByCloud has answered with a list."""
    remember(access, USED, _Moment(datetime.now(UTC)), seconds=KEPT_SECONDS)


def record_refusal(access: Access) -> None:
    """ByCloud has refused the credential, or said that it may not list."""
    remember(access, REFUSED, _Moment(datetime.now(UTC)), seconds=KEPT_SECONDS)


def read_use(access: Access) -> Use:
    used, refused = recall(access, USED, _Moment), recall(access, REFUSED, _Moment)
    return Use(used_at=used.at if used else None, refused_at=refused.at if refused else None)
