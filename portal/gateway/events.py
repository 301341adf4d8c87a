"""Tells other apps of each page that comes from ByCloud. The gateway knows none of them."""

from datetime import datetime

import msgspec
from django.dispatch import Signal

from portal.bycloud import InstancePage
from portal.gateway.cache import ApiSession


class FetchedPage(msgspec.Struct, frozen=True):
    """A page as it came: decoded, and each instance's untouched JSON. `fetched_at` is by this machine's clock.

    `left_out` counts the instances that were sent beyond those requested, and dropped.
    """

    session: ApiSession
    page: InstancePage
    sources: tuple[bytes, ...]
    fetched_at: datetime
    left_out: int = 0


page_fetched = Signal()
"""Sent with `page`, a `FetchedPage`, before it is shown. Receivers must be quick; their errors are logged."""


def announce(page: FetchedPage) -> None:
    page_fetched.send_robust(sender=FetchedPage, page=page)
