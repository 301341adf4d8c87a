"""Redis stops and restarts during use: all requests are answered, each portal keeps to its share of the limit."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import pytest
import requests

from portal.gateway.failover_cache import RETRY_SECONDS
from tests.services.portals import LIST, Deployment, Portal, list_ids
from tests.services.servers import Redis
from tests.upstream import Upstream

PEOPLE = 4
# Between two questions of one of them: without it, they would take all the CPU there is.
PAUSE_SECONDS = 0.05
# By then each request is answered, whatever happens.
# Half a minute of waiting for what Redis does; `test_failover.py` shows the parts.
pytestmark = pytest.mark.slow

DEADLINE_SECONDS = 20
PAGES = ("", "?limit=50", "?name=web-%2A", "?status=ACTIVE")


@dataclass
class Work:
    """What people were answered, in the order of the answers: status, seconds, path."""

    answers: list[tuple[int, float, str]] = field(default_factory=list)

    def statuses(self) -> set[int]:
        return {status for status, _, _ in self.answers}


@contextmanager
def working(ask: Callable[[int], requests.Response]) -> Iterator[Work]:
    """People who ask again and again for as long as the block lasts; each is given a number that grows."""
    work, is_over = Work(), Event()

    def go_on(person: int) -> None:
        number = person
        while not is_over.is_set():
            began_at = time.monotonic()
            page = ask(number)
            work.answers.append((page.status_code, time.monotonic() - began_at, page.url))
            number += PEOPLE
            is_over.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(PEOPLE) as pool:
        people = [pool.submit(go_on, person) for person in range(PEOPLE)]
        try:
            yield work
        finally:
            is_over.set()
        for person in people:
            person.result()


def has_logged(portals: Sequence[Portal], *words: str, times: int = 1) -> bool:
    """Whether each of them has written at least so many lines with these words."""
    logs = [portal.log.read_text(encoding="utf-8").splitlines() for portal in portals]
    return all(sum(all(word in line for word in words) for line in log) >= times for log in logs)


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
    assert is_so()


def test_every_request_is_answered_while_redis_goes_hangs_and_comes(
    deployment: Deployment, own_redis: Redis, upstream: Upstream
) -> None:
    with deployment.open_portals(2, CACHE_URL=own_redis.url, PAGE_FRESH_SECONDS="1") as portals:
        otto = deployment.sign_in(portals[0], "otto")

        def ask(number: int) -> requests.Response:
            page = LIST + PAGES[number % len(PAGES)]
            return portals[number // len(PAGES) % 2].get(page, otto, Portal_Refresh=str(number % 3 % 2))

        with working(ask) as work:
            wait_until(lambda: len(work.answers) > PEOPLE)
            own_redis.stop()
            wait_until(lambda: has_logged(portals, "cache_server_away"))
            answered_before = len(work.answers)
            for portal in portals:
                signed_in, cookie = portal.try_to_sign_in("vera", deployment.password)
                assert signed_in.status_code == 302
                assert portal.get(LIST, cookie).status_code == 200
                assert portal.get("/health/ready/").status_code == 200
            wait_until(lambda: len(work.answers) > answered_before)
            own_redis.start()
            wait_until(lambda: has_logged(portals, "cache_server_back"))
            own_redis.hang()
            wait_until(lambda: has_logged(portals, "cache_server_away", "TimeoutError"))
            own_redis.go_on()
            wait_until(lambda: has_logged(portals, "cache_server_back", times=2))
        assert work.statuses() == {200}
        assert max(seconds for _, seconds, _ in work.answers) < DEADLINE_SECONDS

        upstream.clear()
        fetched, shared = (portal.get(f"{LIST}?name=db-%2A", otto) for portal in portals)
        assert list_ids(fetched) == list_ids(shared) != []
        assert len(upstream.requests()) == 1


def test_without_redis_each_portal_keeps_to_its_share_of_the_limit(
    deployment: Deployment, own_redis: Redis, upstream: Upstream
) -> None:
    limit = 8
    # A ByCloud that says nothing of its own count: the portals must know by themselves.
    upstream.script(times=None, headers=dict.fromkeys(("X-RateLimit-Limit", "X-RateLimit-Remaining")))
    with deployment.open_portals(2, CACHE_URL=own_redis.url, BYCLOUD_RATE_PER_MINUTE=str(limit)) as portals:
        otto = deployment.sign_in(portals[0], "otto")

        def ask(portal: Portal, word: str) -> list[int]:
            return [portal.get(f"{LIST}?name={word}-{number}", otto).status_code for number in range(limit + 2)]

        own_redis.stop()
        for number, portal in enumerate(portals):
            assert ask(portal, f"alone-{number}").count(200) == limit / 2
        assert len(upstream.requests()) == limit
        own_redis.start()
        time.sleep(RETRY_SECONDS)
        assert ask(portals[0], "shared").count(200) == limit
        assert set(ask(portals[1], "refused")) == {503}
        assert len(upstream.requests()) == 2 * limit
