"""A broken or malicious upstream, or a malicious link, cannot harm a page."""

from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

from portal.accounts.models import Member
from tests.journeys.pages import LIST, detail_url, ids, text, words
from tests.upstream import Upstream

ID = "550e8400-e29b-41d4-a716-446655440000"


def serve(upstream: Upstream, *instances: dict[str, Any]) -> None:
    """Every answer from now on is this page."""
    page = [{"id": ID, "name": "web-01"} | instance for instance in instances]
    upstream.script(times=None, body={"instances": page, "meta": {"total": len(page), "has_more": False}})


def open_both(client: Client) -> tuple[int, int]:
    return client.get(LIST).status_code, client.get(f"{LIST}{ID}/?name=web-01").status_code


def test_metadata_may_have_the_key_items(operator_client: Client, upstream: Upstream) -> None:
    serve(upstream, {"metadata": {"items": "seven", "keys": "eight"}})
    page = words(operator_client.get(f"{LIST}{ID}/?name=web-01"))
    assert "items seven" in page
    assert "keys eight" in page


@pytest.mark.parametrize("parameter", ["items", "keys", "values"])
def test_an_unknown_parameter_of_an_instances_page_is_named_whatever_its_name(
    operator_client: Client, parameter: str
) -> None:
    response = operator_client.get(f"{LIST}{ID}/?{parameter}=1", follow=True)
    assert f"Unknown parameters were ignored: {parameter}." in words(response)


@pytest.mark.parametrize("size", [2**63, 10**400, -(10**400)])
def test_sizes_beyond_all_measure_are_shown_and_break_nothing(
    operator_client: Client, upstream: Upstream, size: int
) -> None:
    serve(upstream, {"flavor": {"name": "big", "vcpus": size, "ram": size, "disk": size}})
    assert open_both(operator_client) == (200, 200)


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-05:00",
        "9999-12-31T23:59:59",
    ],
)
def test_the_first_and_the_last_moment_are_shown_in_every_zone(
    operator_client: Client, otto: Member, upstream: Upstream, moment: str, zone: str
) -> None:
    Member.objects.filter(pk=otto.pk).update(time_zone=zone)
    times = dict.fromkeys(("created_at", "updated_at", "launched_at", "terminated_at"), moment)
    serve(upstream, {"status": "ERROR", "fault": {"message": "No host", "created": moment}, **times})
    assert open_both(operator_client) == (200, 200)


def test_bytes_that_are_no_text_in_a_field_no_one_knows_do_not_hide_the_instance(
    operator_client: Client, upstream: Upstream
) -> None:
    upstream.script(times=None, body=f'{{"instances":[{{"id":"{ID}","name":"web-01","junk":"\udcff"}}]}}')
    response = operator_client.get(f"{LIST}{ID}/?name=web-01")
    assert response.status_code == 200
    assert "junk" in text(response)


def test_flavors_that_name_each_other_do_not_send_the_browser_in_circles(
    operator_client: Client, upstream: Upstream
) -> None:
    serve(upstream, {"flavor": {"id": "b", "name": "a"}}, {"flavor": {"id": "a", "name": "b"}})
    operator_client.get(LIST)
    response = operator_client.get(LIST, {"flavor_id": "a"})
    assert response.status_code == 400
    assert "Unknown name. Use the ID instead" in words(response)


def test_a_name_that_bycloud_does_not_take_is_searched_past(operator_client: Client, upstream: Upstream) -> None:
    wanted = f"{LIST}{ids(operator_client.get(LIST))[3]}/?name=web-01"
    upstream.script(status=400, match="name=web-01")
    caches["pages"].clear()
    assert operator_client.get(wanted).status_code == 200


def test_an_id_in_capitals_has_a_page_in_lower_case(operator_client: Client, upstream: Upstream) -> None:
    serve(upstream, {"id": ID.upper()})
    response = operator_client.get(LIST)
    assert ids(response) == [ID.upper()]
    assert detail_url(response) == f"{LIST}{ID}/?name=web-01"
    # For the page without an index.
    serve(upstream, {"id": ID.upper()})
    response = operator_client.get(f"{LIST}{ID}/")
    assert response.status_code == 200
    assert ID.upper() in words(response)
    assert ID.upper() in operator_client.get(f"{LIST}{ID}.json").content.decode()


def test_an_id_in_capitals_and_small_letters_is_found_too(operator_client: Client, upstream: Upstream) -> None:
    serve(upstream, {"id": ID.replace("e29b", "E29b")})
    assert operator_client.get(detail_url(operator_client.get(LIST))).status_code == 200
    assert operator_client.get(f"{LIST}{ID}/").status_code == 200
