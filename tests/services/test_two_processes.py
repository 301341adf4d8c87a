"""Two portals with a shared PostgreSQL, Redis and ByCloud behave as one."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
import requests

from portal.gateway.locks import LOCK_SECONDS
from tests.services.portals import LIST, Deployment, Portal, list_ids
from tests.services.servers import Redis
from tests.upstream import Upstream

Pair = tuple[Portal, Portal]
AT_ONCE = 100
# For two processes that have just started, and share two cores with all other tests.
SOME_AT_ONCE = 40
A_FEW = 12
POOLED = 16


def test_a_hundred_requests_at_once_for_a_cold_page_are_one_upstream(
    deployment: Deployment, pair: Pair, upstream: Upstream
) -> None:
    otto = deployment.sign_in(pair[0], "otto")
    upstream.script(delay=0.2, times=None)
    start = Barrier(AT_ONCE)

    def ask(number: int) -> requests.Response:
        start.wait()
        return pair[number % 2].get(f"{LIST}?limit=50", otto)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pages = list(pool.map(ask, range(AT_ONCE)))
    assert [page.status_code for page in pages] == [200] * AT_ONCE
    assert len({tuple(list_ids(page)) for page in pages}) == 1
    assert len(list_ids(pages[0])) == 50
    assert len(upstream.requests()) == 1


@pytest.mark.slow
def test_two_workers_of_one_gunicorn_share_too(
    deployment: Deployment, pair: Pair, shared_redis: Redis, upstream: Upstream
) -> None:
    settings = {"WEB_CONCURRENCY": "2", "PORTAL_PROCESSES": "2"}
    with deployment.open_portals(1, CACHE_URL=shared_redis.url, **settings) as (portal,):
        otto = deployment.sign_in(portal, "otto")
        upstream.script(delay=0.2, times=None)
        with ThreadPoolExecutor(A_FEW) as pool:
            pages = list(pool.map(lambda _: portal.get(f"{LIST}?name=web-%2A", otto), range(A_FEW)))
        assert [page.status_code for page in pages] == [200] * A_FEW
        log = portal.log.read_text(encoding="utf-8")
        assert len(upstream.requests()) == 1, [
            line for line in log.splitlines() if "bycloud_request" in line or "cache_server" in line
        ]


def test_people_who_wait_for_a_hanging_bycloud_hold_no_database_connection(
    deployment: Deployment, pair: Pair, upstream: Upstream
) -> None:
    otto = deployment.sign_in(pair[0], "otto")
    assert pair[0].get(LIST, otto).status_code == 200
    upstream.script(delay=12, times=None, match="hangs")
    with ThreadPoolExecutor(SOME_AT_ONCE) as pool:
        waiting = [pool.submit(pair[one % 2].get, f"{LIST}?name=hangs-{one}", otto) for one in range(SOME_AT_ONCE)]
        # Each has passed sign-in and found its credential, all over the few connections of two processes.
        wait_for_requests(upstream, SOME_AT_ONCE + 1)
        with psycopg.connect(deployment.database_url) as connection:
            found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            row = found.fetchone()
        assert row is not None
        assert row[0] - 1 <= len(pair) * POOLED
        assert pair[0].get(LIST, otto).status_code == 200
        assert not any(one.done() for one in waiting)
        upstream.clear()
    assert {one.result().status_code for one in waiting} == {504}
    # Together they are one failure, whose backoff ends by itself before the next test.
    until = time.monotonic() + 20
    while any(portal.get(f"{LIST}?name=next", otto).status_code != 200 for portal in pair):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_one_has_fetched_the_other_shows(deployment: Deployment, pair: Pair, upstream: Upstream) -> None:
    otto = deployment.sign_in(pair[0], "otto")
    first, second = (portal.get(LIST, otto) for portal in pair)
    assert list_ids(first) == list_ids(second) != []
    assert len(upstream.requests()) == 1
    assert pair[1].get(f"{LIST}{list_ids(first)[0]}/", otto).status_code == 200
    assert len(upstream.requests()) == 1


def test_a_fetcher_that_is_killed_frees_the_others_within_seconds(
    deployment: Deployment, pair: Pair, shared_redis: Redis, upstream: Upstream
) -> None:
    otto = deployment.sign_in(pair[0], "otto")
    upstream.script(delay=60)
    with (
        deployment.open_portals(1, CACHE_URL=shared_redis.url, BYCLOUD_DEADLINE_SECONDS="60") as (doomed,),
        ThreadPoolExecutor() as pool,
    ):
        fetching = pool.submit(doomed.get, LIST, otto)
        wait_for_requests(upstream, 1)
        waiting = pool.submit(pair[0].get, LIST, otto)
        # Longer than a lock lives that is not renewed.
        time.sleep(LOCK_SECONDS + 0.5)
        assert not waiting.done()
        assert len(upstream.requests()) == 1
        doomed.kill()
        # Long before the deadline of the one that is gone.
        page = waiting.result(30)
        assert (page.status_code, len(list_ids(page))) == (200, 20)
        assert len(upstream.requests()) == 2
        assert isinstance(fetching.exception(), requests.ConnectionError)


def test_they_share_one_rate_limit(deployment: Deployment, pair: Pair, shared_redis: Redis, upstream: Upstream) -> None:
    otto = deployment.sign_in(pair[0], "otto")
    with deployment.open_portals(2, CACHE_URL=shared_redis.url, BYCLOUD_RATE_PER_MINUTE="20") as portals:
        portals[0].get(LIST, otto)
        with ThreadPoolExecutor(8) as pool:
            pages = list(pool.map(lambda turn: portals[turn % 2].get(f"{LIST}?name=page-{turn}", otto), range(30)))
        assert sorted(page.status_code for page in pages) == [200] * 19 + [503] * 11
        assert len(upstream.requests()) == 20
        refused = next(page for page in pages if page.status_code == 503)
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert "Paused for" in refused.text
        shown = portals[0].get(LIST, otto)
        assert shown.status_code == 200
        assert "<span data-minute-used>20</span> of <span data-minute-limit>20</span>" in shown.text


def test_they_share_one_backoff_and_what_one_knows_of_a_token(
    deployment: Deployment, own_pair: Pair, upstream: Upstream
) -> None:
    otto = deployment.sign_in(own_pair[0], "otto")
    upstream.script(status=429, headers={"Retry-After": "30"})
    first = own_pair[0].get(LIST, otto)
    second = own_pair[1].get(f"{LIST}?limit=50", otto)
    assert (first.status_code, second.status_code) == (503, 503)
    # Rounded up, by a clock that may be a moment behind the other's.
    assert 0 < int(second.headers["Retry-After"]) <= 31
    assert len(upstream.requests()) == 1
    # Another credential goes on, until it is refused: the other process does not try it then.
    vera = deployment.sign_in(own_pair[0], "vera")
    seen = own_pair[1].get(LIST, vera)
    assert seen.status_code == 200
    upstream.script(status=401)
    assert own_pair[0].get(f"{LIST}?limit=50", vera).status_code == 403
    assert own_pair[1].get(f"{LIST}?limit=100", vera).status_code == 403
    assert list_ids(own_pair[0].get(LIST, vera)) == list_ids(seen)
    assert len(upstream.requests()) == 3


def test_failed_sign_ins_are_counted_by_both_together(deployment: Deployment, pair: Pair) -> None:
    for turn in range(5):
        refused, _ = pair[turn % 2].try_to_sign_in("mira", "wrong")
        assert "Incorrect user name" in refused.text
    for portal in pair:
        refused, _ = portal.try_to_sign_in("mira", deployment.password)
        assert refused.status_code == 200
        assert "Too many failed attempts" in refused.text
    answer, _ = pair[1].try_to_sign_in("vera", deployment.password)
    assert answer.status_code == 302


def wait_for_requests(upstream: Upstream, count: int) -> None:
    until = time.monotonic() + 20
    while len(upstream.requests()) < count and time.monotonic() < until:
        time.sleep(0.02)
    assert len(upstream.requests()) == count
