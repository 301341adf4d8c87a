"""An instance's page from the index: without a request, while a walk looks for it, and when it is gone."""

import re
from datetime import timedelta

import time_machine
from django.conf import settings
from django.test import Client

from portal.bycloud import BearerToken
from portal.gateway import ApiSession
from tests.fleet.lists import list_all
from tests.journeys.pages import LIST, detail_url, link, press, refresh, text, words
from tests.upstream import Upstream

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_a_row_opens_its_instance_without_asking_bycloud(operator_client: Client, upstream: Upstream) -> None:
    url = detail_url(operator_client.get(LIST))
    upstream.clear()
    response = operator_client.get(url)
    assert response.status_code == 200
    assert "Summary" in words(response)
    assert "No request was made for this page" in words(response)
    assert operator_client.get(url.partition("?")[0]).status_code == 200
    assert upstream.requests() == []


def test_an_instance_found_by_a_search_opens_without_asking_bycloud(
    operator_client: Client, upstream: Upstream
) -> None:
    found = press(operator_client, operator_client.get(f"{LIST}?q=web"), "Refresh")
    upstream.clear()
    assert operator_client.get(detail_url(found)).status_code == 200
    assert upstream.requests() == []


def test_a_page_follows_the_walk_until_the_instance_is_found(operator_client: Client, upstream: Upstream) -> None:
    last = list_all(ApiSession(settings.BYCLOUD_REGIONS["spo1"], BearerToken("sandbox-acme-token")))[-1]
    upstream.limit_pages(20, refuses=False)
    response = operator_client.get(f"{LIST}{last}/")
    assert "Reading the fleet: 100 of about 150" in words(response)
    response = refresh(operator_client, response)
    assert response.status_code == 200
    assert "Summary" in words(response)


def test_a_page_follows_the_walk_and_ends_with_not_found(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(10, refuses=False)
    response = operator_client.get(f"{LIST}{NOBODY}/?name=its-name")
    assert response.status_code == 200
    assert "Reading the fleet: 50 of about 150" in words(response)
    assert "Instance not found" not in words(response)
    assert 'data-every="2"' in text(response)
    assert link(response, "Continue") == f"{LIST}{NOBODY}/?name=its-name"
    assert operator_client.get(f"{LIST}{NOBODY}.json").status_code == 503
    for _ in range(6):
        response = refresh(operator_client, response)
        if response.status_code != 200:
            break
    assert response.status_code == 404
    assert "It is not among the 150 instances in spo1 that your token can list." in words(response)
    assert re.search(r"They were read between [\d:]+ \(.*?\) and [\d:]+ \(", words(response))
    raw = operator_client.get(f"{LIST}{NOBODY}.json").json()["error"]
    assert raw == {"code": 404, "message": "Instance not found.", "searched": 150, "total": 150}


def read_fleet(client: Client) -> None:
    press(client, client.get(f"{LIST}?sort=age"), "Refresh")


def lose_one(client: Client, upstream: Upstream, clock: time_machine.Traveller) -> tuple[str, str]:
    """The address and the name of an instance that ByCloud does not list any more."""
    read_fleet(client)
    url = detail_url(client.get(f"{LIST}?name=web-14"))
    upstream.change(url.split("/")[-2], action="delete", seconds=0)
    clock.shift(timedelta(minutes=5))
    return url, "web-14"


def test_an_instance_that_is_not_listed_any_more_is_told_so_and_then_gone(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    url, name = lose_one(operator_client, upstream, clock)
    page = operator_client.get(url)
    assert page.status_code == 200
    doubtful = refresh(operator_client, page)
    assert doubtful.status_code == 200
    assert "ByCloud does not list this instance under its name" in words(doubtful)
    assert "may have been renamed or deleted" in words(doubtful)
    read_fleet(operator_client)
    gone = operator_client.get(url)
    assert gone.status_code == 410
    assert f"{name} is no longer there" in words(gone)
    assert "It vanished between" in words(gone)
    assert "Last state: Active" in words(gone)
    assert "Summary" in words(gone)
    assert 'id="live"' not in text(gone)
    upstream.clear()
    assert operator_client.get(url).status_code == 410
    assert upstream.requests() == []
    assert operator_client.get(link(gone, "Open")).status_code == 410
    assert operator_client.get(link(gone, "Open")).json()["name"] == name
    assert operator_client.get(link(gone, "Download")).status_code == 200
    again = press(operator_client, gone, "Look again")
    assert again.status_code == 410
    assert len(upstream.requests()) == 1


def test_an_instance_that_is_gone_is_no_instance_of_another_credential(
    operator_client: Client, viewing: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    url, _name = lose_one(operator_client, upstream, clock)
    read_fleet(operator_client)
    assert operator_client.get(url).status_code == 410
    read_fleet(viewing)
    response = viewing.get(url)
    assert response.status_code == 404
    assert "no longer there" not in words(response)
