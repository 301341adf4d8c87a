"""The services over real HTTP: next and previous pages, invalid markers, one instance by id, known values."""

import json
from time import monotonic
from typing import Any

import pytest
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import BearerToken, InstanceQuery, Region
from portal.gateway import ApiSession, FetchFailed, FetchPolicy
from portal.instances.services import Listing, list_instances
from portal.sandbox.server import Sandbox
from tests.upstream import Upstream

FIRST = InstanceQuery()
GONE = "00000000-0000-4000-8000-000000000000"
OTHER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def acme(sandbox: Sandbox) -> ApiSession:
    return ApiSession(Region("spo1", sandbox.url), BearerToken("sandbox-acme-token"))


def ids(listing: Listing) -> list[str | None]:
    return [instance.id for instance in listing.instances]


def answer(upstream: Upstream, body: dict[str, Any]) -> None:
    upstream.script(status=200, body=json.dumps(body))


def test_the_first_page_knows_its_place_and_the_way_on(acme: ApiSession) -> None:
    listing = list_instances(acme, FIRST)
    assert len(listing.instances) == 20
    assert (listing.total, listing.first_position, listing.has_previous) == (150, 1, False)
    assert listing.next_marker == listing.instances[-1].id


def test_next_next_previous_previous_shows_the_same_ids(acme: ApiSession) -> None:
    first = list_instances(acme, FIRST)
    second = list_instances(acme, InstanceQuery(marker=first.next_marker))
    third = list_instances(acme, InstanceQuery(marker=second.next_marker))
    assert (second.first_position, third.first_position) == (21, 41)
    assert not set(ids(first)) & set(ids(second))
    assert ids(list_instances(acme, InstanceQuery(marker=third.previous_marker))) == ids(second)
    assert (second.has_previous, second.previous_marker) == (True, None)


def test_every_instance_is_on_one_page_and_the_last_page_ends(acme: ApiSession) -> None:
    walked: list[str | None] = []
    query = InstanceQuery(limit=50)
    for _ in range(3):
        listing = list_instances(acme, query)
        walked += ids(listing)
        query = InstanceQuery(limit=50, marker=listing.next_marker)
    assert len(set(walked)) == 150
    assert listing.next_marker is None


def test_a_page_that_was_opened_by_its_link_goes_back_by_upstreams_link(acme: ApiSession) -> None:
    first = list_instances(acme, FIRST)
    second = list_instances(acme, InstanceQuery(marker=first.next_marker))
    caches["pages"].clear()
    third = list_instances(acme, InstanceQuery(marker=second.next_marker))
    assert third.first_position is None
    assert third.previous_marker == first.next_marker
    caches["pages"].clear()
    again = list_instances(acme, InstanceQuery(marker=first.next_marker))
    assert (again.has_previous, again.previous_marker) == (True, None)


def test_a_page_after_one_of_unknown_place_has_no_place_but_a_way_back(acme: ApiSession) -> None:
    first = list_instances(acme, FIRST)
    caches["pages"].clear()
    second = list_instances(acme, InstanceQuery(marker=first.next_marker))
    third = list_instances(acme, InstanceQuery(marker=second.next_marker))
    assert third.first_position is None
    assert third.previous_marker == first.next_marker


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_marker_that_upstream_does_not_take_leads_to_the_first_page(
    acme: ApiSession, upstream: Upstream, status: int
) -> None:
    upstream.script(status=status, match=GONE)
    listing = list_instances(acme, InstanceQuery(marker=GONE))
    assert listing.marker_is_gone
    assert ids(listing) == ids(list_instances(acme, FIRST))


def test_a_marker_that_nothing_follows_leads_to_the_first_page(acme: ApiSession, upstream: Upstream) -> None:
    answer(upstream, {"instances": [], "meta": {"has_more": False}})
    listing = list_instances(acme, InstanceQuery(marker=GONE))
    assert listing.marker_is_gone
    assert listing.instances


def test_a_marker_that_went_after_its_page_was_seen_leads_to_the_first_page(
    acme: ApiSession, upstream: Upstream
) -> None:
    second = InstanceQuery(marker=list_instances(acme, FIRST).next_marker)
    list_instances(acme, second)
    upstream.script(status=404)
    assert list_instances(acme, second, policy=FetchPolicy.FORCE).marker_is_gone


def test_an_outage_is_not_taken_for_a_marker_that_is_gone(acme: ApiSession, upstream: Upstream) -> None:
    second = InstanceQuery(marker=list_instances(acme, FIRST).next_marker)
    list_instances(acme, second)
    upstream.script(status=500)
    listing = list_instances(acme, second, policy=FetchPolicy.FORCE)
    assert not listing.marker_is_gone
    assert listing.page.error is not None
    with pytest.raises(FetchFailed):
        list_instances(acme, InstanceQuery(marker=GONE))


def test_a_refusal_that_is_not_about_the_marker_is_raised(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(times=2, status=422)
    with pytest.raises(FetchFailed):
        list_instances(acme, InstanceQuery(marker=GONE))


@pytest.mark.parametrize(
    ("body", "marker", "expected"),
    [
        ({"instances": [{"id": OTHER}], "meta": {"has_more": True}}, None, OTHER),
        ({"instances": [{"id": OTHER}], "meta": {"has_more": True, "marker": GONE}}, None, GONE),
        ({"instances": [{"id": OTHER}], "links": {"next": f"https://elsewhere.example/?marker={GONE}"}}, None, GONE),
        ({"instances": [{"id": OTHER}], "meta": {"has_more": True}, "links": {"next": "https://[bad"}}, None, OTHER),
        ({"instances": [{"id": OTHER}], "links": {"next": "?marker=../../etc"}}, None, None),
        ({"instances": [{"id": OTHER}], "meta": {"has_more": False}, "links": {"next": f"?marker={GONE}"}}, None, None),
        ({"instances": [{"id": OTHER}], "meta": {"has_more": True}}, OTHER, None),
        ({"instances": [{"id": OTHER}]}, None, None),
        (
            {"instances": [{"id": f"{n:08}-0000-4000-8000-000000000000"} for n in range(20)]},
            None,
            f"{19:08}-0000-4000-8000-000000000000",
        ),
        ({"instances": [{"id": None}], "meta": {"has_more": True}}, None, None),
        ({"instances": [], "meta": None, "links": None}, None, None),
    ],
)
def test_the_way_on_is_read_from_whatever_upstream_gives(
    acme: ApiSession, upstream: Upstream, body: dict[str, Any], marker: str | None, expected: str | None
) -> None:
    answer(upstream, body)
    assert list_instances(acme, InstanceQuery(marker=marker)).next_marker == expected


def test_a_short_list_without_meta_still_has_a_total(acme: ApiSession, upstream: Upstream) -> None:
    answer(upstream, {"instances": [{"id": OTHER}]})
    assert list_instances(acme, FIRST).total == 1
    answer(upstream, {"instances": [{"id": OTHER}], "meta": {"has_more": True}})
    assert list_instances(acme, InstanceQuery(limit=50)).total is None


def test_a_gone_marker_and_the_first_page_take_one_deadline_together(
    acme: ApiSession, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_LIMITS = settings.BYCLOUD_LIMITS.__class__(deadline_seconds=1)
    upstream.script(delay=0.6, times=2)
    began_at = monotonic()
    with pytest.raises(FetchFailed):
        list_instances(acme, InstanceQuery(marker=GONE))
    assert monotonic() - began_at < 1.5
