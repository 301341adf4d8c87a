"""The largest page that a region gives, where that is less than the portal would ask for. ByCloud does not document it,
so it is learned from what is refused or cut, for a day.
"""

from django.core.cache import caches

from portal.bycloud import Region
from portal.gateway.cache import KEPT_SECONDS


def read_largest_page(region: Region) -> int | None:
    """How many instances a page of this region holds at most; None where nothing has been learned."""
    kept = caches["pages"].get(_key(region))
    return int(kept) if kept and kept.isdigit() else None


def learn_largest_page(region: Region, limit: int) -> None:
    caches["pages"].set(_key(region), str(limit).encode(), KEPT_SECONDS)


def _key(region: Region) -> str:
    return f"largest-page:{region.code}"
