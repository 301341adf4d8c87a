"""Redis stops and restarts during use: all requests are answered, the rate limit holds, and sharing resumes."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import requests

from portal.gateway.failover_cache import RETRY_SECONDS
from portal.gateway.request_log import SETTLE_SECONDS
from tests.services.portals import LIST, House, list_ids
from tests.services.servers import Redis
from tests.upstream import Upstream

PEOPLE = 8
# Whoever asks has an answer by then, whatever happens.
DEADLINE_SECONDS = 10
PAGES = ("", "?limit=50", "?name=web-%2A", "?status=ACTIVE")


@dataclass
class Work:
    """What people were answered, in the order of the answers: status, seconds, path."""

    answers: list[tuple[int, float, str]] = field(default_factory=list)

    def statuses(self) -> set[int]:
        return {status for status, _, _ in self.answers}


@contextmanager
def working(ask: Callable[[int], requests.Response]) -> Iterator[Work]:
    """People who ask without a rest for as long as the block lasts; each is given a number that grows."""
    work, is_over = Work(), Event()

    def go_on(person: int) -> None:
        number = person
        while not is_over.is_set():
            began_at = time.monotonic()
            page = ask(number)
            work.answers.append((page.status_code, time.monotonic() - began_at, page.url))
            number += PEOPLE

    with ThreadPoolExecutor(PEOPLE) as pool:
        people = [pool.submit(go_on, person) for person in range(PEOPLE)]
        try:
            yield work
        finally:
            is_over.set()
        for person in people:
            person.result()


def test_every_request_is_answered_while_redis_goes_hangs_and_comes(
    house: House, own_redis: Redis, upstream: Upstream
) -> None:
    with house.open_portals(2, CACHE_URL=own_redis.url, PAGE_FRESH_SECONDS="1") as portals:
        otto = house.sign_in(portals[0], "otto")

        def ask(number: int) -> requests.Response:
            page = LIST + PAGES[number % len(PAGES)]
            return portals[number // len(PAGES) % 2].get(page, otto, Portal_Refresh=str(number % 3 % 2))

        with working(ask) as work:
            time.sleep(1)
            own_redis.stop()
            answered_before = len(work.answers)
            time.sleep(1.5)
            for portal in portals:
                signed_in, cookie = portal.try_to_sign_in("vera", house.password)
                assert signed_in.status_code == 302
                assert portal.get(LIST, cookie).status_code == 200
                assert portal.get("/health/ready/").status_code == 200
            assert len(work.answers) > answered_before
            own_redis.start()
            time.sleep(RETRY_SECONDS + 0.5)
            own_redis.hang()
            time.sleep(2)
            own_redis.go_on()
            time.sleep(RETRY_SECONDS + 0.5)
        assert work.statuses() == {200}
        assert max(seconds for _, seconds, _ in work.answers) < DEADLINE_SECONDS

        upstream.clear()
        fetched, shared = (portal.get(f"{LIST}?name=db-%2A", otto) for portal in portals)
        assert list_ids(fetched) == list_ids(shared) != []
        assert len(upstream.requests()) == 1
        for portal in portals:
            assert portal.log.read_text(encoding="utf-8").count('"cache_server_back"') >= 1


def test_the_budget_of_all_together_holds_through_an_outage(house: House, own_redis: Redis, upstream: Upstream) -> None:
    limit = 40
    # A ByCloud that says nothing of its own count: the portals must know by themselves.
    upstream.script(times=None, headers=dict.fromkeys(("X-RateLimit-Limit", "X-RateLimit-Remaining")))
    with house.open_portals(2, CACHE_URL=own_redis.url, BYCLOUD_RATE_PER_MINUTE=str(limit)) as portals:
        otto = house.sign_in(portals[0], "otto")
        for portal in portals:
            assert portal.get(LIST, otto).status_code == 200
        time.sleep(SETTLE_SECONDS + 0.5)
        began_at = time.monotonic()
        # One has spent most of it while the other looked on.
        for number in range(28):
            assert portals[0].get(f"{LIST}?name=early-{number}", otto).status_code == 200
        assert portals[1].get(LIST, otto).status_code == 200
        own_redis.stop()

        def ask(number: int) -> requests.Response:
            return portals[number % 2].get(f"{LIST}?name=new-{number}", otto)

        with working(ask) as work:
            time.sleep(3)
            spent_alone = len(upstream.requests())
            own_redis.start()
            time.sleep(1.5 * RETRY_SECONDS)
            spent_soon_after = len(upstream.requests())
            until = time.monotonic() + 3 * SETTLE_SECONDS
            while len(upstream.requests()) < limit and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(1)
        spent = len(upstream.requests())
        # All of it within a minute, so this is what ByCloud would have counted.
        assert time.monotonic() - began_at < 55
        assert work.statuses() == {200, 503}
        # The eleven that were left were divided, and what did not divide is there when all know of all again.
        assert spent_alone == 29 + 5 + 5
        assert spent_alone <= spent_soon_after <= spent <= limit
        assert spent == limit
