"""A hanging ByCloud blocks only the requests that wait for it: real gunicorn, real sockets, one process."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

import pytest

from tests.services.portals import LIST, Deployment, Portal
from tests.upstream import Upstream

DEADLINE_SECONDS = 6
THREADS = 52
# One member may use half of the slots.
SLOTS = (THREADS - 4) // 2


@dataclass(frozen=True)
class Operator:
    """Otto, signed in, with one list already cached; `upstream` is the ByCloud behind the portal."""

    portal: Portal
    cookie: str
    upstream: Upstream

    def ask(self, query: str = "") -> int:
        return self.portal.get(f"{LIST}{query}", self.cookie).status_code

    def count_requests(self) -> int:
        return len(self.upstream.requests())


@pytest.fixture
def operator(deployment: Deployment) -> Iterator[Operator]:
    deployment.sandbox.reset()
    limits = {"BYCLOUD_DEADLINE_SECONDS": str(DEADLINE_SECONDS), "WEB_THREADS": str(THREADS)}
    with deployment.open_portals(1, **limits) as (portal,):
        operator = Operator(portal, deployment.sign_in(portal, "otto"), Upstream(deployment.sandbox.url))
        assert operator.ask() == 200
        yield operator


@contextmanager
def people_waiting(operator: Operator, *, people: int, upstream: int) -> Iterator[list["Future[int]"]]:
    """So many people ask for pages that no one has seen while ByCloud hangs; `upstream` of them get as far as there."""
    operator.upstream.clear()
    operator.upstream.script(times=None, delay=DEADLINE_SECONDS + 3, match="hangs")
    with ThreadPoolExecutor(people) as pool:
        waiting = [pool.submit(operator.ask, f"?name=hangs-{one}%2A") for one in range(people)]
        until = monotonic() + DEADLINE_SECONDS / 2
        while operator.count_requests() < upstream and monotonic() < until:
            sleep(0.02)
        yield waiting


@pytest.mark.slow
def test_warm_pages_are_answered_while_24_people_wait(operator: Operator) -> None:
    with people_waiting(operator, people=24, upstream=24) as waiting:
        assert operator.count_requests() == 24
        assert [operator.ask() for _ in range(5)] == [200] * 5
        assert not any(one.done() for one in waiting)
    assert {one.result() for one in waiting} == {504}


def test_a_request_without_a_free_slot_fails_at_once_and_warm_pages_are_answered(operator: Operator) -> None:
    with people_waiting(operator, people=SLOTS + 12, upstream=SLOTS) as waiting:
        assert operator.count_requests() == SLOTS
        assert [operator.ask() for _ in range(5)] == [200] * 5
        until = monotonic() + DEADLINE_SECONDS / 2
        while sum(one.done() for one in waiting) < 12 and monotonic() < until:
            sleep(0.02)
        assert sum(one.done() for one in waiting) == 12
    assert [one.result() for one in waiting].count(504) == SLOTS
