"""A hanging ByCloud blocks only the requests that wait for it: real gunicorn, real sockets, one process."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

import pytest

from tests.services.portals import LIST, House, Portal
from tests.upstream import Upstream

DEADLINE_SECONDS = 6
THREADS = 52
# One person takes half of the places.
PLACES = (THREADS - 4) // 2


@dataclass(frozen=True)
class Desk:
    """Otto's, who has seen one list; `upstream` is the ByCloud behind it."""

    portal: Portal
    cookie: str
    upstream: Upstream

    def ask(self, query: str = "") -> int:
        return self.portal.get(f"{LIST}{query}", self.cookie).status_code

    def count_requests(self) -> int:
        return len(self.upstream.requests())


@pytest.fixture
def desk(house: House) -> Iterator[Desk]:
    house.sandbox.reset()
    limits = {"BYCLOUD_DEADLINE_SECONDS": str(DEADLINE_SECONDS), "WEB_THREADS": str(THREADS)}
    with house.open_portals(1, **limits) as (portal,):
        desk = Desk(portal, house.sign_in(portal, "otto"), Upstream(house.sandbox.url))
        assert desk.ask() == 200
        yield desk


@contextmanager
def people_waiting(desk: Desk, *, people: int, upstream: int) -> Iterator[list["Future[int]"]]:
    """So many people ask for pages that nobody has seen while ByCloud hangs; `upstream` of them get as far as there."""
    desk.upstream.clear()
    desk.upstream.script(times=None, delay=DEADLINE_SECONDS + 3, match="hangs")
    with ThreadPoolExecutor(people) as pool:
        waiting = [pool.submit(desk.ask, f"?name=hangs-{one}%2A") for one in range(people)]
        until = monotonic() + DEADLINE_SECONDS / 2
        while desk.count_requests() < upstream and monotonic() < until:
            sleep(0.02)
        yield waiting


def test_warm_pages_are_answered_while_24_people_wait(desk: Desk) -> None:
    with people_waiting(desk, people=24, upstream=24) as waiting:
        assert desk.count_requests() == 24
        assert [desk.ask() for _ in range(5)] == [200] * 5
        assert not any(one.done() for one in waiting)
    assert {one.result() for one in waiting} == {504}


def test_whoever_finds_no_place_is_told_at_once_and_warm_pages_are_answered(desk: Desk) -> None:
    with people_waiting(desk, people=PLACES + 12, upstream=PLACES) as waiting:
        assert desk.count_requests() == PLACES
        assert [desk.ask() for _ in range(5)] == [200] * 5
        until = monotonic() + DEADLINE_SECONDS / 2
        while sum(one.done() for one in waiting) < 12 and monotonic() < until:
            sleep(0.02)
        assert sum(one.done() for one in waiting) == 12
    assert [one.result() for one in waiting].count(504) == PLACES
