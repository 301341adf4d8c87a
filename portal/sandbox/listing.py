"""`GET /v1/instances`: one page of a fleet, with `meta` and `links` (docs page api/compute/list-instances)."""

from datetime import datetime
from itertools import islice
from urllib.parse import urlencode

from portal.sandbox.filters import PARAMETERS, Asked, Json, ParameterError
from portal.sandbox.fleet import Fleet

PATH = "/v1/instances"


def list_page(fleet: Fleet, asked: Asked, *, now: datetime, base_url: str) -> Json:
    """The page after the marker, newest first. If the marker's instance is deleted, the page starts where it was.

    Raises `ParameterError` for a marker that was never an instance of this organization.
    """
    bound = None
    if asked.marker is not None:
        bound = fleet.find_number(asked.marker)
        if bound is None:
            raise ParameterError("Field 'marker' names no instance of this organization")
    selection = fleet.select(asked.filters, now)
    found = list(islice(selection.below(bound), asked.limit + 1))
    shown, has_more = found[: asked.limit], len(found) > asked.limit
    last = fleet.identities.id_of(shown[-1]) if shown else None
    previous = None
    if bound is not None:
        # The previous page ends at the marker, so its own marker is the first instance above it.
        before = list(islice(selection.above(bound - 1), asked.limit + 1))
        marker = fleet.identities.id_of(before[-1]) if len(before) > asked.limit else None
        previous = _link(base_url, asked, marker)
    return {
        "instances": [fleet.find_instance(number, now) for number in shown],
        "meta": {"total": selection.total, "limit": asked.limit, "marker": last, "has_more": has_more},
        "links": {
            "self": _link(base_url, asked, asked.marker),
            "next": _link(base_url, asked, last) if has_more else None,
            "previous": previous,
        },
    }


def _link(base_url: str, asked: Asked, marker: str | None) -> str:
    wanted = {**asked.given, "limit": str(asked.limit), "marker": marker}
    pairs = [(name, wanted[name]) for name in PARAMETERS if wanted.get(name)]
    return f"{base_url}{PATH}?{urlencode(pairs)}"
