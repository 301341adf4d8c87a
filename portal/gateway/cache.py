"""Where answers are kept: Django's cache `pages`, in bytes, under keys that begin with the scope of an access."""

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
    """An upstream body, or one instance of it, untouched, with its date and the request behind it.

    But a page holds no more instances than were asked for; `left_out` more were sent.
    """

    body: bytes
    fetched_at: datetime
    target: str
    elapsed_seconds: float
    request_id: str | None
    left_out: int = 0


def page_name(query: InstanceQuery) -> str:
    """The name of a page within its scope."""
    return f"page:{query.to_query_string()}"


def instance_name(instance_id: str) -> str:
    """The name of one instance within its scope."""
    return f"instance:{instance_id}"


def trouble_name(query: InstanceQuery) -> str:
    """The name of the trouble last met with a page."""
    return f"trouble:{query.to_query_string()}"


def single_flight_key(access: ApiSession, query: InstanceQuery) -> str:
    """The key under which one process at a time fetches a page."""
    return make_key(access, f"flight:{query.to_query_string()}")


def remember(access: ApiSession, name: str, value: msgspec.Struct, *, seconds: int = KEPT_SECONDS) -> None:
    """Keep `value` under `name`, within the scope of `access`: for a day, unless it is told otherwise."""
    caches["pages"].set(make_key(access, name), msgspec.msgpack.encode(value), seconds)


def recall(access: ApiSession, name: str, kind: type[S]) -> S | None:
    """What was kept under `name`, or None. A value that cannot be read (another version wrote it) is none."""
    return decode(caches["pages"].get(make_key(access, name)), kind)


def load_page(access: ApiSession, query: InstanceQuery) -> tuple["CachedAnswer | None", FetchError | None]:
    """A page and the trouble last met with it, each or None, by one look into the cache."""
    page_key, trouble_key = make_key(access, page_name(query)), make_key(access, trouble_name(query))
    kept = caches["pages"].get_many([page_key, trouble_key])
    return decode(kept.get(page_key), CachedAnswer), decode(kept.get(trouble_key), FetchError)


def forget(access: ApiSession, name: str) -> None:
    """Drop what was kept under `name`."""
    caches["pages"].delete(make_key(access, name))


def store_answers(access: ApiSession, answers: dict[str, CachedAnswer]) -> None:
    """Keep several answers at once, by name."""
    encoded = {make_key(access, name): msgspec.msgpack.encode(answer) for name, answer in answers.items()}
    caches["pages"].set_many(encoded, KEPT_SECONDS)


def decode(kept: bytes | None, kind: type[S]) -> S | None:
    """What was kept, or None. A value that cannot be read (another version of the portal wrote it) is none."""
    if kept is None:
        return None
    try:
        return msgspec.msgpack.decode(kept, type=kind)
    except msgspec.DecodeError:
        return None


def make_key(access: ApiSession, name: str) -> str:
    """Names hold what people typed, so they are hashed: any length, any letters, and unreadable in the store."""
    return f"{access.scope}:{sha256(name.encode()).hexdigest()}"
