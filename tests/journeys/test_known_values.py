"""What filters suggest and call by its name: the values that the index has of the member's own instances."""

import json
import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal.bycloud import BearerToken, Region
from portal.fleet.values import LONGEST_KNOWN, MOST_KNOWN
from portal.gateway import ApiSession
from portal.instances.indexed import read_known_values
from portal.sandbox.server import Sandbox
from tests.journeys.pages import LIST, Response, ids, link, text, words
from tests.upstream import Upstream

FLAVOR = re.compile(r"flavor_id=([0-9a-f-]{36})")
INSTANCE = "00000000-0000-4000-8000-000000000000"
IMAGE = "30000000-0000-4000-8000-000000000000"


@pytest.fixture
def acme(sandbox: Sandbox) -> ApiSession:
    return ApiSession(Region("spo1", sandbox.url), BearerToken("sandbox-acme-token"))


def offered(response: Response, field: str) -> list[str]:
    options = text(response).partition(f'id="known-{field}"')[2].partition("</datalist>")[0]
    return re.findall(r'<option value="([^"]*)"', options)


def test_a_flavor_is_picked_by_the_name_seen_and_stays_a_name_in_the_form(operator_client: Client) -> None:
    assert '<option value="m1.large">' in text(operator_client.get(LIST))
    response = operator_client.get(f"{LIST}?flavor_id=m1.large")
    assert FLAVOR.search(response.headers["Location"])
    page = operator_client.get(response.headers["Location"])
    assert ids(page)
    assert 'value="m1.large"' in text(page)
    assert link(page, "flavor: m1.large") == f"{LIST}?limit=20"


def test_every_name_that_is_offered_is_taken(operator_client: Client, upstream: Upstream) -> None:
    images = [{"id": f"{number}0000000-0000-4000-8000-000000000000", "name": "Ubuntu 22.04"} for number in (1, 2)]
    images += [{"id": "30000000-0000-4000-8000-000000000000", "name": "Debian 13"}, {"id": "4", "name": "Odd"}]
    rows = [{"id": f"{INSTANCE[:-1]}{number}", "image": image} for number, image in enumerate(images)]
    upstream.script(status=200, body=json.dumps({"instances": rows, "meta": {"has_more": False}}))
    page = operator_client.get(LIST)
    values = offered(page, "image_id")
    # A name of several is offered as the id that it stands for, and told beside it.
    assert values == ["Debian 13", images[0]["id"], images[1]["id"]]
    assert text(page).count(' label="Ubuntu 22.04"') == 2
    for value in values:
        assert operator_client.get(LIST, {"image_id": value}, follow=True).status_code == 200


def test_a_suggested_tag_is_added_to_those_in_the_field(operator_client: Client) -> None:
    operator_client.get(f"{LIST}?limit=100")
    suggested = [offered(operator_client.get(f"{LIST}{query}"), "tags") for query in ("", "?tags=web")]
    assert "web" in suggested[0]
    assert "web,production" in suggested[1]
    assert not {"web", "web,web", "production"} & set(suggested[1])


def test_suggestions_are_those_of_their_own_instances(operator_client: Client, viewing: Client) -> None:
    both = [set(offered(client.get(f"{LIST}?limit=100"), "tags")) for client in (operator_client, viewing)]
    assert both[0] - both[1]


def test_what_is_remembered_for_suggestions_is_bounded_in_count_and_length(
    operator_client: Client, upstream: Upstream, acme: ApiSession
) -> None:
    long = "L" * (LONGEST_KNOWN + 1)
    records = [
        {
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "status": f"{long}{number}",
            "tags": [long, *(f"t{number}-{each}" for each in range(500))],
            "flavor": {"id": f"{number:08x}-0000-4000-8000-000000000000", "name": long},
            "image": {"id": long, "name": f"image-{number}"},
        }
        for number in range(20)
    ]
    upstream.script(body={"instances": records})
    operator_client.get(LIST)
    seen = read_known_values(acme)
    assert (seen.statuses, seen.flavors, seen.images) == ((), (), ())
    assert len(seen.tags) == MOST_KNOWN
    assert max(map(len, seen.tags)) <= LONGEST_KNOWN


def test_a_flavor_or_an_image_goes_by_its_latest_name(operator_client: Client, upstream: Upstream) -> None:
    for name in ("Debian 12", "Debian 13"):
        row = {"id": INSTANCE, "name": name, "image": {"id": IMAGE, "name": name}}
        upstream.script(status=200, body=json.dumps({"instances": [row], "meta": {"has_more": False}}))
        page = operator_client.post(f"{LIST}refresh/", {"query": ""}, follow=True)
        assert offered(page, "image_id") == [name]
    assert operator_client.get(LIST, {"image_id": "Debian 12"}).status_code == 400
    found = operator_client.get(LIST, {"image_id": "Debian 13"})
    assert found.headers["Location"] == f"{LIST}?image_id={IMAGE}"


def test_the_names_of_one_region_are_read_once_until_the_next_page_is_written(
    operator_client: Client, django_assert_num_queries: DjangoAssertNumQueries, acme: ApiSession
) -> None:
    operator_client.get(LIST)
    before = read_known_values(acme)
    with django_assert_num_queries(1):
        assert read_known_values(acme) == before
    operator_client.get(LIST, {"limit": "100"})
    assert set(before.tags) < set(read_known_values(acme).tags)


def test_without_an_index_filters_take_ids_and_suggest_nothing(operator_client: Client, settings: Settings) -> None:
    operator_client.get(LIST)
    settings.FLEET_INDEX = False
    page = operator_client.get(LIST)
    assert not any(offered(page, field) for field in ("tags", "flavor_id", "image_id"))
    flavor = FLAVOR.search(text(page))
    assert flavor
    filtered = operator_client.get(LIST, {"flavor_id": flavor[1]}, follow=True)
    assert ids(filtered)
    assert link(filtered, f"flavor: {flavor[1]}") == f"{LIST}?limit=20"
    assert "Use the ID instead" in words(operator_client.get(LIST, {"flavor_id": "m1.large"}))


def test_invisible_characters_are_shown_and_the_exact_text_is_given(
    operator_client: Client, upstream: Upstream
) -> None:
    row = {"id": INSTANCE, "tags": ["a\u200bb"], "image": {"id": IMAGE, "name": "c\u200bd"}, "status": "E\u200bF"}
    upstream.script(status=200, body=json.dumps({"instances": [row], "meta": {"has_more": False}}))
    body = text(operator_client.get(LIST))
    assert '<option value="a\u200bb" label="a[U+200B]b">' in body
    assert '<option value="c\u200bd" label="c[U+200B]d">' in body
    assert '<option value="E\u200bF">E[U+200B]F</option>' in body
