"""A hanging ByCloud blocks only the requests that wait for it: real gunicorn, real sockets, one process."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, sleep

import pytest

from tests.benchmarks.stage import Server, control, count_requests, stage

DEADLINE_SECONDS = 6
THREADS = 52
# One person takes half of the places.
PLACES = (THREADS - 4) // 2


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[Server, str]]:
    """The portal with a page of two regions in its store, and the sandbox that both are."""
    with stage() as scene:
        sandbox = scene.start_sandbox()
        limits = {"BYCLOUD_DEADLINE_SECONDS": str(DEADLINE_SECONDS), "WEB_THREADS": str(THREADS)}
        scene.prepare({"spo1": sandbox, "sao2": sandbox}, **limits)
        portal = scene.start_portal()
        assert [ask(portal, list_of(region)) for region in ("spo1", "sao2")] == [200, 200]
        yield portal, sandbox


def list_of(region: str) -> str:
    return f"/{region}/instances/"


def ask(portal: Server, path: str) -> int:
    with portal.connect() as wire:
        return wire.ask(portal.request(path)).status


@contextmanager
def people_waiting(
    portal: Server, sandbox: str, *, region: str, people: int, upstream: int
) -> Iterator[list["Future[int]"]]:
    """So many people ask for pages that nobody has seen while ByCloud hangs; `upstream` of them get as far as there."""
    control(sandbox, "DELETE", "requests")
    control(sandbox, "POST", "faults", {"times": None, "delay": DEADLINE_SECONDS + 3, "match": "hangs"})
    with ThreadPoolExecutor(people) as pool:
        waiting = [pool.submit(ask, portal, f"{list_of(region)}?name=hangs-{one}%2A") for one in range(people)]
        until = monotonic() + DEADLINE_SECONDS / 2
        while count_requests(sandbox) < upstream and monotonic() < until:
            sleep(0.02)
        yield waiting
    control(sandbox, "DELETE", "faults")


def test_warm_pages_are_answered_while_24_people_wait(upstream: tuple[Server, str]) -> None:
    portal, sandbox = upstream
    with people_waiting(portal, sandbox, region="spo1", people=24, upstream=24) as waiting:
        assert count_requests(sandbox) == 24
        assert [ask(portal, list_of("spo1")) for _ in range(5)] == [200] * 5
        assert not any(one.done() for one in waiting)
    assert {one.result() for one in waiting} == {504}


def test_whoever_finds_no_place_is_told_at_once_and_warm_pages_are_answered(upstream: tuple[Server, str]) -> None:
    portal, sandbox = upstream
    with people_waiting(portal, sandbox, region="sao2", people=PLACES + 12, upstream=PLACES) as waiting:
        assert count_requests(sandbox) == PLACES
        assert [ask(portal, list_of("sao2")) for _ in range(5)] == [200] * 5
        until = monotonic() + DEADLINE_SECONDS / 2
        while sum(one.done() for one in waiting) < 12 and monotonic() < until:
            sleep(0.02)
        assert sum(one.done() for one in waiting) == 12
    assert [one.result() for one in waiting].count(504) == PLACES
