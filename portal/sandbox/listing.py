"""`GET /v1/instances`: one page of a fleet, with `meta` and `links` (docs page api/compute/list-instances)."""

from bisect import bisect_left
from datetime import datetime
from urllib.parse import urlencode

from portal.sandbox.filters import PARAMETERS, Json, ListQuery, ParameterError
from portal.sandbox.fleet import Fleet

PATH = "/v1/instances"


def list_page(fleet: Fleet, asked: ListQuery, *, now: datetime, base_url: str) -> Json:
    """The page after the marker, newest first. If the marker's instance is deleted, the page starts where it was.

    Raises `ParameterError` for a marker that was never an instance of this organization.
    """
    bound = None
    if asked.marker is not None:
        bound = fleet.find_number(asked.marker)
        if bound is None:
            raise ParameterError("Field 'marker' names no instance of this organization")
    numbers = fleet.select(asked.filters, now)
    at = len(numbers) if bound is None else bisect_left(numbers, bound)
    shown = numbers[max(0, at - asked.limit) : at][::-1]
    has_more = at > asked.limit
    last = fleet.identities.id_of(shown[-1]) if shown else None
    previous = None
    if bound is not None:
        # The previous page ends at the marker, so its own marker is the first instance above it.
        above = at + asked.limit
        previous = _link(base_url, asked, fleet.identities.id_of(numbers[above]) if above < len(numbers) else None)
    return {
        "instances": [fleet.find_instance(number, now) for number in shown],
        "meta": {"total": len(numbers), "limit": asked.limit, "marker": last, "has_more": has_more},
        "links": {
            "self": _link(base_url, asked, asked.marker),
            "next": _link(base_url, asked, last) if has_more else None,
            "previous": previous,
        },
    }


def _link(base_url: str, asked: ListQuery, marker: str | None) -> str:
    wanted = {**asked.given, "limit": str(asked.limit), "marker": marker}
    pairs = [(name, wanted[name]) for name in PARAMETERS if wanted.get(name)]
    return f"{base_url}{PATH}?{urlencode(pairs)}"
