"""Deletes what the index holds that no stored credential can see, or that no member has looked at for long.

The tables are emptied one by one, from those that point to the others: with the ORM's cascades, each row would be read.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from portal.credentials.models import Credential
from portal.credentials.vault import list_credentials
from portal.fleet.models import Body, Facet, IndexedFleet, IndexedInstance, ObservedChange, Pass, Term, Text
from portal.gateway import ApiSession

if TYPE_CHECKING:
    from django.db.models import QuerySet

log = structlog.get_logger(__name__)


@receiver([post_save, post_delete], sender=Credential, dispatch_uid="fleet")
def forget_credential(update_fields: frozenset[str] | None = None, **_signal: Any) -> None:
    """A credential was replaced or removed: delete what only it could see, once that is certain."""
    if update_fields is not None and "fingerprint" not in update_fields:
        return
    transaction.on_commit(_delete_orphans_or_log, robust=True)


def delete_orphans() -> int:
    """Delete the fleets that no stored credential can see. Returns their number."""
    scopes = [
        ApiSession(region, found.credential).cache_namespace
        for region in settings.BYCLOUD_REGIONS.values()
        for found in list_credentials(region)
    ]
    return _delete(IndexedFleet.objects.exclude(scope__in=scopes))


def delete_unused() -> int:
    """Delete the fleets that no member has looked at for `FLEET_KEEP_DAYS`; all of them if there is to be no index."""
    if not settings.FLEET_INDEX:
        return _delete(IndexedFleet.objects.all())
    return _delete(IndexedFleet.objects.filter(used_at__lt=timezone.now() - timedelta(days=settings.FLEET_KEEP_DAYS)))


def delete_instances(rows: "QuerySet[IndexedInstance]") -> None:
    """Delete instances with everything that belongs to them, but not the changes that were observed."""
    for table in (Facet, Text, Body):
        table.objects.filter(instance__in=rows).delete()
    rows.delete()


def _delete_orphans_or_log() -> None:
    """What cannot be deleted now (the database is busy) is deleted by the next walk."""
    try:
        delete_orphans()
    except DatabaseError as error:
        log.warning("fleet_not_deleted", error=type(error).__name__)


def delete_fleet(fleet: IndexedFleet) -> bool:
    """Delete a fleet with everything in it. False if it is gone already."""
    with transaction.atomic():
        # Nothing is written into it meanwhile; a request that waits for the lock finds no fleet.
        if not IndexedFleet.objects.select_for_update().filter(pk=fleet.pk).exists():
            return False
        delete_instances(IndexedInstance.objects.filter(fleet=fleet))
        for table in (Term, ObservedChange, Pass):
            table.objects.filter(fleet=fleet).delete()
        fleet.delete()
    return True


def _delete(fleets: Iterable[IndexedFleet]) -> int:
    return sum(map(delete_fleet, fleets))
