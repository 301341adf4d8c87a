"""An instance's page and its raw JSON, with or without an index. `test_indexed_instance.py` has what needs one."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import ApiKey, BearerToken
from portal.credentials.models import Credential
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.journeys.pages import LIST, ask_htmx, detail_url, form, ids, is_due, link, links, press, text, words
from tests.upstream import Upstream

OLD = timedelta(minutes=1)
GONE = "00000000-0000-4000-8000-000000000000"


def open_first(client: Client, query: str = "") -> str:
    return detail_url(client.get(f"{LIST}{query}"))


def find(client: Client, name: str) -> str:
    """The address of the instance with this name, without hints."""
    return f"{LIST}{ids(client.get(f'{LIST}?name={name}'))[0]}/"


def test_a_row_opens_its_instance_by_its_name_without_an_index(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    url = open_first(operator_client)
    assert re.fullmatch(rf"{LIST}[0-9a-f-]{{36}}/\?name=[\w-]+", url)
    upstream.clear()
    response = operator_client.get(url)
    assert response.status_code == 200
    assert len(upstream.requests()) == 1
    assert "No, requested for this page" in words(response)
    assert "Yes, no request was made for this page" in words(operator_client.get(url))
    upstream.script(times=9, status=503)
    assert operator_client.get(url).status_code == 200
    assert len(upstream.requests()) == 1


def test_every_field_of_the_instance_is_on_its_page(operator_client: Client, upstream: Upstream) -> None:
    instance = json.loads(operator_client.get(find(operator_client, "web-20").rstrip("/") + ".json").content)
    page = words(operator_client.get(f"{LIST}{instance['id']}/"))
    flat = [
        instance[name]
        for name in ("id", "crn", "name", "description", "status", "power_state", "vm_state")
        if instance[name]
    ]
    flat += [instance["flavor"]["name"], instance["flavor"]["id"], instance["image"]["name"], instance["image"]["id"]]
    flat += [group["name"] for group in instance["security_groups"]] + instance["key_names"] + instance["tags"]
    flat += [text for pair in instance["metadata"].items() for text in pair]
    flat += [volume["id"] for volume in instance["volumes_attached"]]
    for network, addresses in instance["addresses"].items():
        flat += [network, *(address[part] for address in addresses for part in ("addr", "type", "mac_addr"))]
    assert len(flat) > 20
    assert [one for one in flat if one not in page] == []
    assert "2 vCPU · 4 GiB · 40 GB" in page


def test_the_parts_stand_in_order_and_each_has_an_anchor(operator_client: Client) -> None:
    response = operator_client.get(find(operator_client, "gpu-batch"))
    sections = re.findall(r'<section id="([\w-]+)"', text(response))
    assert sections == [
        "fault",
        "summary",
        "network",
        "security-groups",
        "volumes",
        "keys",
        "tags",
        *(["history"] if settings.FLEET_INDEX else []),
        "json",
        "request-details",
    ]
    assert [href[1:] for href in links(response) if href.startswith("#") and href != "#main"] == sections[1:]


def test_a_fault_is_shown_with_its_code_message_details_and_time(operator_client: Client) -> None:
    page = words(operator_client.get(find(operator_client, "gpu-batch")))
    assert "Fault 500 No valid host was found" in page
    assert "Details" in page


def test_absent_values_are_dashes_and_absent_parts_are_told(operator_client: Client, upstream: Upstream) -> None:
    url = open_first(operator_client)
    upstream.script(mode="only-ids", times=2)
    operator_client.post(f"{LIST}refresh/", {"query": ""})
    page = words(operator_client.get(url.partition("?")[0]))
    assert "None" not in page
    assert "Description –" in page
    for told in ("No network addresses", "No volumes attached", "No keys", "No tag", "No metadata"):
        assert told in page
    assert "No state" in page


def test_a_link_works_for_a_colleague_whose_cache_is_cold_by_its_name(
    operator_client: Client, vera: Member, upstream: Upstream
) -> None:
    url = open_first(operator_client, "?name=web-07")
    keep(vera, ApiKey("AKIASANDBOXACME", "sandbox-acme-secret"))
    colleague = Client()
    colleague.force_login(vera)
    upstream.clear()
    response = colleague.get(url)
    assert response.status_code == 200
    assert [request["query"] for request in upstream.requests()] == ["name=web-07&limit=100"]
    assert "No, requested for this page" in words(response)
    assert '"X-Api-Key: $BYCLOUD_API_KEY"' in text(response)
    assert "sandbox-acme-secret" not in text(response)


def test_a_link_without_a_hint_works_too(operator_client: Client, vera: Member, upstream: Upstream) -> None:
    url = find(operator_client, "web-01")
    keep(vera, ApiKey("AKIASANDBOXACME", "sandbox-acme-secret"))
    colleague = Client()
    colleague.force_login(vera)
    assert "web-01" in words(colleague.get(url))


def test_an_instance_of_another_organization_is_not_found(operator_client: Client, viewing: Client) -> None:
    url = open_first(operator_client)
    response = viewing.get(url)
    assert response.status_code == 404
    assert "Instance not found" in words(response)
    assert "12 instances in spo1 that your token can list" in words(response)


def test_each_volume_has_a_copy_button_with_a_name_of_its_own(operator_client: Client, upstream: Upstream) -> None:
    url = find(operator_client, "web-20")
    volumes = [{"id": f"{number}0000000-0000-4000-8000-000000000000"} for number in (1, 2)]
    upstream.change(url.split("/")[-2], action="set", fields={"volumes_attached": volumes})
    page = text(operator_client.post(f"{LIST}refresh/", {"instance": url.split("/")[-2], "query": ""}, follow=True))
    names = re.findall(r'class="copy"[^>]* aria-label="([^"]*)"', page)
    assert {f"Copy {volume['id']}" for volume in volumes} <= set(names)


def test_flavor_image_and_tags_lead_to_the_list_of_their_like(operator_client: Client) -> None:
    page = operator_client.get(find(operator_client, "web-20"))
    for label, parameter in (("m1.medium", "flavor_id="), ("Ubuntu 24.04 LTS", "image_id="), ("frontend", "tags=")):
        url = link(page, label)
        assert url.startswith(f"{LIST}?{parameter}")
        assert "web-20" in words(operator_client.get(url))


def test_back_leads_to_the_list_as_it_was_left(operator_client: Client) -> None:
    query = "?name=web-%2A&limit=50"
    left = operator_client.get(f"{LIST}{query}")
    row = ids(left)[0]
    assert f"{LIST}{query}#{row}" in links(operator_client.get(detail_url(left)))
    assert f' id="{row}"' in text(left)


def test_back_from_a_later_page_keeps_its_marker(operator_client: Client) -> None:
    second = link(operator_client.get(LIST), "Next")
    left = operator_client.get(second)
    assert f"{second}#{ids(left)[0]}" in links(operator_client.get(detail_url(left)))


def test_back_is_never_an_address_of_someone_else(operator_client: Client, upstream: Upstream) -> None:
    url = open_first(operator_client).partition("?")[0]
    upstream.clear()
    response = operator_client.get(f"{url}?back=https://elsewhere.example/")
    assert response.status_code == 400
    assert not [href for href in links(response) if "elsewhere" in href]
    assert upstream.requests() == []


@pytest.mark.parametrize("query", ["marker=x", "name=a&name=b", "name=%00", f"name={'x' * 300}", "back=limit%3D0"])
def test_bad_parameters_are_named_and_bycloud_is_not_asked(
    operator_client: Client, upstream: Upstream, query: str
) -> None:
    upstream.clear()
    response = operator_client.get(f"{LIST}{GONE}/?{query}")
    assert response.status_code == 400
    assert f"{query.partition('=')[0]} :" in words(response)
    assert link(response, "Remove them") == f"{LIST}{GONE}/"
    assert upstream.requests() == []


def test_the_address_of_an_instance_has_one_canonical_form(operator_client: Client) -> None:
    url = open_first(operator_client, "?tags=web").partition("?")[0]
    response = operator_client.get(f"{url}?back=tags%3Dweb%252Cweb&name=web-01&marker=")
    assert response.status_code == 302
    assert response.headers["Location"] == f"{url}?name=web-01&back=tags%3Dweb"


def test_a_stale_instance_is_shown_at_once_and_then_asks_once(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    url = open_first(operator_client)
    operator_client.get(url)
    clock.shift(OLD)
    upstream.clear()
    stale = operator_client.get(url)
    assert is_due(stale)
    assert upstream.requests() == []
    fresh = ask_htmx(operator_client, url, "instance", **{"Portal-Refresh": "1"})
    assert re.match(r'<title>[^<]+</title>\s*<article id="instance"', text(fresh))
    assert not is_due(fresh)
    assert len(upstream.requests()) == 1


def test_a_refresh_shows_what_has_changed(operator_client: Client, upstream: Upstream) -> None:
    url = find(operator_client, "web-20")
    identifier = url.split("/")[-2]
    assert "Active" in words(operator_client.get(url))
    upstream.change(identifier, action="stop")
    response = operator_client.post(f"{LIST}refresh/", {"instance": identifier, "query": "back=tags%3Dweb"})
    assert (response.status_code, response.headers["Location"]) == (303, f"{url}?back=tags%3Dweb")
    assert "Stopping" in words(operator_client.get(url))


def test_a_failed_refresh_keeps_the_facts_and_says_why(operator_client: Client, upstream: Upstream) -> None:
    url = open_first(operator_client, "?name=web-20")
    operator_client.get(url)
    upstream.script(times=None, status=500)
    response = operator_client.post(f"{LIST}refresh/", {"instance": url.split("/")[-2], "query": "name=web-20"})
    assert response.status_code == 200
    assert "ByCloud is unavailable (500)" in words(response)
    assert "web-20" in words(response)
    assert "Summary" in words(response)


def test_a_refresh_of_an_instance_with_a_bad_query_is_refused(operator_client: Client, upstream: Upstream) -> None:
    upstream.clear()
    response = operator_client.post(f"{LIST}refresh/", {"instance": GONE, "query": "marker=up"})
    assert response.status_code == 400
    assert upstream.requests() == []


def test_an_outage_with_nothing_known_is_not_not_found(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, status=503)
    response = operator_client.get(f"{LIST}{GONE}/?name=web-01")
    assert response.status_code == 503
    assert "ByCloud is unavailable (503)" in words(response)
    assert form(response, "Retry")[1]["query"] == "name=web-01"
    assert "Instance not found" not in words(response)


def test_without_a_credential_the_page_takes_one(client: Client, vera: Member, sandbox: Sandbox) -> None:
    client.force_login(vera)
    response = client.get(f"{LIST}{GONE}/?name=a")
    assert f'name="next" value="{LIST}{GONE}/?name=a"' in text(response)


def test_the_working_is_shown_and_can_be_copied_without_the_token(operator_client: Client, sandbox: Sandbox) -> None:
    page = operator_client.get(open_first(operator_client, "?name=web-07"))
    assert "GET /v1/instances?name=web-07&limit=100" in words(page)
    command = f"curl --get '{sandbox.url}/v1/instances?name=web-07&limit=100'"
    assert f'{command} --header "Authorization: Bearer $BYCLOUD_TOKEN"' in text(page)
    assert "sandbox-acme-token" not in text(page)


# A search through the list, without an index


def large_fleet(upstream: Upstream, *, pages: int) -> None:
    """A list that goes on: each page of 100 is followed by another, `pages` of them."""
    for page in range(pages):
        rows = [{"id": f"1{page:03}{row:04}-0000-4000-8000-000000000000"} for row in range(100)]
        meta = {"total": 10_000, "has_more": True, "marker": rows[-1]["id"]}
        upstream.script(status=200, body=json.dumps({"instances": rows, "meta": meta}))


def test_a_long_search_shows_how_far_it_has_come_and_can_go_on(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    large_fleet(upstream, pages=5)
    response = operator_client.get(f"{LIST}{GONE}/?name=&back=tags%3Dweb", follow=True)
    assert response.status_code == 200
    said = "Searched 500 of 10,000 instances. Not found yet."
    assert said in words(response)
    assert f'data-announce="{said}"' in text(response)
    onward = link(response, "Continue searching")
    assert onward.startswith(f"{LIST}{GONE}/?back=tags%3Dweb&marker=10040099-")
    large_fleet(upstream, pages=5)
    further = operator_client.get(f"{LIST}{GONE}.json?{onward.partition('?')[2]}")
    assert further.status_code == 503
    assert further.json()["error"]["next_marker"].startswith("10040099-")
    assert further.headers["Retry-After"] == "1"


def test_a_search_to_the_end_says_how_much_was_searched(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    response = operator_client.get(f"{LIST}{GONE}/")
    assert response.status_code == 404
    assert "Searched all 150 instances in spo1" in words(response)
    assert 'data-announce="Instance not found"' in text(response)
    assert len(upstream.requests()) == 2
    upstream.create(1)
    assert press(operator_client, response, "Look again").status_code == 404


def test_a_search_whose_place_is_gone_can_begin_anew(operator_client: Client, settings: Settings) -> None:
    settings.FLEET_INDEX = False
    response = operator_client.get(f"{LIST}{GONE}/?name=web&marker={GONE}")
    assert response.status_code == 502
    assert form(response, "Retry")[1]["query"] == "name=web"


def test_a_link_of_an_earlier_version_still_opens(operator_client: Client) -> None:
    url = open_first(operator_client).partition("?")[0]
    response = operator_client.get(f"{url}?marker={GONE}&step=3", follow=True)
    assert response.redirect_chain == [(f"{url}?marker={GONE}", 302)]
    assert "Summary" in words(response)


# Raw JSON


def raw(url: str) -> str:
    path, _, query = url.partition("?")
    return f"{path.rstrip('/')}.json?{query}".rstrip("?")


def test_the_raw_json_is_what_bycloud_sent_to_the_byte(operator_client: Client, upstream: Upstream) -> None:
    one = '{ "id": "550e8400-e29b-41d4-a716-446655440000",\n "name":"web",  "x": 1.50, "ç": "\\u00e7" }'
    upstream.script(status=200, body=f'{{"instances": [{one}]}}', times=2)
    url = open_first(operator_client)
    response = operator_client.get(raw(url))
    assert response.content.decode() == one
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Disposition" not in response.headers


def test_the_raw_json_can_be_downloaded(operator_client: Client) -> None:
    page = operator_client.get(open_first(operator_client))
    response = operator_client.get(link(page, "Download"))
    identifier = link(page, "Open").split("/")[-1].partition(".json")[0]
    assert response.headers["Content-Disposition"] == f'attachment; filename="instance-{identifier}.json"'
    assert json.loads(response.content)["id"] == identifier


def test_raw_json_of_nothing_is_a_404_in_json(operator_client: Client) -> None:
    response = operator_client.get(f"{LIST}{GONE}.json")
    assert response.status_code == 404
    assert response.json()["error"] == {"code": 404, "message": "Instance not found.", "searched": 150, "total": 150}


def test_an_error_is_json_with_its_status(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, status=500)
    response = operator_client.get(f"{LIST}{GONE}.json")
    assert response.status_code == 502
    assert response.json()["error"]["message"] == "ByCloud is unavailable (500)"
    assert response.json()["error"]["request_id"].startswith("req-")


def test_bad_parameters_are_a_400_in_json(operator_client: Client, upstream: Upstream) -> None:
    upstream.clear()
    response = operator_client.get(f"{LIST}{GONE}.json?marker=up")
    assert response.status_code == 400
    assert response.json()["error"]["parameters"] == {"marker": "Not a valid ID."}
    assert upstream.requests() == []


def test_no_credential_is_a_409_in_json(client: Client, vera: Member, sandbox: Sandbox) -> None:
    client.force_login(vera)
    response = client.get(f"{LIST}{GONE}.json")
    assert response.status_code == 409
    assert "You don't have a ByCloud credential for this region yet" in response.json()["error"]["message"]
    keep(vera, BearerToken("any"))
    Credential.objects.update(encrypted=b"nothing")
    assert "can't be decrypted" in client.get(f"{LIST}{GONE}.json").json()["error"]["message"]
