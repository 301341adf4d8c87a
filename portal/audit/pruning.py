"""Deletes events that were kept long enough: the one exception from append-only, and on record itself."""

from datetime import datetime

from django.db import models, transaction

from portal.audit.events import record_event
from portal.audit.models import Act, Event
from portal.core.formatting import iso_text

BATCH_SIZE = 1000


def prune_events(before: datetime) -> int:
    """Delete what is older; gives how many events that were. When there were any, that is an event of its own.

    In batches, each of which stands on record with what it deleted, so that it may be stopped and run again.
    """
    pruned = 0
    while True:
        with transaction.atomic():
            # Django's own query set: the model's refuses to delete.
            events: models.QuerySet[Event] = models.QuerySet(Event)
            ids = list(events.filter(at__lt=before).order_by("id").values_list("id", flat=True)[:BATCH_SIZE])
            if not ids:
                return pruned
            events.filter(id__in=ids).delete()
            record_event(Act.AUDIT_PRUNED, subject=f"{len(ids)} events before {iso_text(before)}")
        pruned += len(ids)
