"""Deletes old events. This is the only exception to append-only, and it is recorded."""

from datetime import datetime

from django.db import models, transaction

from portal.audit.events import record_event
from portal.audit.models import Act, Event
from portal.core.formatting import iso_text

BATCH_SIZE = 1000


def prune_events(before: datetime) -> int:
    """Delete events before this time and return their number.

    Deletes in batches, each with an event that records it, so that it can be interrupted and run again.
    """
    pruned = 0
    while True:
        with transaction.atomic():
            # Django's own QuerySet; the model's does not allow deleting.
            events: models.QuerySet[Event] = models.QuerySet(Event)
            ids = list(events.filter(at__lt=before).order_by("id").values_list("id", flat=True)[:BATCH_SIZE])
            if not ids:
                return pruned
            events.filter(id__in=ids).delete()
            record_event(Act.AUDIT_PRUNED, subject=f"{len(ids)} events before {iso_text(before)}")
        pruned += len(ids)
