"""Cached responses: Django's cache `pages`, as bytes, under keys that begin with the session's namespace."""

from datetime import datetime
from hashlib import sha256
from typing import TypeVar

import msgspec
from django.core.cache import caches

from portal.bycloud import InstanceQuery
from portal.gateway.api_session import ApiSession
from portal.gateway.results import FetchError

KEPT_SECONDS = 24 * 60 * 60

S = TypeVar("S", bound=msgspec.Struct)


class CachedAnswer(msgspec.Struct, frozen=True):
    """An upstream response body, or one instance from it, unmodified, with its date and the request behind it.

    A page is cut to the number of instances that were requested; `left_out` counts the rest.
    """

    body: bytes
    fetched_at: datetime
    target: str
    elapsed_seconds: float
    request_id: str | None
    left_out: int = 0


def page_name(query: InstanceQuery) -> str:
    """The cache name of a page within its namespace."""
    return f"page:{query.to_query_string()}"


def instance_name(instance_id: str) -> str:
    """The cache name of an instance within its namespace."""
    return f"instance:{instance_id}"


def trouble_name(query: InstanceQuery) -> str:
    """The cache name of a page's last error."""
    return f"trouble:{query.to_query_string()}"


def single_flight_key(access: ApiSession, query: InstanceQuery) -> str:
    """The key of the lock with which one process at a time fetches a page."""
    return make_key(access, f"flight:{query.to_query_string()}")


def remember(access: ApiSession, name: str, value: msgspec.Struct, *, seconds: int = KEPT_SECONDS) -> None:
    """Cache `value` under `name` in the session's namespace, for a day by default."""
    caches["pages"].set(make_key(access, name), msgspec.msgpack.encode(value), seconds)


def recall(access: ApiSession, name: str, kind: type[S]) -> S | None:
    """The cached value, or None. A value that cannot be decoded (written by another version) counts as missing."""
    return decode(caches["pages"].get(make_key(access, name)), kind)


def load_page(access: ApiSession, query: InstanceQuery) -> tuple["CachedAnswer | None", FetchError | None]:
    """A page and its last error, each or None, in one cache request."""
    page_key, trouble_key = make_key(access, page_name(query)), make_key(access, trouble_name(query))
    kept = caches["pages"].get_many([page_key, trouble_key])
    return decode(kept.get(page_key), CachedAnswer), decode(kept.get(trouble_key), FetchError)


def forget(access: ApiSession, name: str) -> None:
    """Delete the cached value."""
    caches["pages"].delete(make_key(access, name))


def store_answers(access: ApiSession, answers: dict[str, CachedAnswer]) -> None:
    """Cache several responses at once, by name."""
    encoded = {make_key(access, name): msgspec.msgpack.encode(answer) for name, answer in answers.items()}
    caches["pages"].set_many(encoded, KEPT_SECONDS)


def decode(kept: bytes | None, kind: type[S]) -> S | None:
    """The decoded value, or None. A value that cannot be decoded (written by another version) counts as missing."""
    if kept is None:
        return None
    try:
        return msgspec.msgpack.decode(kept, type=kind)
    except msgspec.DecodeError:
        return None


def make_key(access: ApiSession, name: str) -> str:
    """Names contain user input, so they are hashed: any length, any characters, and not readable in the cache."""
    return f"{access.scope}:{sha256(name.encode()).hexdigest()}"
