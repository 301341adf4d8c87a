"""One instance without an index: by its name, and by a search of the list within bounds. Over real HTTP."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, InstanceQuery, Region
from portal.gateway import ApiSession, FetchFailed, FetchPolicy
from portal.instances.lookup import InstanceNotFoundError, find_instance
from portal.instances.services import list_instances
from portal.sandbox.server import Sandbox
from tests.upstream import Upstream

FIRST = InstanceQuery()
GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def _no_index(settings: Settings) -> None:
    settings.FLEET_INDEX = False


@pytest.fixture
def acme(sandbox: Sandbox) -> ApiSession:
    return ApiSession(Region("spo1", sandbox.url), BearerToken("sandbox-acme-token"))


def miss(access: ApiSession, instance_id: str, **more: Any) -> InstanceNotFoundError:
    """How a search ends that does not find the instance."""
    with pytest.raises(InstanceNotFoundError) as error:
        find_instance(access, instance_id, **more)
    return error.value


def test_an_instance_is_found_by_its_name_in_one_request(acme: ApiSession, upstream: Upstream) -> None:
    last = list_instances(acme, InstanceQuery(limit=100)).instances[-1]
    assert last.id is not None
    upstream.clear()
    found = find_instance(acme, last.id, name=last.name)
    assert found.cached.value.instance == last
    assert not found.is_indexed
    assert [request["query"] for request in upstream.requests()] == [f"name={last.name}&limit=100"]
    find_instance(acme, last.id, name=last.name)
    assert len(upstream.requests()) == 1


def test_a_renamed_instance_is_found_in_the_list(acme: ApiSession, upstream: Upstream) -> None:
    listing = list_instances(acme, InstanceQuery(limit=100))
    last = list_instances(acme, InstanceQuery(limit=100, marker=listing.next_marker)).instances[-1]
    assert last.id is not None
    caches["pages"].clear()
    upstream.clear()
    assert find_instance(acme, last.id, name="its-old-name").cached.value.instance == last
    assert len(upstream.requests()) == 3


def test_an_instance_on_the_first_page_is_found_though_its_name_is_rejected(
    acme: ApiSession, upstream: Upstream
) -> None:
    first = list_instances(acme, FIRST).instances[0]
    assert first.id is not None
    upstream.script(status=422, match="its-name")
    assert find_instance(acme, first.id, name="its-name").cached.value.instance == first


def test_an_unknown_id_is_missing_after_the_whole_list(acme: ApiSession, upstream: Upstream) -> None:
    missing = miss(acme, GONE)
    assert (missing.searched, missing.total, missing.next_marker, missing.is_over) == (150, 150, None, True)
    assert len(upstream.requests()) == 2


def test_a_search_of_a_large_fleet_stops_and_can_go_on(acme: ApiSession, upstream: Upstream) -> None:
    with Sandbox(instances=1_000) as large:
        access = ApiSession(Region("spo1", large.url), BearerToken("sandbox-acme-token"))
        missing = miss(access, GONE)
        assert (missing.searched, missing.total, missing.is_over) == (500, 1000, False)
        assert missing.next_marker is not None
        end = miss(access, GONE, marker=missing.next_marker)
        assert (end.searched, end.total, end.next_marker) == (1000, 1000, None)


def test_a_search_ends_with_half_the_deadline(settings: Settings) -> None:
    with Sandbox(instances=1_000) as large:
        access = ApiSession(Region("spo1", large.url), BearerToken("sandbox-acme-token"))
        list_instances(access, InstanceQuery(limit=100))
        settings.BYCLOUD_LIMITS = settings.BYCLOUD_LIMITS.__class__(deadline_seconds=1)
        Upstream(large.url).script(delay=0.6, match="marker=")
        missing = miss(access, GONE)
        assert missing.searched == 200
        assert missing.next_marker is not None


def test_a_request_that_took_long_leaves_the_search_to_the_next_try(
    acme: ApiSession, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_LIMITS = settings.BYCLOUD_LIMITS.__class__(deadline_seconds=1)
    upstream.script(delay=0.6)
    with pytest.raises(FetchFailed) as failure:
        find_instance(acme, GONE, name="web-01")
    assert failure.value.error.kind == "timed-out"
    assert len(upstream.requests()) == 1
    miss(acme, GONE, name="web-01", policy=FetchPolicy.RETRY)
    assert [request["query"] for request in upstream.requests()][1].startswith("limit=100")


def test_an_instance_that_was_found_stays_readable_in_an_outage(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    instance = list_instances(acme, FIRST).instances[0]
    assert instance.id is not None
    find_instance(acme, instance.id, name=instance.name)
    clock.shift(timedelta(minutes=1))
    upstream.script(times=9, status=503)
    assert find_instance(acme, instance.id, name=instance.name).cached.error is None
    found = find_instance(acme, instance.id, name=instance.name, policy=FetchPolicy.REVALIDATE)
    assert found.cached.value.instance == instance
    assert found.cached.error is not None
    assert found.cached.error.kind == "server-fault"


def test_an_outage_is_not_taken_for_a_list_that_does_not_hold_the_instance(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    miss(acme, GONE)
    clock.shift(timedelta(hours=3))
    upstream.script(times=9, status=503)
    with pytest.raises(FetchFailed) as failure:
        find_instance(acme, GONE, policy=FetchPolicy.RETRY)
    assert failure.value.error.kind == "server-fault"


def test_an_outage_in_the_middle_of_the_search_is_raised(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    miss(acme, GONE)
    clock.shift(timedelta(hours=3))
    upstream.script(times=9, status=503, match="marker=")
    with pytest.raises(FetchFailed):
        find_instance(acme, GONE)


def test_a_list_that_goes_on_and_does_not_say_where_is_no_answer(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(times=None, mode="endless")
    with pytest.raises(FetchFailed) as failure:
        find_instance(acme, GONE)
    assert failure.value.error.path == "$.links.next"


def test_opening_an_instance_that_was_never_seen_waits_for_the_end_of_a_pause(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.script(times=3, status=503)
    for _ in range(2):
        with pytest.raises(FetchFailed):
            find_instance(acme, GONE)
    assert len(upstream.requests()) == 3
    clock.shift(timedelta(seconds=2))
    miss(acme, GONE)
