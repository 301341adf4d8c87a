"""The gateway over real HTTP: what is requested, what is returned, and with which date."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic, sleep

import msgspec
import pytest
import time_machine
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, InstanceQuery, Region, Unauthorized, Unreachable
from portal.bycloud.cursors import PagePosition
from portal.gateway import (
    ApiSession,
    FetchError,
    FetchFailed,
    FetchPolicy,
    check_credential,
    find_page,
    get_cached,
    read_cached_page,
    read_page,
    set_cached,
)
from portal.gateway.cache import RESPONSE_DECODER, CachedResponse, lock_name, page_name
from tests.upstream import Upstream

FIRST = InstanceQuery()


def ids(access: ApiSession, query: InstanceQuery = FIRST) -> list[str | None]:
    return [instance.id for instance in read_page(access, query).value.instances or ()]


def test_a_fresh_page_costs_no_upstream_request(acme: ApiSession, upstream: Upstream) -> None:
    loaded = read_page(acme, FIRST)
    stored = read_page(acme, FIRST)
    assert len(upstream.requests()) == 1
    assert stored.value == loaded.value
    assert stored.fetched_at == loaded.fetched_at
    assert (loaded.upstream_call.from_store, stored.upstream_call.from_store) == (False, True)
    assert loaded.is_fresh
    assert not loaded.is_due


def test_a_page_says_which_request_is_behind_it(acme: ApiSession) -> None:
    call = read_page(acme, InstanceQuery(name="web-*", limit=5)).upstream_call
    assert call.target == "/v1/instances?name=web-*&limit=5"
    assert call.request_id
    assert call.elapsed_seconds > 0
    assert read_page(acme, FIRST).upstream_call.target == "/v1/instances"


def test_a_stale_page_is_shown_at_once_and_is_due(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    assert read_cached_page(find_page(acme, FIRST)) is None
    loaded = read_page(acme, FIRST)
    clock.shift(timedelta(seconds=15))
    stale = read_page(acme, FIRST)
    assert read_cached_page(find_page(acme, FIRST)) == stale
    assert stale.fetched_at == loaded.fetched_at
    assert not stale.is_fresh
    assert stale.is_due
    assert len(upstream.requests()) == 1


def test_revalidating_loads_a_stale_page_and_leaves_a_fresh_one(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    loaded = read_page(acme, FIRST)
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
    assert len(upstream.requests()) == 1
    clock.shift(timedelta(seconds=15))
    assert read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE).fetched_at > loaded.fetched_at
    assert len(upstream.requests()) == 2


def test_a_page_in_transition_is_fresh_for_a_shorter_time(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    read_page(acme, FIRST)
    clock.shift(timedelta(seconds=4.9))
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE_FAST)
    assert len(upstream.requests()) == 1
    clock.shift(timedelta(seconds=0.1))
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
    assert len(upstream.requests()) == 1
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE_FAST)
    assert len(upstream.requests()) == 2


def test_when_the_rate_limit_runs_short_a_page_in_transition_waits_as_long_as_any(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 10
    read_page(acme, FIRST)
    for _ in range(4):
        read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    clock.shift(timedelta(seconds=5))
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE_FAST)
    assert len(upstream.requests()) == 5
    clock.shift(timedelta(seconds=10))
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE_FAST)
    assert len(upstream.requests()) == 6


def test_refreshes_spread_what_is_left_of_the_hour_evenly(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = settings.BYCLOUD_RATE_PER_HOUR = 100
    settings.BYCLOUD_RATE_RESERVE = 0.2
    began_at = datetime.now(UTC)
    asked_at = []
    # One view that asks every 20 s wants 180 requests an hour, and its share is 80.
    for _ in range(2 * 180):
        before = len(upstream.requests())
        page = read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
        assert page.error is None
        if len(upstream.requests()) > before:
            asked_at.append((datetime.now(UTC) - began_at).total_seconds())
        clock.shift(timedelta(seconds=20))
    assert all(moment - earlier < 200 for earlier, moment in pairwise(asked_at))
    assert all(sum(one - 3600 < other <= one for other in asked_at) <= 80 for one in asked_at)
    assert len(asked_at) >= 150


def test_who_reads_several_pages_by_one_deadline_gets_no_more_time(
    acme: ApiSession, upstream: Upstream, settings: Settings
) -> None:
    upstream.script(delay=9)
    began_at = monotonic()
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST, ends_at=began_at + 0.3)
    assert monotonic() - began_at < 8
    assert failure.value.error.kind == "timed-out"
    # That was impatience, and says nothing of ByCloud: no one is held back.
    assert failure.value.error.retry_at is None
    upstream.clear()
    assert read_page(acme, FIRST).error is None
    with pytest.raises(FetchFailed):
        read_page(acme, InstanceQuery(limit=5), ends_at=monotonic() - 1)
    assert len(upstream.requests()) == 1


def test_who_has_time_does_not_share_the_time_out_of_who_has_little_left(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(delay=1)

    def hurry() -> str:
        with pytest.raises(FetchFailed) as failure:
            read_page(acme, FIRST, ends_at=monotonic() + 0.5)
        return failure.value.error.kind

    with ThreadPoolExecutor(1) as pool:
        hasty = pool.submit(hurry)
        while not caches["counters"].get(acme.make_key(lock_name(FIRST))) and not hasty.done():
            sleep(0.01)
        assert read_page(acme, FIRST).value.instances
    assert hasty.result() == "timed-out"


def test_the_wait_for_the_request_log_is_part_of_the_deadline(
    acme: ApiSession, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_LIMITS = msgspec.structs.replace(settings.BYCLOUD_LIMITS, deadline_seconds=1.2)
    caches["counters"].add(f"rate-limit:{acme.cache_namespace}:lock", b"somebody's", 1)
    upstream.script(delay=1)
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST)
    assert failure.value.error.kind == "timed-out"
    # What was left said nothing of ByCloud.
    assert failure.value.error.retry_at is None


@pytest.mark.parametrize(
    "spelt", ["sandbox-acme-token", r"sandbox-\u0061cme-token", r"\ud800 sandbox-\u0061cme-\u0074oken"]
)
def test_an_answer_that_repeats_the_credential_is_neither_shown_nor_kept(
    acme: ApiSession, upstream: Upstream, spelt: str
) -> None:
    upstream.script(status=200, body='{"instances": [{"id": "a", "name": "' + spelt + '"}]}')
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST)
    assert failure.value.error.kind == "invalid-response"
    assert "sandbox-acme-token" not in repr(failure.value.error)
    assert "sandbox-acme-token" not in repr(caches["pages"].entries)  # type: ignore[attr-defined]


def test_forcing_loads_a_fresh_page_too(acme: ApiSession, upstream: Upstream) -> None:
    read_page(acme, FIRST)
    read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert len(upstream.requests()) == 2


def test_equal_requests_that_arrive_together_are_one_upstream_request(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(delay=0.3)
    with ThreadPoolExecutor(20) as pool:
        pages = list(pool.map(lambda _: read_page(acme, FIRST), range(20)))
    assert len(upstream.requests()) == 1
    assert {page.fetched_at for page in pages} == {pages[0].fetched_at}


def test_equal_requests_that_fail_together_are_one_upstream_request(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(times=None, status=400, delay=0.3)

    def read(_: int) -> FetchError:
        with pytest.raises(FetchFailed) as failure:
            read_page(acme, FIRST)
        return failure.value.error

    with ThreadPoolExecutor(20) as pool:
        errors = list(pool.map(read, range(20)))
    assert len(upstream.requests()) == 1
    assert set(errors) == {errors[0]}


def test_two_credentials_never_see_each_others_rows_under_load(acme: ApiSession, globex: ApiSession) -> None:
    theirs = {acme.cache_namespace: set(ids(acme)), globex.cache_namespace: set(ids(globex))}
    assert not theirs[acme.cache_namespace] & theirs[globex.cache_namespace]
    caches["pages"].clear()

    def read(turn: int) -> bool:
        access = acme if turn % 2 else globex
        return set(ids(access)) == theirs[access.cache_namespace]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(read, range(200)))


def test_an_outage_shows_the_page_that_was_seen_with_the_reason(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, settings: Settings
) -> None:
    loaded = read_page(acme, FIRST)
    clock.shift(timedelta(hours=2))
    upstream.script(times=3, status=503)
    page = read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
    assert page.value == loaded.value
    assert page.fetched_at == loaded.fetched_at
    assert page.error is not None
    assert (page.error.kind, page.error.status) == ("server-fault", 503)
    assert not page.is_due


def test_the_reason_stays_until_upstream_answers_again(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    read_page(acme, FIRST)
    clock.shift(timedelta(minutes=1))
    upstream.script(times=3, status=503)
    read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE)
    remembered = read_page(acme, FIRST)
    assert remembered.error is not None
    clock.shift(timedelta(seconds=15))
    assert read_page(acme, FIRST).is_due
    assert read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE).error is None
    assert read_page(acme, FIRST).error is None


def test_a_failure_with_nothing_stored_is_raised(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=500)
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST)
    assert (failure.value.error.kind, failure.value.error.status) == ("server-fault", 500)
    assert read_page(acme, FIRST, policy=FetchPolicy.RETRY).value.instances


def test_an_answer_that_cannot_be_read_is_not_kept(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=200, body='{"instances": {"id": "a"}}')
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST)
    assert failure.value.error.path == "$.instances"
    assert len(ids(acme)) == 20


def test_a_page_is_kept_for_a_day(acme: ApiSession, clock: time_machine.Traveller, upstream: Upstream) -> None:
    read_page(acme, FIRST)
    clock.shift(timedelta(hours=23, minutes=59))
    upstream.script(times=3, status=503)
    assert read_page(acme, FIRST, policy=FetchPolicy.REVALIDATE).value.instances
    clock.shift(timedelta(minutes=1))
    upstream.script(times=3, status=503)
    with pytest.raises(FetchFailed):
        read_page(acme, FIRST)


def test_a_page_has_its_untouched_json_fetched_or_cached(acme: ApiSession, upstream: Upstream) -> None:
    body = '{"instances": [{ "id":"550e8400-e29b-41d4-a716-446655440000",\n "new_field": 1.50 }, {"name": "no id"}]}'
    upstream.script(status=200, body=body)
    assert read_page(acme, FIRST).body == body.encode()
    again = read_page(acme, FIRST)
    assert again.upstream_call.from_store
    assert again.body == body.encode()


def test_a_good_credential_passes_with_one_small_request(acme: ApiSession, upstream: Upstream) -> None:
    check_credential(acme)
    (request,) = upstream.requests()
    assert request["query"] == "limit=1"


def test_a_refused_credential_says_so(acme: ApiSession) -> None:
    with pytest.raises(Unauthorized):
        check_credential(ApiSession(acme.region, BearerToken("unknown")))


def test_no_connection_is_no_verdict_on_a_credential() -> None:
    with pytest.raises(Unreachable):
        check_credential(ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token")))


def test_neither_keys_nor_values_of_the_store_hold_a_credential(acme: ApiSession) -> None:
    read_page(acme, FIRST)
    cache = caches["pages"]
    held = repr(cache.entries)  # type: ignore[attr-defined]
    assert "sandbox-acme-token" not in held
    assert "web-" in held


def test_what_another_version_kept_is_read_as_nothing(acme: ApiSession) -> None:
    set_cached(acme, "seen", CachedResponse(b"", datetime.now(UTC), "/", 0.1, None))
    assert get_cached(acme, "seen", RESPONSE_DECODER) is not None
    set_cached(acme, "seen", PagePosition(None, 1))
    assert get_cached(acme, "seen", RESPONSE_DECODER) is None


def test_what_another_version_could_read_and_this_one_cannot_is_fetched_anew(
    acme: ApiSession, upstream: Upstream
) -> None:
    def keep(name: str, body: bytes) -> None:
        set_cached(acme, name, CachedResponse(body, datetime.now(UTC), "/", 0.1, None))

    keep(page_name(FIRST), b'{"instances": 5}')
    assert len(ids(acme)) == 20
    assert len(upstream.requests()) == 1


@pytest.mark.parametrize("mode", ["empty-object", "no-instances", "null-page"])
def test_an_answer_without_a_list_is_a_failure_and_takes_no_rows_away(
    acme: ApiSession, upstream: Upstream, mode: str
) -> None:
    upstream.script(mode=mode)
    with pytest.raises(FetchFailed) as caught:
        read_page(acme, FIRST)
    assert (caught.value.error.kind, caught.value.error.path) == ("invalid-response", "$.instances")
    seen = read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    upstream.script(mode=mode)
    again = read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert again.value == seen.value
    assert again.error
    assert again.error.kind == "invalid-response"


@pytest.mark.parametrize("meta", [{"total": 150}, {"total": 150, "has_more": True}, {"has_more": True}], ids=str)
@pytest.mark.parametrize("instances", [[], None], ids=["empty", "null"])
def test_an_empty_list_that_says_it_is_not_empty_takes_nothing_away(
    acme: ApiSession, upstream: Upstream, meta: dict[str, object], instances: list[object] | None
) -> None:
    seen = read_page(acme, FIRST)
    upstream.script(body={"instances": instances, "meta": meta})
    again = read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert again.value == seen.value
    assert again.error
    assert (again.error.kind, again.error.path) == ("invalid-response", "$.instances")


def test_after_a_marker_nothing_need_follow(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(body={"instances": [], "meta": {"total": 150, "has_more": False}})
    assert ids(acme, InstanceQuery(marker="00000000-0000-0000-0000-000000000000")) == []


def test_a_filter_that_matches_nothing_may_come_with_the_total_of_all(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(body={"instances": [], "meta": {"total": 150, "has_more": False}})
    assert ids(acme, InstanceQuery(name="nobody")) == []


def test_a_list_that_is_null_where_there_are_none_is_an_empty_one(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(body={"instances": None, "meta": {"total": 0}})
    assert ids(acme) == []
