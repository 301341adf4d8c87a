"""How a page keeps itself up to date: the version it carries, the budget, and when it asks again.

portal.js does the asking; docs/pages.md says how often. Knows no requests and no templates.
"""

from hashlib import blake2b
from math import ceil
from typing import Any

import msgspec
from django.conf import settings
from django.utils import timezone

from portal import __version__
from portal.core.formatting import clock_text, exact_text, iso_text
from portal.gateway import Cached, FetchError, Meter

HIGH_SHARE = 0.8
VERSION_BYTES = 8
# Nothing is wrong with upstream: the page goes on as soon as it may, and does not ask less and less often.
STEADY_KINDS = frozenset({"budget-spent", "rate-limited", "busy"})
OWN_KINDS = frozenset({"budget-spent", "busy"})


class RefreshState(msgspec.Struct, frozen=True):
    """What portal.js is told. `pending` names what is in transition: as long as it stays the same, the same things.

    `refresh_seconds` is what the member wants; 0: only when asked.
    """

    url: str
    target: str
    version: str
    refresh_seconds: int = 30
    is_due: bool = False
    pending: str = ""
    trouble: FetchError | None = None

    @property
    def every_seconds(self) -> int:
        """No more often than there can be news; 0: not by itself."""
        return max(self.refresh_seconds, ceil(settings.PAGE_FRESH_SECONDS)) if self.refresh_seconds else 0

    @property
    def quick_seconds(self) -> int:
        """While something changes: as often as there can be news."""
        return ceil(settings.PAGE_QUICK_SECONDS)

    @property
    def is_steady(self) -> bool:
        return self.trouble is not None and self.trouble.kind in STEADY_KINDS

    @property
    def next_try_seconds(self) -> int:
        """How long the page waits after a trouble, as far as is known here: portal.js waits longer each time.

        0: until it is asked.
        """
        if not self.refresh_seconds:
            return 0
        retry_at = self.trouble.retry_at if self.trouble else None
        seconds = ceil((retry_at - timezone.now()).total_seconds()) if retry_at else 0
        return seconds if self.is_steady and seconds > 0 else max(seconds, self.every_seconds)

    @property
    def is_stopped(self) -> bool:
        """Nothing will be asked until the token is replaced."""
        return self.trouble is not None and self.trouble.kind == "rejected"


class Budget(msgspec.Struct, frozen=True):
    """The meter as it is shown. `kept` is what refreshes leave to people in a minute."""

    meter: Meter
    kept: int
    is_high: bool
    is_out: bool
    is_shared_by_region: bool


def describe_budget(meter: Meter) -> Budget:
    used = max(window.used / window.limit for window in (meter.minute, meter.hour))
    return Budget(
        meter=meter,
        kept=meter.minute.limit - max(1, int(meter.minute.limit * (1 - settings.BYCLOUD_RATE_RESERVE))),
        is_high=used >= HIGH_SHARE,
        is_out=used >= 1,
        is_shared_by_region=settings.BYCLOUD_RATE_SCOPE == "region",
    )


def make_version(*parts: Any) -> str:
    """A short name for all that a region shows: the same parts, the same name. Ages and the budget are not in it."""
    encoded = msgspec.json.encode((__version__, *parts))
    return blake2b(encoded, digest_size=VERSION_BYTES).hexdigest()


def name_trouble(trouble: FetchError | None) -> object:
    """What of a trouble makes a page another one. A refusal of the portal's own is made anew each time it is asked."""
    return (trouble.kind, trouble.retry_at) if trouble and trouble.kind in OWN_KINDS else trouble


def name_pending(ids: list[str]) -> str:
    """A name for the set of things in transition, empty for none."""
    return blake2b("\n".join(sorted(ids)).encode(), digest_size=VERSION_BYTES).hexdigest() if ids else ""


def describe_unchanged(page: Cached[Any], meter: Meter) -> dict[str, Any]:
    """What an open page is told when nothing but the date has changed."""
    return {
        "now": iso_text(timezone.now()),
        "at": iso_text(page.fetched_at),
        "clock": clock_text(page.fetched_at),
        "exact": exact_text(page.fetched_at),
        "minute": [meter.minute.used, meter.minute.limit],
        "hour": [meter.hour.used, meter.hour.limit],
        "others": meter.others,
    }
