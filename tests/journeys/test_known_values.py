"""What filters offer and call by its name: the values that the index has of the member's own instances."""

import json
import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal.bycloud import BearerToken, Region
from portal.fleet import values
from portal.fleet.values import LONGEST_KNOWN
from portal.gateway import ApiSession
from portal.instances.filter_choices import MOST_CHOICES
from portal.instances.indexed import read_known_values
from portal.sandbox.server import Sandbox
from tests.journeys.pages import LIST, ids, removal, text, words
from tests.upstream import Upstream

FLAVOR = re.compile(r"flavor_id=([0-9a-f-]{36})")
INSTANCE = "00000000-0000-4000-8000-000000000000"
IMAGE = "30000000-0000-4000-8000-000000000000"


@pytest.fixture
def acme(sandbox: Sandbox) -> ApiSession:
    return ApiSession(Region("spo1", sandbox.url), BearerToken("sandbox-acme-token"))


def offered(client: Client, key: str) -> list[str]:
    """The values in the form that adds a filter."""
    return re.findall(r'name="value" value="([^"]*)"', text(client.get(f"{LIST}filter/", {"key": key})))


def test_a_flavor_is_picked_by_the_name_seen_and_stays_a_name_among_the_filters(operator_client: Client) -> None:
    operator_client.get(LIST)
    assert "m1.large" in offered(operator_client, "flavor")
    response = operator_client.get(f"{LIST}?flavor_id=m1.large")
    assert FLAVOR.search(response.headers["Location"])
    page = operator_client.get(response.headers["Location"])
    assert ids(page)
    assert removal(page, "Flavor: m1.large") == f"{LIST}?limit=20"


def test_every_name_that_is_offered_is_taken(operator_client: Client, upstream: Upstream) -> None:
    images = [{"id": f"{number}0000000-0000-4000-8000-000000000000", "name": "Ubuntu 22.04"} for number in (1, 2)]
    images += [{"id": "30000000-0000-4000-8000-000000000000", "name": "Debian 13"}, {"id": "4", "name": "Odd"}]
    rows = [{"id": f"{INSTANCE[:-1]}{number}", "image": image} for number, image in enumerate(images)]
    upstream.script(status=200, body=json.dumps({"instances": rows, "meta": {"has_more": False}}))
    operator_client.get(LIST)
    chosen = {
        value: operator_client.get(f"{LIST}filter/", {"key": "image", "value": value, "is": ""}).headers["Location"]
        for value in offered(operator_client, "image")
    }
    # ByCloud takes an ID; what has none of its own is found in the index.
    assert chosen == {
        "Ubuntu 22.04": f"{LIST}?q=image%3A%22Ubuntu+22.04%22",
        "Debian 13": f"{LIST}?image_id={images[2]['id']}",
        "Odd": f"{LIST}?q=image%3AOdd",
    }
    assert len(ids(operator_client.get(chosen["Ubuntu 22.04"]))) == 2


def test_a_tag_is_added_to_those_of_the_list(operator_client: Client) -> None:
    operator_client.get(f"{LIST}?limit=100")
    assert {"web", "production"} <= set(offered(operator_client, "tag"))
    given = {"query": "tags=web", "key": "tag", "value": "production", "is": ""}
    added = operator_client.get(f"{LIST}filter/", given)
    assert added.headers["Location"] == f"{LIST}?tags=web,production"


def test_values_are_those_of_their_own_instances(operator_client: Client, viewing: Client) -> None:
    both = []
    for client in (operator_client, viewing):
        client.get(f"{LIST}?limit=100")
        both.append(set(offered(client, "tag")))
    assert both[0] - both[1]


def test_what_is_remembered_for_suggestions_is_bounded_in_count_and_length(
    operator_client: Client, upstream: Upstream, acme: ApiSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "MOST_KNOWN", 5)
    long = "L" * (LONGEST_KNOWN + 1)
    records = [
        {
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "tags": [f"t{number}-{each}" for each in range(50)],
            "flavor": {"id": f"{number:08x}-0000-4000-8000-000000000000", "name": long},
            "image": {"id": f"{number:08x}-0000-4000-8000-000000000000", "name": f"image-{number}"},
        }
        for number in range(20)
    ]
    upstream.script(body={"instances": records})
    operator_client.get(LIST)
    seen = read_known_values(acme)
    assert seen.flavors == ()
    assert len(seen.images) == 5
    assert len(offered(operator_client, "tag")) == MOST_CHOICES


def test_a_name_that_others_have_too_is_no_id_however_many_there_are(
    operator_client: Client, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "MOST_KNOWN", 4)
    names = ("Ubuntu", "Alpine", "Debian", "ALPINE", "Ubuntu")
    images = [{"id": f"{number}{IMAGE[1:]}", "name": name} for number, name in enumerate(names)]
    rows = [{"id": f"{INSTANCE[:-1]}{number}", "image": image} for number, image in enumerate(images)]
    upstream.script(status=200, body=json.dumps({"instances": rows, "meta": {"has_more": False}}))
    operator_client.get(LIST)

    chosen = {
        name: operator_client.get(f"{LIST}filter/", {"key": "image", "value": name, "is": ""}).headers["Location"]
        for name in sorted(names)
    }
    assert chosen == {
        "ALPINE": f"{LIST}?q=image%3AALPINE",
        "Alpine": f"{LIST}?q=image%3AAlpine",
        "Debian": f"{LIST}?image_id={images[2]['id']}",
        "Ubuntu": f"{LIST}?q=image%3AUbuntu",
    }
    assert [len(ids(operator_client.get(chosen[name]))) for name in ("Alpine", "Ubuntu")] == [2, 2]


def test_a_flavor_or_an_image_goes_by_its_latest_name(operator_client: Client, upstream: Upstream) -> None:
    for name in ("Debian 12", "Debian 13"):
        row = {"id": INSTANCE, "name": name, "image": {"id": IMAGE, "name": name}}
        upstream.script(status=200, body=json.dumps({"instances": [row], "meta": {"has_more": False}}))
        operator_client.post(f"{LIST}refresh/", {"query": ""}, follow=True)
        assert offered(operator_client, "image") == [name]
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
    assert set(before.images) < set(read_known_values(acme).images)


def test_without_an_index_filters_take_ids_and_offer_none(operator_client: Client, settings: Settings) -> None:
    operator_client.get(LIST)
    settings.FLEET_INDEX = False
    page = operator_client.get(LIST)
    assert not any(offered(operator_client, key) for key in ("tag", "flavor", "image"))
    flavor = FLAVOR.search(text(page))
    assert flavor
    filtered = operator_client.get(LIST, {"flavor_id": flavor[1]}, follow=True)
    assert ids(filtered)
    assert removal(filtered, f"Flavor: {flavor[1]}") == f"{LIST}?limit=20"
    assert "Use the ID instead" in words(operator_client.get(LIST, {"flavor_id": "m1.large"}))


def test_invisible_characters_are_shown_and_the_exact_text_is_given(
    operator_client: Client, upstream: Upstream
) -> None:
    row = {"id": INSTANCE, "tags": ["a\u200bb"], "image": {"id": IMAGE, "name": "c\u200bd"}, "status": "E\u200bF"}
    upstream.script(status=200, body=json.dumps({"instances": [row], "meta": {"has_more": False}}))
    operator_client.get(LIST)
    for key, value in (("tag", "a\u200bb"), ("image", "c\u200bd"), ("status", "E\u200bF")):
        body = text(operator_client.get(f"{LIST}filter/", {"key": key}))
        assert f'name="value" value="{value}"' in body
        assert f'<bdi>{value[0]}<span class="invisible-char"' in body
