"""When a credential was last used successfully, and when it was last rejected. In the cache `counters`.

Written once per upstream request, which the rate limit keeps rare. Page views write nothing.
"""

from datetime import datetime

import msgspec
from django.core.cache import caches

from portal.gateway import clock
from portal.gateway.api_session import ApiSession
from portal.gateway.cache import decode, make_key

KEPT_SECONDS = 90 * 24 * 60 * 60
USED, REFUSED = "last used", "last refused"


class _Moment(msgspec.Struct, frozen=True):
    at: datetime


class LastUsed(msgspec.Struct, frozen=True):
    """A time is None when it is not known: it never happened, or the cache has been cleared."""

    used_at: datetime | None = None
    refused_at: datetime | None = None


def record_use(access: ApiSession) -> None:
    """ByCloud answered with a list."""
    _keep(access, USED)


def record_refusal(access: ApiSession) -> None:
    """ByCloud rejected the credential (401) or denied permission (403)."""
    _keep(access, REFUSED)


def read_last_used(access: ApiSession) -> LastUsed:
    keys = [make_key(access, name) for name in (USED, REFUSED)]
    kept = caches["counters"].get_many(keys)
    used, refused = (decode(kept.get(key), _Moment) for key in keys)
    return LastUsed(
        used_at=clock.to_wall(used.at) if used else None, refused_at=clock.to_wall(refused.at) if refused else None
    )


def _keep(access: ApiSession, name: str) -> None:
    moment = _Moment(clock.read_moment())
    caches["counters"].set(make_key(access, name), msgspec.msgpack.encode(moment), KEPT_SECONDS)
