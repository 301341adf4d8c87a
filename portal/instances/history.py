"""What the index knows of one instance's past."""

from datetime import datetime

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError

from portal.fleet.change_words import ChangeText, write_change
from portal.fleet.changes import list_changes
from portal.fleet.feed import find_fleet
from portal.gateway import ApiSession
from portal.instances.links import history_url

MOST_CHANGES = 10

log = structlog.get_logger(__name__)


class History(msgspec.Struct, frozen=True):
    """The last changes of an instance, newest first, and when it was seen. `has_more`: there are older changes, behind
    `all_url`. `recorded_since` is when the first complete walk ended: earlier changes are not recorded.
    """

    changes: tuple[ChangeText, ...]
    has_more: bool
    first_seen: datetime
    last_seen: datetime
    recorded_since: datetime | None
    all_url: str


def read_history(session: ApiSession, instance_id: str) -> History | None:
    """None without an index that can be read, or if it does not have the instance, whose id is in lower case."""
    if not settings.FLEET_INDEX:
        return None
    try:
        fleet = find_fleet(session)
        seen = fleet and fleet.instances.filter(instance_id=instance_id).values_list("first_seen", "last_seen").first()
        if not fleet or not seen:
            return None
        changes = list_changes(fleet, instance_id=instance_id, count=MOST_CHANGES + 1)
    except DatabaseError as error:
        log.warning("history_not_read", error=type(error).__name__)
        return None
    first_seen, last_seen = seen
    return History(
        changes=tuple(map(write_change, changes[:MOST_CHANGES])),
        has_more=len(changes) > MOST_CHANGES,
        first_seen=first_seen,
        last_seen=last_seen,
        recorded_since=fleet.baseline_at,
        all_url=history_url(session.region, instance_id),
    )
