"""Processes that write the index at once, on a file of SQLite. (tests/services: on PostgreSQL.)"""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.services.portals import LIST, Deployment, list_ids

WALKERS, VIEWS = 3, 24
# Each fleet is whole: every walk saw each instance once, nobody is missing, and no lease was left behind.
CHECK = """
from portal.fleet.models import Facet, IndexedFleet, IndexedInstance, Text
assert sorted(fleet.instances.count() for fleet in IndexedFleet.objects.all()) == [12, 150]
for fleet in IndexedFleet.objects.all():
    assert not fleet.lease and fleet.baseline_at
    for walk in fleet.passes.all():
        assert (walk.outcome, walk.seen, walk.duplicates) == ("complete", fleet.instances.count(), 0), vars(walk)
assert Text.objects.count() == 162
assert not IndexedInstance.objects.exclude(missing_at=None).exists()
assert not IndexedInstance.objects.filter(facets=None).exists()
"""
FORGET = """
from portal.fleet.models import IndexedFleet
from portal.fleet import privacy
for fleet in IndexedFleet.objects.all():
    privacy.delete_fleet(fleet)
"""


@contextmanager
def locked_index(deployment: Deployment) -> Iterator[None]:
    """Another process writes for long: on SQLite, nobody else can write anything."""
    writer = sqlite3.connect(deployment.database_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        yield
    finally:
        writer.close()


@pytest.mark.slow
def test_walkers_and_viewers_at_once_lose_nothing(deployment: Deployment) -> None:
    deployment.sandbox.reset()
    deployment.manage("shell", "-c", FORGET)
    with deployment.open_portals(1, PAGE_FRESH_SECONDS="0") as (portal,), ThreadPoolExecutor(WALKERS + 8) as pool:
        cookies = {name: deployment.sign_in(portal, name) for name in ("otto", "vera")}
        walks = [pool.submit(deployment.manage, "walk_fleets") for _ in range(WALKERS)]

        def look(turn: int) -> int:
            page = portal.get(f"{LIST}?limit={20 + turn % 5}", cookies["otto" if turn % 2 else "vera"])
            assert page.status_code == 200, page.text
            return len(list_ids(page))

        assert all(pool.map(look, range(VIEWS)))
        for walk in walks:
            walk.result()
    deployment.manage("shell", "-c", CHECK)


@pytest.mark.slow
def test_a_page_needs_no_index_that_can_be_written(deployment: Deployment) -> None:
    deployment.sandbox.reset()
    deployment.manage("shell", "-c", FORGET)
    with deployment.open_portals(1) as (portal,):
        # A new session: one that is due to be written could not be while a file of SQLite is locked.
        _, cookie = portal.try_to_sign_in("otto", deployment.password)
        with locked_index(deployment):
            page = portal.get(f"{LIST}?limit=33", cookie)
            assert page.status_code == 200
            assert len(list_ids(page)) == 33
        assert "fleet_page_not_indexed" in portal.log.read_text(encoding="utf-8")
        portal.get(f"{LIST}?limit=34", cookie)
    deployment.manage("shell", "-c", "from portal.fleet.models import Text; assert Text.objects.count() == 34")
