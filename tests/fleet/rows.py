"""Fleets in the index, made without a walk."""

from collections.abc import Iterable
from datetime import UTC, datetime

from portal.bycloud import BearerToken, Instance, InstancePage, Region
from portal.fleet.index import write_page
from portal.fleet.models import IndexedFleet
from portal.gateway import ApiSession, FetchedPage
from tests.fleet.oracle import encode

SESSION = ApiSession(Region("spo1", "https://api.spo1.example"), BearerToken("x"))
SEEN_AT = datetime(2026, 11, 29, tzinfo=UTC)


def keep_fleet(scope: str = "spo1:one") -> IndexedFleet:
    return IndexedFleet.objects.create(scope=scope, region="spo1", created_at=SEEN_AT, used_at=SEEN_AT)


def keep_instances(instances: Iterable[Instance], scope: str = "spo1:one") -> IndexedFleet:
    """A fleet with these instances."""
    fleet = keep_fleet(scope)
    write_instances(fleet, instances)
    return fleet


def write_instances(fleet: IndexedFleet, instances: Iterable[Instance]) -> None:
    """A page with these instances."""
    rows = tuple(instances)
    write_page(fleet, FetchedPage(SESSION, InstancePage(rows), tuple(map(encode, rows)), SEEN_AT))
