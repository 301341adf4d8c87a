"""Searching, sorting and counting the whole fleet, without scripts: answered by the index."""

import re
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.fleet.query import LONGEST_TEXT
from portal.instances import indexed
from portal.instances.columns import COLUMNS
from portal.instances.examples import EXAMPLES
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.journeys.pages import (
    LIST,
    Response,
    ask_htmx,
    detail_url,
    has_rows,
    ids,
    link,
    links,
    press,
    refresh,
    removal,
    text,
    words,
)
from tests.upstream import Upstream

JsonObject = dict[str, Any]


def search(client: Client, query: str = "", **more: str) -> Response:
    return client.get(LIST, {"q": query, "limit": "100"} | more, follow=True)


@pytest.fixture
def fleet(sandbox: Sandbox) -> list[JsonObject]:
    """The same instances, as ByCloud lists them."""
    rows: list[JsonObject] = []
    query = {"limit": "100"}
    while len(rows) < 150:
        headers = {"Authorization": "Bearer sandbox-acme-token"}
        rows += requests.get(f"{sandbox.url}/v1/instances", query, headers=headers, timeout=5).json()["instances"]
        query["marker"] = rows[-1]["id"]
    return rows


def id_of(fleet: list[JsonObject], name: str) -> str:
    (found,) = [row["id"] for row in fleet if row["name"] == name]
    return str(found)


def addresses(row: JsonObject) -> list[JsonObject]:
    return [each for network in (row["addresses"] or {}).values() for each in network]


def test_one_instance_is_found_by_whatever_is_known_of_it(reader: Client, fleet: list[JsonObject]) -> None:
    wanted = next(row for row in fleet if row["name"] == "web-14")
    address = addresses(wanted)[0]
    mac = address["mac_addr"]
    for known in (
        address["addr"],
        f"ip:{address['addr']}/32",
        addresses(wanted)[-1]["addr"].upper(),
        wanted["id"],
        wanted["id"][:8],
        wanted["id"].upper(),
        f"id:{wanted['id'][:8]}*",
        mac,
        mac.upper().replace(":", "-"),
        mac.replace(":", ""),
        f"{mac[0:2]}{mac[3:5]}.{mac[6:8]}{mac[9:11]}.{mac[12:14]}{mac[15:]}",
        wanted["crn"],
        "WEB-14",
        "name:web-14",
        "*eb-14",
    ):
        assert ids(search(reader, known)) == [wanted["id"]], known


def test_several_are_found_by_what_they_have_in_common(reader: Client, fleet: list[JsonObject]) -> None:
    expected = {
        "meta.team:storefront": [row for row in fleet if row["metadata"].get("team") == "storefront"],
        "storefront": [row for row in fleet if row["metadata"].get("team") == "storefront"],
        "network:storage": [row for row in fleet if "storage" in (row["addresses"] or {})],
        "key:ada-laptop": [row for row in fleet if "ada-laptop" in row["key_names"]],
        "tag:web -tag:production": [row for row in fleet if "web" in row["tags"] and "production" not in row["tags"]],
        "status:error,build": [row for row in fleet if row["status"] in {"ERROR", "BUILD"}],
        "status:stopped": [row for row in fleet if row["status"] == "SHUTOFF"],
        "ram>=16": [row for row in fleet if row["flavor"] and row["flavor"]["ram"] >= 16384],
        "vcpus:2..4 -name:web-*": [
            row
            for row in fleet
            if row["flavor"] and 2 <= row["flavor"]["vcpus"] <= 4 and not (row["name"] or "").startswith("web-")
        ],
        "ip:10.48.0.0/16": [row for row in fleet if any(each["addr"].startswith("10.48.") for each in addresses(row))],
    }
    for query, rows in expected.items():
        assert rows, query
        response = search(reader, query)
        assert sorted(ids(response)) == sorted(row["id"] for row in rows), query
        assert f"Instances ({len(rows)})" in words(response)


@pytest.mark.parametrize("example", [example for example, _meaning in EXAMPLES])
def test_every_example_of_the_help_finds_something(reader: Client, example: str) -> None:
    response = search(reader, example)
    assert ids(response)
    assert "not understood" not in words(response)


def test_the_help_is_on_every_page_and_its_examples_are_links(operator_client: Client) -> None:
    response = operator_client.get("/preferences/")
    assert "How to search" in words(response)
    assert f"{LIST}?q=web-1" in links(response)


def test_the_list_is_sorted_by_a_heading_and_again_the_other_way_round(reader: Client, fleet: list[JsonObject]) -> None:
    def natural(row: JsonObject) -> list[Any]:
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", row["name"].lower())]

    webs = [row["id"] for row in sorted((row for row in fleet if (row["name"] or "").startswith("web-")), key=natural)]
    response = search(reader, "name:web-*")
    assert ids(response) == webs
    there = reader.get(link(response, "Name"))
    assert ids(there) == webs
    assert 'class="w-19 c-name" aria-sort="ascending">' in text(there)
    back = reader.get(link(there, "Name"))
    assert ids(back) == webs[::-1]
    assert 'class="w-19 c-name" aria-sort="descending">' in text(back)


def test_a_heading_of_the_live_list_sorts_all_of_it(reader: Client, fleet: list[JsonObject]) -> None:
    newest = reader.get(link(reader.get(LIST), "Age"))
    rows = sorted(fleet, key=lambda row: row["created_at"], reverse=True)
    assert ids(newest) == [row["id"] for row in rows[:20]]
    oldest = reader.get(link(newest, "Age"))
    assert ids(oldest) == [row["id"] for row in rows[::-1][:20]]


def test_the_whole_fleet_can_be_sorted_by_every_column(reader: Client) -> None:
    for column in COLUMNS:
        for sort in (column, f"-{column}"):
            page = search(reader, sort=sort, limit="5")
            assert (len(ids(page)), "Instances (150)" in words(page)) == (5, True), sort


def test_what_is_urgent_comes_first(reader: Client, fleet: list[JsonObject]) -> None:
    errors = {row["id"] for row in fleet if row["status"] == "ERROR"}
    assert set(ids(search(reader, sort="state"))[: len(errors)]) == errors


def test_pages_have_numbers(reader: Client) -> None:
    first = reader.get(f"{LIST}?sort=name", follow=True)
    assert "1–20 of 150" in words(first)
    third = reader.get(link(first, "3"))
    assert "41–60 of 150" in words(third)
    last = reader.get(link(third, "8"))
    assert "141–150 of 150" in words(last)
    assert ids(reader.get(link(last, "First"))) == ids(first)
    assert ids(reader.get(f"{LIST}?sort=name&page=9999999")) == ids(last)
    shown = [each for number in range(1, 9) for each in ids(reader.get(f"{LIST}?page={number}", follow=True))]
    assert len(set(shown)) == len(shown) == 150


def test_sums_stand_under_the_rows(reader: Client, fleet: list[JsonObject]) -> None:
    large = [row["flavor"] for row in fleet if row["flavor"] and row["flavor"]["name"] == "r1.large"]
    vcpus, ram, disk = (sum(flavor[name] for flavor in large) for name in ("vcpus", "ram", "disk"))
    sums = f"{len(large)} instances · {vcpus} vCPU · {ram // 1024} GiB RAM · {disk:,} GB disk"
    assert sums in words(search(reader, "flavor:r1.large"))


def test_filters_of_the_list_and_a_query_hold_together(reader: Client, fleet: list[JsonObject]) -> None:
    both = [row["id"] for row in fleet if "web" in row["tags"] and row["metadata"].get("environment") == "staging"]
    response = search(reader, "meta.environment:staging", tags="web")
    assert sorted(ids(response)) == sorted(both)
    flavor = next(row["flavor"] for row in fleet if row["name"] == "web-14")
    same = [row["id"] for row in fleet if row["flavor"] == flavor and (row["name"] or "").startswith("web-")]
    assert sorted(ids(search(reader, sort="name", flavor_id=flavor["id"], name="web-*"))) == sorted(same)


def test_each_part_of_the_query_can_be_taken_away(reader: Client) -> None:
    response = search(reader, "-tag:web status:ERROR")
    assert removal(response, "Tag is not: web") == f"{LIST}?q=status%3AERROR&limit=100"
    assert removal(response, "Status: Error") == f"{LIST}?q=-tag%3Aweb&limit=100"


def test_what_stands_in_the_box_and_in_the_address_is_canonical(reader: Client) -> None:
    response = reader.get(LIST, {"q": '  STATUS:error   "web" ', "page": "1", "marker": "0" * 8}, follow=True)
    assert response.redirect_chain == []
    assert response.status_code == 400
    response = reader.get(LIST, {"q": '  STATUS:error   "web" ', "page": "1"}, follow=True)
    assert response.redirect_chain[-1][0] == f"{LIST}?q=status%3Aerror+web"
    assert 'name="q" value="status:error web"' in text(response)


def test_what_was_not_understood_is_named_and_the_rest_applies(reader: Client) -> None:
    response = search(reader, "name:web-* ram>=lots created:30d tag:")
    assert len(ids(response)) == len(ids(search(reader, "name:web-*")))
    shown = words(response)
    for part in ("ram>=lots is not applied", "created:30d is not applied", "tag: is not applied"):
        assert part in shown
    unknown = search(reader, "stauts:ERROR")
    assert "stauts is not a key, so it is searched for as text. Keys: created," in words(unknown)


def test_a_query_that_is_too_long_is_refused_beside_its_field(reader: Client) -> None:
    response = search(reader, "x" * (LONGEST_TEXT + 1))
    assert response.status_code == 400
    assert f"Longer than {LONGEST_TEXT} characters." in words(response)


def test_nothing_that_matches_is_said_as_such(reader: Client) -> None:
    response = search(reader, "no-such-thing")
    assert "No matches" in words(response)
    assert "Instances (0)" in words(response)
    assert f"{LIST}?limit=100" in links(response)


def test_the_index_answers_without_asking_bycloud(reader: Client, upstream: Upstream) -> None:
    upstream.clear_log()
    search(reader, "web")
    assert upstream.requests() == []


def test_as_long_as_the_fleet_is_being_read_counts_are_at_least(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(20, refuses=False)
    response = search(operator_client, page="1")
    assert "Reading the fleet: 20 of about 150" in words(response)
    assert "Instances (at least 20)" in words(response)
    assert "1–20 of at least 20" in words(response)
    response = search(operator_client, "no-such-thing")
    assert "No matches so far" in words(response)
    assert "No instances" not in words(response)


def test_an_open_page_goes_on_reading(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(20, refuses=False)
    response = search(operator_client, page="1")
    counts = []
    for _ in range(12):
        response = refresh(operator_client, response)
        counts += re.findall(r"Index · (\d+) of 150", words(response))
        if "Reading" not in words(response):
            break
    assert counts[:3] == ["40", "60", "80"]
    assert counts[-1] == "150"
    assert refresh(operator_client, response).status_code == 204


def test_a_page_says_how_long_reading_the_fleet_takes(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.limit_pages(20, refuses=False)
    response = search(operator_client, page="1")
    assert "Reading the fleet: 20 of about 150 …" in words(response)
    clock.shift(timedelta(seconds=8))
    response = refresh(operator_client, response)
    # 40 of 150 in 8 s: the other 110 take 22 s.
    assert "Reading the fleet: 40 of about 150, about 25 s left …" in words(response)
    clock.shift(timedelta(minutes=5))
    response = refresh(operator_client, response)
    assert "Reading the fleet: 60 of about 150, about 8 min left …" in words(response)


def test_a_walk_that_cannot_go_on_says_why_and_what_is_there_stays(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(20, refuses=False)
    response = search(operator_client, page="1")
    upstream.script(status=500, times=3)
    response = refresh(operator_client, response)
    assert "Waiting: ByCloud does not answer as expected." in words(response)
    assert len(ids(response)) == 20


def test_nothing_is_read_yet_and_bycloud_fails(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(status=500, times=3)
    response = search(operator_client, "web")
    assert response.status_code == 200
    assert "No matches so far" in words(response)
    assert "Reading the fleet: 0 so far" in words(response)


def test_without_the_index_the_box_finds_by_name_and_a_query_leads_to_the_live_list(
    operator_client: Client, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    live = operator_client.get(LIST)
    assert 'id="search" type="search" name="name"' in text(live)
    assert "sort=" not in text(live)
    assert len(ids(live)) == 20
    response = search(operator_client, "web", status="ACTIVE")
    assert "The index cannot answer" in words(response)
    assert ids(operator_client.get(link(response, "Open the live list")))
    assert "No instances" not in words(response)


def test_with_a_locked_index_the_live_list_works_and_a_query_leads_to_it(
    operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(indexed, "find_fleet", fail)
    assert len(ids(operator_client.get(LIST))) == 20
    response = search(operator_client, "web")
    assert "The index cannot answer" in words(response)
    assert len(ids(operator_client.get(link(response, "Open the live list")))) == 100


def test_each_credential_has_an_index_of_its_own(reader: Client, viewing: Client) -> None:
    response = press(viewing, search(viewing, "name:*"), "Refresh")
    assert "Index · 12 of 12 instances" in words(response)
    hers, his = set(ids(response)), set(ids(search(reader)))
    assert hers
    assert not hers & his
    assert ids(search(viewing, next(iter(his)))) == []
    assert "12 instances ·" in words(search(viewing, sort="name"))


def test_members_with_the_same_credential_share_an_index(reader: Client, vera: Member, upstream: Upstream) -> None:
    keep(vera, BearerToken("sandbox-acme-token"))
    client = Client()
    client.force_login(vera)
    upstream.clear_log()
    assert "Index · 150 of 150" in words(search(client, "web"))
    assert upstream.requests() == []


def test_a_query_can_be_saved_as_a_view(reader: Client) -> None:
    response = search(reader, "status:ERROR,BUILD", sort="-age")
    query = "q=status:ERROR,BUILD&limit=100&sort=-age"
    reader.post(f"{LIST}save-view/", {"query": query, "name": "Trouble"})
    saved = reader.get(link(reader.get(LIST), "Trouble"), follow=True)
    assert ids(saved) == ids(response)


def test_the_rows_of_a_query_can_be_exported(reader: Client) -> None:
    response = search(reader, "status:ERROR")
    exported = reader.post(f"{LIST}export/", {"query": "q=status:ERROR&limit=100", "format": "json"}).json()
    assert [row["id"] for row in exported["instances"]] == ids(response)


def test_an_instance_that_was_found_leads_back_to_what_found_it(reader: Client) -> None:
    response = search(reader, "name:web-*", sort="-age")
    page = reader.get(detail_url(response, 3))
    assert page.status_code == 200
    assert ids(response)[3] in text(page)
    back = next(href for href in links(page) if "q=name" in href)
    assert ids(reader.get(back)) == ids(response)


def test_the_box_follows_when_htmx_changes_the_query(reader: Client) -> None:
    url = f"{LIST}?q=status:ERROR"
    fragment = ask_htmx(reader, url, "instances", **{"HX-Current-URL": f"http://testserver{LIST}?q=web"})
    assert 'name="q" value="status:ERROR"' in text(fragment)
    assert 'data-search hx-swap-oob="true"' in text(fragment)
    same = ask_htmx(reader, url, "instances", **{"HX-Current-URL": f"http://testserver{url}"})
    assert "hx-swap-oob" not in text(same)
    assert has_rows(same)
