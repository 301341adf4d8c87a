from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest
import time_machine
from cachetools import LRUCache
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, InstanceQuery, RateLimited, Region, Unauthorized
from portal.gateway import ApiSession, FetchFailed, FetchPolicy, backoff, check_credential, rate_limit, read_page
from portal.gateway.backoff import find_backoff, record_failure, reset_local_state
from portal.gateway.cache import lock_name
from portal.gateway.results import FetchError
from portal.sandbox.server import Sandbox
from tests.upstream import Upstream

FIRST = InstanceQuery()
OTHER = InstanceQuery(limit=5)


def fail(access: ApiSession, query: InstanceQuery = FIRST, policy: FetchPolicy = FetchPolicy.RETRY) -> FetchFailed:
    with pytest.raises(FetchFailed) as failure:
        read_page(access, query, policy=policy)
    return failure.value


def test_only_an_explicit_retry_goes_upstream_during_backoff(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(times=2, status=500)
    first = fail(acme, policy=FetchPolicy.CACHE_FIRST)
    assert first.error.retry_at == datetime.now(UTC) + timedelta(seconds=1)
    for policy in (FetchPolicy.CACHE_FIRST, FetchPolicy.REVALIDATE, FetchPolicy.SCAN):
        assert fail(acme, OTHER, policy).error == first.error
    assert len(upstream.requests()) == 1
    fail(acme, OTHER, FetchPolicy.RETRY)
    assert len(upstream.requests()) == 2


def test_the_pause_grows_to_a_minute_and_a_success_ends_it(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(times=8, status=500)
    pauses = []
    for _ in range(8):
        error = fail(acme).error
        assert error.retry_at is not None
        pauses.append((error.retry_at - error.at).total_seconds())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert read_page(acme, FIRST, policy=FetchPolicy.RETRY).error is None
    assert find_backoff(acme, FetchPolicy.CACHE_FIRST) is None
    assert read_page(acme, OTHER).value.instances


def test_requests_that_fail_together_count_as_one_failure(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(times=8, status=500, delay=0.3)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda size: fail(acme, InstanceQuery(limit=size)), range(1, 9)))
    pause = find_backoff(acme, FetchPolicy.CACHE_FIRST)
    assert pause is not None
    assert pause.failures == 1


@pytest.mark.parametrize("later", [{"status": 200}, {"status": 500}, {"status": 503, "times": 3}])
@pytest.mark.parametrize(
    ("first", "kind"),
    [({"status": 429, "headers": {"Retry-After": "30"}}, "rate-limited"), ({"status": 401}, "rejected")],
)
def test_an_answer_that_was_under_way_does_not_cut_a_longer_pause_short(
    acme: ApiSession, upstream: Upstream, first: dict[str, object], kind: str, later: dict[str, object]
) -> None:
    upstream.script(match="limit=1", **first)
    upstream.script(match="limit=2", delay=0.5, **later)

    def ask(limit: int) -> None:
        with suppress(FetchFailed):
            read_page(acme, InstanceQuery(limit=limit))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, (2, 1)))
    assert len(upstream.requests()) == 2
    pause = find_backoff(acme, FetchPolicy.CACHE_FIRST)
    assert pause is not None
    assert pause.error.kind == kind
    fail(acme, FIRST, FetchPolicy.FORCE)
    assert len(upstream.requests()) == 2


def test_after_the_pause_anyone_may_ask(acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller) -> None:
    upstream.script(status=500)
    fail(acme)
    clock.shift(timedelta(seconds=1))
    assert read_page(acme, OTHER).value.instances


@pytest.mark.parametrize("policy", [FetchPolicy.CACHE_FIRST, FetchPolicy.RETRY, FetchPolicy.FORCE])
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_is_obeyed_by_everyone(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, status: int, policy: FetchPolicy
) -> None:
    upstream.script(status=status, headers={"Retry-After": "30"})
    fail(acme)
    clock.shift(timedelta(seconds=29))
    error = fail(acme, OTHER, policy).error
    assert error.status == status
    assert error.retry_at == datetime.now(UTC) + timedelta(seconds=1)
    assert len(upstream.requests()) == 1
    clock.shift(timedelta(seconds=2))
    assert read_page(acme, OTHER, policy=policy).value.instances


def test_a_refused_credential_is_not_tried_again_and_what_was_seen_stays_readable(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    seen = read_page(acme, FIRST)
    clock.shift(timedelta(minutes=1))
    upstream.script(status=401)
    refused = read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert refused.value == seen.value
    assert refused.error is not None
    assert refused.error.kind == "rejected"
    clock.shift(timedelta(hours=1))
    assert read_page(acme, FIRST, policy=FetchPolicy.FORCE).error == refused.error
    assert fail(acme, OTHER, FetchPolicy.FORCE).error == refused.error
    assert len(upstream.requests()) == 2


def test_a_refused_credential_is_not_tried_again_for_weeks(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(status=401)
    fail(acme)
    reset_local_state()
    clock.shift(timedelta(days=29))
    assert fail(acme, policy=FetchPolicy.FORCE).error.kind == "rejected"
    assert len(upstream.requests()) == 1


@pytest.mark.parametrize(
    "fault", [{"status": 401}, {"status": 429, "headers": {"Retry-After": "30"}}], ids=["refused", "a named time"]
)
def test_a_pause_is_not_lost_with_the_cache_and_is_entered_again(
    acme: ApiSession, upstream: Upstream, fault: dict[str, object]
) -> None:
    upstream.script(**fault)
    first = fail(acme).error
    caches["counters"].clear()
    assert fail(acme, OTHER, FetchPolicy.FORCE).error == first
    # From the cache alone, as another process finds it.
    reset_local_state()
    assert fail(acme, OTHER, FetchPolicy.FORCE).error == first
    assert len(upstream.requests()) == 1


def test_a_backoff_that_comes_back_with_the_cache_after_its_end_holds_no_request_back(
    acme: ApiSession, upstream: Upstream
) -> None:
    upstream.script(status=401)
    fail(acme)
    key = f"backoff:{acme.cache_namespace}"
    kept = caches["counters"].get(key)
    caches["counters"].clear()
    check_credential(acme)
    caches["counters"].set(key, kept)
    assert read_page(acme, FIRST, policy=FetchPolicy.FORCE).error is None
    reset_local_state()
    assert find_backoff(acme, FetchPolicy.CACHE_FIRST) is None


def test_a_refusal_that_was_ended_is_not_entered_again_by_who_knows_only_of_the_refusal(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(status=401)
    fail(acme)
    check_credential(acme)
    ended = caches["counters"].get(f"backoff:{acme.cache_namespace}")
    clock.shift(timedelta(days=29))
    assert caches["counters"].get(f"backoff:{acme.cache_namespace}") == ended


def test_a_process_remembers_a_bounded_number_of_them(
    acme: ApiSession, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "_known", LRUCache(2))
    first, *_, last = rejected = [ApiSession(acme.region, BearerToken(f"token-{number}")) for number in range(3)]
    for session in rejected:
        fail(session)
    caches["counters"].clear()
    fail(last)
    assert len(upstream.requests()) == 3
    fail(first)
    assert len(upstream.requests()) == 4


def test_a_pause_that_another_version_of_the_portal_wrote_is_none(acme: ApiSession) -> None:
    caches["counters"].set(f"backoff:{acme.cache_namespace}", b"\xc1")
    assert find_backoff(acme, FetchPolicy.CACHE_FIRST) is None


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_time_that_bycloud_names_is_known_to_all_at_once(acme: ApiSession, upstream: Upstream, status: int) -> None:
    upstream.script(status=status, headers={"Retry-After": "3"})
    first = fail(acme).error
    assert fail(acme, OTHER, FetchPolicy.FORCE).error == first
    assert len(upstream.requests()) == 1


@pytest.mark.parametrize("scope", ["credential", "region"])
def test_too_many_requests_hold_back_all_who_share_the_rate_limit(
    acme: ApiSession, globex: ApiSession, upstream: Upstream, settings: Settings, scope: str
) -> None:
    settings.BYCLOUD_RATE_SCOPE = scope
    upstream.script(status=429, headers={"Retry-After": "30", "X-RateLimit-Limit": None})
    refused = fail(acme).error
    if scope == "region":
        assert fail(globex).error == refused
    else:
        assert read_page(globex, FIRST).value.instances
    assert fail(acme).error == refused


def test_a_time_that_bycloud_names_goes_before_a_longer_pause_of_their_own(
    acme: ApiSession, globex: ApiSession, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_RATE_SCOPE = "region"
    upstream.script(status=401)
    fail(acme)
    upstream.script(status=429, headers={"Retry-After": "30", "X-RateLimit-Limit": None})
    fail(globex)
    upstream.clear()
    with pytest.raises(RateLimited):
        check_credential(acme)
    assert upstream.requests() == []


@pytest.mark.parametrize("scope", ["credential", "region"])
def test_a_rejected_credential_stops_no_other_in_any_scope(
    acme: ApiSession, globex: ApiSession, upstream: Upstream, settings: Settings, scope: str
) -> None:
    settings.BYCLOUD_RATE_SCOPE = scope
    upstream.script(status=401)
    fail(acme)
    assert read_page(globex, FIRST).value.instances
    assert fail(acme, policy=FetchPolicy.FORCE).error.kind == "rejected"


def test_a_backoff_that_begins_while_a_request_waits_for_the_rate_limit_holds_the_request_back(
    acme: ApiSession, upstream: Upstream
) -> None:
    now = datetime.now(UTC)
    refusal = FetchError(kind="rejected", at=now, message="refused", status=401)
    rate_limit_lock = f"rate-limit:{acme.cache_namespace}:lock"
    caches["counters"].add(rate_limit_lock, b"held", 60)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fail, acme)
        until = monotonic() + 5
        while caches["counters"].get(acme.make_key(lock_name(FIRST))) is None and monotonic() < until:
            sleep(0.01)
        record_failure(acme, refusal, began_at=now)
        caches["counters"].delete(rate_limit_lock)
        assert asked.result().error == refusal
    assert upstream.requests() == []


def test_another_credential_is_not_held_back(acme: ApiSession, globex: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=401)
    fail(acme)
    assert read_page(globex, FIRST).value.instances


def test_saving_the_same_credential_again_ends_its_pause(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=401)
    fail(acme)
    check_credential(acme)
    assert read_page(acme, FIRST).value.instances


def test_a_credential_that_a_check_has_seen_refused_is_not_tried_again(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=401)
    with pytest.raises(Unauthorized):
        check_credential(acme)
    assert fail(acme).error.kind == "rejected"
    assert len(upstream.requests()) == 1


def test_a_retry_after_holds_for_checks_and_from_checks(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(status=429, headers={"Retry-After": "30"})
    until = datetime.now(UTC) + timedelta(seconds=30)
    with pytest.raises(RateLimited):
        check_credential(acme)
    assert fail(acme, policy=FetchPolicy.FORCE).error.retry_at == until
    with pytest.raises(RateLimited) as refusal:
        check_credential(acme)
    assert refusal.value.retry_at == until
    assert len(upstream.requests()) == 1
    clock.move_to(until + timedelta(seconds=1))
    check_credential(acme)


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_of_one_request_holds_nothing_else_back(acme: ApiSession, upstream: Upstream, status: int) -> None:
    upstream.script(status=status)
    assert fail(acme).error.retry_at is None
    assert read_page(acme, OTHER).value.instances


@pytest.mark.parametrize("policy", [FetchPolicy.REVALIDATE, FetchPolicy.REVALIDATE_FAST, FetchPolicy.SCAN])
@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 404}, {"mode": "html"}], ids=str)
def test_open_pages_together_ask_no_more_often_for_a_page_that_fails_than_for_one_that_does_not(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, policy: FetchPolicy, fault: dict[str, object]
) -> None:
    upstream.script(times=None, **fault)
    for _ in range(20):
        fail(acme, policy=policy)
    assert len(upstream.requests()) == 1
    clock.shift(timedelta(seconds=15))
    fail(acme, policy=policy)
    assert len(upstream.requests()) == 2
    fail(acme, policy=FetchPolicy.RETRY)
    assert len(upstream.requests()) == 3


def test_so_it_is_for_a_page_that_was_seen_before(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    seen = read_page(acme, FIRST)
    clock.shift(timedelta(hours=1))
    upstream.clear()
    upstream.script(times=None, mode="html")
    for _ in range(20):
        shown = read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
        assert shown.value == seen.value
        assert shown.error
    assert len(upstream.requests()) == 1


def test_a_failure_is_told_though_there_is_no_turn_to_pay_for_a_further_try(
    acme: ApiSession, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "TURN_SECONDS", 0.05)
    upstream.script(status=502, delay=0.5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fail, acme)
        until = monotonic() + 5
        while not upstream.requests() and monotonic() < until:
            sleep(0.01)
        caches["counters"].add(f"rate-limit:{acme.cache_namespace}:lock", b"held", 60)
        error = asked.result().error
    assert (error.kind, error.status) == ("server-fault", 502)


def test_an_unreachable_region_pauses_too(sandbox: Sandbox) -> None:
    nowhere = ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))
    error = fail(nowhere).error
    assert error.kind == "unreachable"
    assert error.retry_at is not None
