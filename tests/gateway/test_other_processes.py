"""What the gateway does while another process is fetching the same page."""

from datetime import UTC, datetime, timedelta
from threading import Timer

import msgspec
import pytest
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import InstanceQuery
from portal.gateway import ApiSession, FetchError, FetchFailed, FetchPolicy, read_page
from portal.gateway.backoff import record_failure
from portal.gateway.cache import (
    RESPONSE_DECODER,
    CachedResponse,
    error_name,
    get_cached,
    lock_name,
    page_name,
    set_cached,
)
from tests.upstream import Upstream

FIRST = InstanceQuery()


@pytest.fixture
def flight(acme: ApiSession) -> str:
    """Another process holds the flight for the first page, and dies or lands within three seconds."""
    key = acme.make_key(lock_name(FIRST))
    caches["counters"].add(key, b"another process", 3)
    return key


def test_the_others_page_is_taken_when_it_lands(acme: ApiSession, upstream: Upstream, flight: str) -> None:
    def land() -> None:
        body = b'{"instances": [{"id": "landed"}]}'
        set_cached(acme, page_name(FIRST), CachedResponse(body, datetime.now(UTC), "/v1/instances", 0.1, None))

    Timer(0.2, land).start()
    (instance,) = read_page(acme, FIRST).value.instances or ()
    assert instance.id == "landed"
    assert upstream.requests() == []


def test_the_others_failure_is_taken_too(acme: ApiSession, upstream: Upstream, flight: str) -> None:
    def fail() -> None:
        set_cached(acme, error_name(FIRST), FetchError("server-fault", datetime.now(UTC), "Broken", 500))

    Timer(0.2, fail).start()
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST)
    assert failure.value.error.status == 500
    assert upstream.requests() == []


def test_a_pause_that_began_during_the_wait_is_obeyed(acme: ApiSession, upstream: Upstream, flight: str) -> None:
    caches["counters"].set(flight, b"another process", 0.5)
    now = datetime.now(UTC)
    refusal = FetchError("rate-limited", now, "Too many", 429, retry_at=now + timedelta(seconds=30))
    Timer(0.1, record_failure, (acme, refusal), {"began_at": now}).start()
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert failure.value.error == refusal
    assert upstream.requests() == []


def test_a_fetcher_that_dies_frees_the_others(acme: ApiSession, upstream: Upstream, flight: str) -> None:
    caches["counters"].set(flight, b"another process", 0.3)
    assert read_page(acme, FIRST).value.instances
    assert len(upstream.requests()) == 1


def test_the_wait_ends_with_the_deadline(acme: ApiSession, upstream: Upstream, flight: str, settings: Settings) -> None:
    settings.BYCLOUD_LIMITS = msgspec.structs.replace(settings.BYCLOUD_LIMITS, deadline_seconds=0.2)
    with pytest.raises(FetchFailed) as failure:
        read_page(acme, FIRST)
    assert failure.value.error.kind == "timed-out"
    assert upstream.requests() == []


def test_a_forced_read_takes_only_what_landed_after_it_began(acme: ApiSession, upstream: Upstream) -> None:
    before = read_page(acme, FIRST)
    key = acme.make_key(lock_name(FIRST))
    caches["counters"].add(key, b"another process", 0.3)
    after = read_page(acme, FIRST, policy=FetchPolicy.FORCE)
    assert after.fetched_at > before.fetched_at
    assert get_cached(acme, page_name(FIRST), RESPONSE_DECODER) is not None
    assert len(upstream.requests()) == 2
