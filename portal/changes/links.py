"""The address of the changes of a region: what it holds, and the one canonical way to write it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.urls import reverse

from portal.bycloud import Region
from portal.core.http import encode_query
from portal.fleet.changes import Place
from portal.fleet.models import ChangeKind

# Spans that `since` may name, and the last visit.
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
VISIT = "visit"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ChangesView(msgspec.Struct, frozen=True):
    """The state in the page's address.

    `since` is empty, one of `SPANS`, `VISIT`, or a time in UTC to the minute (`2026-11-29T14:02Z`). `kinds` are in the
    order of `ChangeKind`; none means all. `q` is the canonical text of a query for instances, `instance` one id.
    `before` is where the page begins.
    """

    since: str = ""
    kinds: tuple[ChangeKind, ...] = ()
    q: str = ""
    instance: str = ""
    before: Place | None = None

    @property
    def has_filters(self) -> bool:
        return bool(self.since or self.kinds or self.q or self.instance)

    @property
    def is_whole(self) -> bool:
        """Whether it shows the newest changes, of every kind and every instance."""
        return not (self.kinds or self.q or self.instance or self.before)

    def to_query_string(self) -> str:
        pairs = {
            "since": self.since,
            "kind": ",".join(self.kinds),
            "q": self.q,
            "instance": self.instance,
            "before": write_place(self.before) if self.before else "",
        }
        return encode_query((name, text) for name, text in pairs.items() if text)


def changes_url(region: Region, view: ChangesView, **changes: Any) -> str:
    """The address of a page, or of the one that the changes make of it. Any change but `before` leads to the first."""
    view = msgspec.structs.replace(view, **{"before": None} | changes)
    return f"{reverse('changes:list', args=[region])}?{view.to_query_string()}".removesuffix("?")


def write_place(place: Place) -> str:
    """In microseconds since 1970, and the number."""
    return f"{(place.until - _EPOCH) // _MICROSECOND}-{place.number}"


def read_place(text: str) -> Place:
    """Raises `ValueError`."""
    moment, _sign, number = text.partition("-")
    try:
        return Place(_EPOCH + int(moment) * _MICROSECOND, int(number))
    except OverflowError:
        raise ValueError(text) from None
