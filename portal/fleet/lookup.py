"""One instance of the index: as it was last seen, and whether it is still there."""

from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from portal.bycloud import Instance, decode_instance
from portal.fleet import passes
from portal.fleet.feed import hurried
from portal.fleet.models import Body, IndexedFleet, IndexedInstance
from portal.fleet.records import read_body
from portal.gateway import ApiSession


class Sighting(NamedTuple):
    """An instance as it was when it was last seen, with its untouched JSON.

    `missing_at` is when a complete walk did not find it any more, and `gone_at` when that was confirmed.
    """

    instance: Instance
    source: bytes
    seen_at: datetime
    missing_at: datetime | None
    gone_at: datetime | None


def find_sighting(session: ApiSession, instance_id: str) -> Sighting | None:
    """What is known of an instance, by its id in lower case."""
    bodies = Body.objects.filter(instance__fleet__scope=session.cache_namespace, instance__instance_id=instance_id)
    row = bodies.values_list("body", "instance__last_seen", "instance__missing_at", "instance__gone_at")[:1]
    for body, seen_at, missing_at, gone_at in row:
        source = read_body(body)
        return Sighting(decode_instance(source), source, seen_at, missing_at, gone_at)
    return None


def confirm_gone(fleet: IndexedFleet, instance_id: str, *, asked_at: datetime) -> None:
    """Call a missing instance gone: a query by its name, answered at `asked_at`, did not have it either."""
    with hurried(), transaction.atomic():
        locked = IndexedFleet.objects.select_for_update().filter(pk=fleet.pk).first()
        if locked is None:
            # Its credential was replaced or removed in the meantime.
            return
        rows = IndexedInstance.objects.filter(fleet=locked, instance_id=instance_id, last_seen__lt=asked_at)
        passes.settle_gone(locked, rows.filter(missing_at__isnull=False, gone_at=None), timezone.now())
