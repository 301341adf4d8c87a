"""What is cached, and under which key: all of it belongs to one API session, whose namespace begins each key.

Responses are in Django's cache `pages`, last use in `counters`, where no page can evict it. Both hold bytes.
"""

from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple, TypeVar

import msgspec
from django.core.cache import caches
from django.utils.crypto import salted_hmac

from portal.bycloud import Credential, InstanceQuery, Region
from portal.gateway import clock
from portal.gateway.results import FetchError

CACHE_SECONDS = 24 * 60 * 60
LAST_USED_SECONDS = 90 * 24 * 60 * 60
USED, REJECTED = "last used", "last refused"

T = TypeVar("T")


class ApiSession(msgspec.Struct, frozen=True, dict=True):
    """A region with a credential, on behalf of a member.

    `member_id` is an opaque id of the member; empty for none. `is_shared`: other members use this credential, too.
    """

    region: Region
    credential: Credential
    member_id: str = ""
    is_shared: bool = False

    @cached_property
    def cache_namespace(self) -> str:
        """The region and a keyed hash of the credential. Every cache key begins with it.

        The hash is keyed by `SECRET_KEY`, so that credentials cannot be tried against the contents of the cache. It is
        made from the header that is sent, so that two credentials never share a namespace.
        """
        headers = sorted(self.credential.headers().items())
        message = repr((self.region.base_url, headers))
        return f"{self.region.code}:{salted_hmac('portal.gateway.scope', message, algorithm='sha256').hexdigest()}"

    def make_key(self, name: str) -> str:
        """Names contain user input, so they are hashed: any length, any characters, and not readable in the cache."""
        return f"{self.cache_namespace}:{sha256(name.encode()).hexdigest()}"


class CachedResponse(msgspec.Struct, frozen=True):
    """An upstream response body, unmodified, with its date and the request behind it.

    A page is cut to the number of instances that were requested; `left_out` counts the rest.
    """

    body: bytes
    fetched_at: datetime
    target: str
    elapsed_seconds: float
    request_id: str | None
    left_out: int = 0


RESPONSE_DECODER = msgspec.msgpack.Decoder(CachedResponse)
_ERROR_DECODER = msgspec.msgpack.Decoder(FetchError)
_MOMENT_DECODER = msgspec.msgpack.Decoder(datetime)


class LastUsed(msgspec.Struct, frozen=True):
    """When ByCloud last accepted and last rejected a credential. None: never, or the cache has been cleared."""

    used_at: datetime | None = None
    rejected_at: datetime | None = None


def page_name(query: InstanceQuery) -> str:
    """The cache name of a page."""
    return f"page:{query.to_query_string()}"


def error_name(query: InstanceQuery) -> str:
    """The cache name of a page's last error."""
    return f"error:{query.to_query_string()}"


def lock_name(query: InstanceQuery) -> str:
    """The name of the lock with which one process at a time fetches a page."""
    return f"fetch-lock:{query.to_query_string()}"


def set_cached(session: ApiSession, name: str, value: msgspec.Struct) -> None:
    """Cache `value` for a day."""
    caches["pages"].set(session.make_key(name), msgspec.msgpack.encode(value), CACHE_SECONDS)


def get_cached(session: ApiSession, name: str, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """The cached value, or None. A value that cannot be decoded (written by another version) counts as missing."""
    return decode(caches["pages"].get(session.make_key(name)), decoder)


def delete_cached(session: ApiSession, name: str) -> None:
    """Delete the cached value."""
    caches["pages"].delete(session.make_key(name))


class FoundPage(NamedTuple):
    """What is cached of a page, and the largest page size that the region allows, as far as it is known."""

    answer: CachedResponse | None
    last_error: FetchError | None
    largest_limit: int | None


def find_page(session: ApiSession, query: InstanceQuery) -> FoundPage:
    """All that the cache has of a page, in one request to it."""
    page_key, error_key = session.make_key(page_name(query)), session.make_key(error_name(query))
    largest_key = _largest_page_key(session.region)
    stored = caches["pages"].get_many([page_key, error_key, largest_key])
    return FoundPage(
        decode(stored.get(page_key), RESPONSE_DECODER),
        decode(stored.get(error_key), _ERROR_DECODER),
        _decode_limit(stored.get(largest_key)),
    )


def decode(stored: bytes | None, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """The decoded value, or None. A value that cannot be decoded (written by another version) counts as missing."""
    if stored is None:
        return None
    try:
        return decoder.decode(stored)
    except msgspec.DecodeError:
        return None


def read_largest_page(region: Region) -> int | None:
    """The largest page size that a region allows; None if none below the requested ones has been learned.

    ByCloud does not document it, so it is learned from rejected or shortened pages.
    """
    return _decode_limit(caches["pages"].get(_largest_page_key(region)))


def learn_largest_page(region: Region, limit: int) -> None:
    """Cache the largest page size for a day."""
    caches["pages"].set(_largest_page_key(region), str(limit).encode(), CACHE_SECONDS)


def _largest_page_key(region: Region) -> str:
    return f"largest-page:{region.code}"


def _decode_limit(stored: bytes | None) -> int | None:
    return int(stored) if stored and stored.isdigit() else None


def record_use(session: ApiSession, *, is_rejected: bool = False) -> None:
    """ByCloud answered with a list, or rejected the credential (401) or its permission (403).

    Written once per upstream request, which the rate limit keeps rare. Page views write nothing.
    """
    moment = msgspec.msgpack.encode(clock.read_moment())
    caches["counters"].set(session.make_key(REJECTED if is_rejected else USED), moment, LAST_USED_SECONDS)


def read_last_used(session: ApiSession) -> LastUsed:
    keys = [session.make_key(name) for name in (USED, REJECTED)]
    stored = caches["counters"].get_many(keys)
    moments = [decode(stored.get(key), _MOMENT_DECODER) for key in keys]
    return LastUsed(*(clock.to_wall(moment) if moment else None for moment in moments))
