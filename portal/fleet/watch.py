"""Between walks: single requests for what is in error or in transition, which is what people wait for.

They take a twentieth of the hour's requests, besides the fifth of walks. Nothing here sends a request: `walk.py` does.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from portal.bycloud import LARGEST_LIMIT, InstanceQuery, decode_instance
from portal.fleet.matching import is_toned
from portal.fleet.models import IndexedFleet, Pass
from portal.fleet.records import read_body
from portal.fleet.search import list_indexed

SHARE = 20
HOUR = timedelta(hours=1)
SHORTEST_INTERVAL = timedelta(seconds=60)


def find_due(fleet: IndexedFleet, latest: Pass) -> datetime:
    """When the next request may be sent, after the walk that has ended."""
    interval = max(SHORTEST_INTERVAL, HOUR * SHARE / settings.BYCLOUD_RATE_PER_HOUR)
    return max(filter(None, (latest.finished_at, fleet.watched_at)), default=fleet.created_at) + interval


class Watched(NamedTuple):
    """What is asked for. `instance` is the row whose turn it was last."""

    query: InstanceQuery
    instance: int


def choose(fleet: IndexedFleet) -> Watched:
    """The instances with the status ERROR or, every second time, by its name one that was in error or in transition
    when it was last seen, before that. These take turns: ByCloud may not have some of them any more.
    """
    errors = Watched(InstanceQuery(status="ERROR", limit=LARGEST_LIMIT), fleet.watched_instance)
    if fleet.errors_read_at is None or fleet.errors_read_at != fleet.watched_at:
        return errors
    rows = list_indexed(fleet).filter(is_toned("error") | is_toned("pending"), last_seen__lt=fleet.errors_read_at)
    named = rows.exclude(name_key=None).order_by("pk").values_list("pk", "body__body")
    turn = named.filter(pk__gt=fleet.watched_instance).first() or named.first()
    if turn is None:
        return errors
    pk, body = turn
    return Watched(InstanceQuery(name=decode_instance(read_body(body)).name, limit=LARGEST_LIMIT), pk)


def record(fleet: IndexedFleet, watched: Watched, now: datetime) -> None:
    """Remember what was asked for. The caller saves the fleet."""
    fleet.watched_at, fleet.watched_instance = now, watched.instance
    if watched.query.status:
        fleet.errors_read_at = now
