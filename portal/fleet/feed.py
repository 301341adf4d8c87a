"""Feeds the index with every page that a member looks at. It never fails a page, and never keeps one waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.dispatch import receiver
from django.utils import timezone

from portal.credentials.vault import list_credentials
from portal.fleet.index import write_page
from portal.fleet.models import IndexedFleet
from portal.gateway import ApiSession, FetchedPage, page_fetched

# As long as a page may wait for another writer.
PATIENCE_MILLISECONDS = 100
# `used_at` is not written more often.
USE_STEP = timedelta(minutes=5)

log = structlog.get_logger(__name__)


@receiver(page_fetched, dispatch_uid="fleet")
def feed_page(page: FetchedPage, **_signal: Any) -> None:
    if not settings.FLEET_INDEX:
        return
    try:
        with hurried(), transaction.atomic():
            fleet = lock_fleet(page.session)
            if fleet:
                write_page(fleet, page)
    except DatabaseError as error:
        # Locked by another process, full, or not migrated yet. The walk will write what is missing.
        log.warning("fleet_page_not_indexed", error=type(error).__name__, reason=str(error))


def find_fleet(session: ApiSession) -> IndexedFleet | None:
    """The index of what the credential can see, if there is one."""
    return IndexedFleet.objects.filter(scope=session.cache_namespace).first()


def lock_fleet(session: ApiSession) -> IndexedFleet | None:
    """The fleet, locked until the transaction ends, and made if need be. None if its credential is not stored (any
    more), because then nothing of it may be kept.
    """
    scope, now = session.cache_namespace, timezone.now()
    fleet = IndexedFleet.objects.select_for_update().filter(scope=scope).first()
    if fleet is None:
        if not is_stored(session):
            return None
        fleet, _is_new = IndexedFleet.objects.select_for_update().get_or_create(
            scope=scope, defaults={"region": session.region.code, "created_at": now, "used_at": now}
        )
    record_use(fleet, session)
    return fleet


def record_use(fleet: IndexedFleet, session: ApiSession) -> None:
    """Write that a member looks at the fleet, at most every `USE_STEP`."""
    now = timezone.now()
    if session.member_id and now - fleet.used_at > USE_STEP:
        with hurried():
            IndexedFleet.objects.filter(pk=fleet.pk).update(used_at=now)


def is_stored(session: ApiSession) -> bool:
    """Whether a credential with this scope is stored, a member's or the team's."""
    return any(found.credential == session.credential for found in list_credentials(session.region))


@contextmanager
def hurried() -> Iterator[None]:
    """Give up on locks in the block's transaction after `PATIENCE_MILLISECONDS`, with a `DatabaseError`."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
            cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MILLISECONDS}")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {before}")
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MILLISECONDS}")
        yield
