"""Machines whose clocks differ by an hour, with a shared Redis; and a change of Redis's own clock."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, Region
from portal.gateway import ApiSession, RateLimitReached, clock, failover_cache, read_meter
from portal.gateway.backoff import end_backoff, is_credential_rejected, record_failure, reset_local_state
from portal.gateway.failover_cache import FailoverCache
from portal.gateway.rate_limit import acquire_call
from portal.gateway.results import FetchError, Priority
from tests.services.conftest import use_redis
from tests.services.portals import LIST, Deployment, Portal, list_ids
from tests.services.servers import Redis
from tests.upstream import Upstream

ACCESS = ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))
APART = [pytest.param(3600, id="an hour fast"), pytest.param(-3600, id="an hour slow")]
# Python runs it before anything else: the whole process has another time of day, and the same seconds.
ANOTHER_CLOCK = """
import os
from datetime import UTC, datetime, timedelta
import time_machine
time_machine.travel(datetime.now(UTC) + timedelta(seconds=int(os.environ["SECONDS_AHEAD"])), tick=True).start()
"""


@pytest.fixture(params=APART)
def apart(
    request: pytest.FixtureRequest, deployment: Deployment, own_redis: Redis, upstream: Upstream, tmp_path: Path
) -> Iterator[tuple[Portal, Portal, str, str]]:
    """A portal by the right time and one by a wrong one, with the cookie of a member for each."""
    (tmp_path / "sitecustomize.py").write_text(ANOTHER_CLOCK, encoding="utf-8")
    shared = {"CACHE_URL": own_redis.url, "PORTAL_PROCESSES": "2", "BYCLOUD_RATE_PER_MINUTE": "30"}
    odd = {"PYTHONPATH": str(tmp_path), "SECONDS_AHEAD": str(request.param)}
    fresh = {"PAGE_FRESH_SECONDS": "60"}
    with (
        deployment.open_portals(1, **shared, **fresh) as (right,),
        deployment.open_portals(1, **shared, **fresh, **odd) as (wrong,),
    ):
        told = parsedate_to_datetime(wrong.get("/health/live/").headers["Date"])
        assert abs((told - datetime.now(UTC)).total_seconds() - request.param) < 60
        cookie, other_cookie = (portal.try_to_sign_in("otto", deployment.password)[1] for portal in (right, wrong))
        yield right, wrong, cookie, other_cookie


@pytest.mark.slow
def test_two_machines_an_hour_apart_agree_on_ages_backoff_and_the_rate_limit(
    apart: tuple[Portal, Portal, str, str], deployment: Deployment, upstream: Upstream
) -> None:
    right, wrong, right_cookie, wrong_cookie = apart
    pairs = ((wrong, wrong_cookie, right, right_cookie), (right, right_cookie, wrong, wrong_cookie))
    for number, (one, one_cookie, other, other_cookie) in enumerate(pairs):
        asked = len(upstream.requests())
        path = f"{LIST}?limit={(50, 100)[number]}"
        assert len(list_ids(one.get(path, one_cookie))) == (50, 100)[number]
        seen = other.get(path, other_cookie)
        assert re.search(r"just now|\d+ seconds ago", seen.text)
        assert "in 1 hour" not in seen.text
        assert "in 59 minutes" not in seen.text
        assert "data-due" not in seen.text
        assert len(upstream.requests()) == asked + 1
        # A forced refresh is never satisfied by what seems to come from the future.
        other.post(f"{LIST}refresh/", seen, other_cookie, query=path.partition("?")[2])
        assert len(upstream.requests()) == asked + 2
    vera = [portal.try_to_sign_in("vera", deployment.password)[1] for portal in (wrong, right)]
    asked = len(upstream.requests())
    upstream.script(status=429, headers={"Retry-After": "30"})
    for portal, cookie in zip((wrong, right), vera, strict=True):
        held = portal.get(LIST, cookie)
        assert held.status_code == 503
        assert 15 <= int(held.headers["Retry-After"]) <= 31
    assert len(upstream.requests()) == asked + 1
    # Both reckon with what either has sent.
    for number in range(26):
        assert wrong.get(f"{LIST}?name=page-{number}", wrong_cookie).status_code == 200
    for portal, cookie in ((right, right_cookie), (wrong, wrong_cookie)):
        refused = portal.get(f"{LIST}?name=one-more", cookie)
        assert refused.status_code == 503
        assert 1 <= int(refused.headers["Retry-After"]) <= 60


@pytest.fixture
def redis_time(own_redis: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """By how many seconds the clock of Redis has been set; this process has looked at it before."""
    monkeypatch.setattr(clock, "SYNC_SECONDS", 0.0)
    monkeypatch.setattr(failover_cache, "RETRY_SECONDS", 0.3)
    settings.BYCLOUD_RATE_PER_MINUTE = 10
    use_redis(settings, own_redis)
    ahead = {"seconds": 0.0}
    read = FailoverCache.read_time

    def read_time(cache: FailoverCache) -> float | None:
        moment = read(cache)
        return None if moment is None else moment + ahead["seconds"]

    monkeypatch.setattr(FailoverCache, "read_time", read_time)
    clock.now()
    return ahead


def seconds_until(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize("seconds", APART)
def test_a_redis_whose_clock_is_set_stops_no_request(redis_time: dict[str, float], seconds: float) -> None:
    for _ in range(10):
        acquire_call(ACCESS, Priority.PERSON)
    with pytest.raises(RateLimitReached):
        acquire_call(ACCESS, Priority.PERSON)
    before = clock.now()
    redis_time["seconds"] = seconds
    # All follow it, those that run and those that start now, and what was sent before is forgotten.
    assert clock.now() - before == pytest.approx(seconds, abs=5)
    acquire_call(ACCESS, Priority.PERSON)
    clock.reset_local_state()
    assert clock.now() - before == pytest.approx(seconds, abs=5)
    assert read_meter(ACCESS).minute.used == 1
    assert abs(seconds_until(clock.to_wall(clock.read_moment()))) < 2


def test_a_rejection_from_before_the_clock_was_set_ends_for_all(redis_time: dict[str, float]) -> None:
    now = clock.read_moment()
    record_failure(ACCESS, FetchError("rejected", now, "Rejected", 401), began_at=now)
    (rejected,) = caches["counters"].get_many([f"backoff:{ACCESS.cache_namespace}"]).values()
    redis_time["seconds"] = -3600
    end_backoff(ACCESS, is_credential_good=True)
    ended = caches["counters"].get(f"backoff:{ACCESS.cache_namespace}")
    # Another process remembers the rejection, with a time that is now in the future.
    reset_local_state()
    redis_time["seconds"] = 0
    caches["counters"].set(f"backoff:{ACCESS.cache_namespace}", rejected)
    assert is_credential_rejected(ACCESS)
    redis_time["seconds"] = -3600
    caches["counters"].set(f"backoff:{ACCESS.cache_namespace}", ended)
    assert not is_credential_rejected(ACCESS)


def test_without_redis_the_clock_goes_on(redis_time: dict[str, float], own_redis: Redis) -> None:
    redis_time["seconds"] = 3600
    clock.now()
    before = clock.now()
    own_redis.stop()
    assert 0 <= clock.now() - before < 5
