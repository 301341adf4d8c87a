"""Between walks: single requests for what is in error or in transition, which is what people wait for.

They take a twentieth of the hour's requests, besides the fifth of walks. Nothing here sends a request: `walk.py` does.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from portal.bycloud import LARGEST_LIMIT, InstanceQuery, decode_instance
from portal.fleet.keys import list_ranks
from portal.fleet.models import IndexedFleet, IndexedInstance, Pass
from portal.fleet.records import read_body

SHARE = 20
HOUR = timedelta(hours=1)
SHORTEST_INTERVAL = timedelta(seconds=60)


def find_due(fleet: IndexedFleet, latest: Pass) -> datetime:
    """When the next request may be sent, after the walk that has ended."""
    interval = max(SHORTEST_INTERVAL, HOUR * SHARE / settings.BYCLOUD_RATE_PER_HOUR)
    return max(filter(None, (latest.finished_at, fleet.watched_at)), default=fleet.created_at) + interval


def choose_query(fleet: IndexedFleet) -> InstanceQuery:
    """The instances with the status ERROR or, every second time, by its name one that was in error or in transition
    when it was last seen, before that.
    """
    errors = InstanceQuery(status="ERROR", limit=LARGEST_LIMIT)
    if fleet.errors_read_at is None or fleet.errors_read_at != fleet.watched_at:
        return errors
    urgent = Q(state_rank__in=list_ranks("error")) | Q(state_rank__in=list_ranks("pending"))
    older = IndexedInstance.objects.filter(urgent, fleet=fleet, missing_at=None, last_seen__lt=fleet.errors_read_at)
    body = older.exclude(name_key=None).order_by("last_seen").values_list("body__body", flat=True).first()
    name = decode_instance(read_body(body)).name if body else None
    return InstanceQuery(name=name, limit=LARGEST_LIMIT) if name else errors


def record(fleet: IndexedFleet, query: InstanceQuery, now: datetime) -> None:
    """Remember that the query was sent. The caller saves the fleet."""
    fleet.watched_at = now
    if query.status:
        fleet.errors_read_at = now
