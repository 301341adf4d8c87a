"""The largest page size that a region allows, where it is below what the portal requests. ByCloud does not document it,
so it is learned from rejected or shortened pages, and cached for a day.
"""

from django.core.cache import caches

from portal.bycloud import Region
from portal.gateway.cache import KEPT_SECONDS


def read_largest_page(region: Region) -> int | None:
    """The maximum page size of this region; None if none has been learned."""
    kept = caches["pages"].get(_key(region))
    return int(kept) if kept and kept.isdigit() else None


def learn_largest_page(region: Region, limit: int) -> None:
    caches["pages"].set(_key(region), str(limit).encode(), KEPT_SECONDS)


def _key(region: Region) -> str:
    return f"largest-page:{region.code}"
