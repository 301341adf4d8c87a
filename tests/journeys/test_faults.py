"""Whatever upstream does: a response in time, a plain message, no stack trace, and never an empty table."""

import io
import json
import logging
import re
from collections.abc import Iterator
from time import monotonic

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken, Region
from portal.sandbox.malformed import HOSTILE
from portal.sandbox.server import Sandbox
from tests import faults
from tests.credentials.rows import keep
from tests.faults import SCRIPTED, Fault
from tests.journeys.pages import LIST, Response, detail_url, form, has_rows, ids, link, links, refresh, text, words
from tests.upstream import Upstream

DEADLINE = 0.6
# What the portal itself takes, and a machine that has other things to do. The faults last for half a minute.
SLACK = 10.0
# For faults that show before the deadline, however busy the machine is.
LONG_DEADLINE = 8.0
TOKEN = "sandbox-acme-token"
NAMES = [fault.name for fault in SCRIPTED]
PLACES = ("refused connection", "unknown host name", "connect time-out")
DETAIL_NAME = "web-20"


@pytest.fixture(autouse=True)
def _deadline(request: pytest.FixtureRequest, settings: Settings, sandbox: Sandbox) -> None:
    given = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    takes_it_all = given["fault"].takes_the_deadline if "fault" in given else "place" in given
    seconds = DEADLINE if takes_it_all else LONG_DEADLINE
    settings.BYCLOUD_LIMITS = type(settings.BYCLOUD_LIMITS)(deadline_seconds=seconds)
    settings.PAGE_FRESH_SECONDS = 0


@pytest.fixture
def places(settings: Settings) -> Iterator[dict[str, faults.Region]]:
    with faults.open_regions() as regions:
        yield {region.name: region for region in regions}


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What goes to standard error, by the settings' own handler and formatter."""
    stream = io.StringIO()
    handler = next(handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before or handler.stream)


def spoil(upstream: Upstream, fault: Fault) -> None:
    upstream.script(times=None, **fault.script)


def ask(client: Client, url: str) -> Response:
    """A page, in time."""
    began_at = monotonic()
    response = client.get(url)
    assert monotonic() - began_at < settings.BYCLOUD_LIMITS.deadline_seconds + SLACK
    return response


def ask_again(client: Client, page: Response) -> Response:
    """What an open page asks by itself, in time."""
    began_at = monotonic()
    response = refresh(client, page)
    assert monotonic() - began_at < settings.BYCLOUD_LIMITS.deadline_seconds + SLACK
    return response


def check_decency(response: Response) -> None:
    """What no answer may hold."""
    body = text(response)
    assert response.status_code != 500
    for wrong in ("Traceback", 'File "', "Exception", TOKEN, ">None<"):
        assert wrong not in body


def check_screen(response: Response, fault: Fault | faults.Region) -> None:
    """Nothing was seen before: the error in place of everything, and a way out."""
    check_decency(response)
    assert response.status_code == fault.status
    assert fault.said in words(response)
    for wrong in ("No instances yet", "No matches", "Instance not found"):
        assert wrong not in words(response)
    if fault.said.startswith("rejected your token"):
        assert link(response, "Replace token")
    else:
        assert form(response, "Retry")


@pytest.mark.parametrize("fault", SCRIPTED, ids=NAMES)
def test_a_fault_with_nothing_seen_before(operator_client: Client, upstream: Upstream, fault: Fault) -> None:
    spoil(upstream, fault)
    response = ask(operator_client, LIST)
    if fault.is_survived:
        check_decency(response)
        assert fault.said in words(response)
        assert len(ids(response)) >= 20
        return
    check_screen(response, fault)
    assert not has_rows(response)


@pytest.mark.parametrize("fault", SCRIPTED, ids=NAMES)
def test_a_fault_after_the_page_was_seen(operator_client: Client, upstream: Upstream, fault: Fault) -> None:
    seen = operator_client.get(LIST)
    spoil(upstream, fault)
    response = ask_again(operator_client, seen)
    if fault.is_survived and response.status_code == 204:
        # What is wrong with it is nothing that is shown.
        return
    check_decency(response)
    assert response.status_code == 200
    assert fault.said in words(response)
    assert len(ids(response)) >= 20
    if not fault.is_survived:
        assert ids(response) == ids(seen)
        assert "Showing the last known data, from" in words(response)
        assert "Updated" in words(response)


@pytest.mark.parametrize("fault", [fault for fault in SCRIPTED if not fault.is_survived], ids=lambda fault: fault.name)
def test_a_fault_on_an_instances_page(operator_client: Client, upstream: Upstream, fault: Fault) -> None:
    url = detail_url(operator_client.get(f"{LIST}?name={DETAIL_NAME}"))
    seen = operator_client.get(url)
    other = detail_url(operator_client.get(LIST)).replace("-4", "-5", 1).replace("-8", "-9", 1)
    spoil(upstream, fault)
    response = ask_again(operator_client, seen)
    check_decency(response)
    assert response.status_code == 200
    assert fault.said in words(response)
    assert DETAIL_NAME in words(response)
    assert "Showing the last known data, from" in words(response)
    unseen = ask(operator_client, f"{other.partition('?')[0]}?name=another")
    if unseen.status_code == 200:
        # That there are none with this name is no fault, but reading the whole list has failed.
        assert fault.name in {"emptied", "no-instances"}
        assert "Waiting: ByCloud does not answer as expected." in words(unseen)
        return
    check_screen(unseen, fault)


@pytest.mark.parametrize("place", PLACES)
def test_a_region_that_cannot_be_reached(
    client: Client, otto: Member, settings: Settings, places: dict[str, faults.Region], place: str
) -> None:
    settings.BYCLOUD_REGIONS = {"spo1": Region("spo1", places[place].url)}
    keep(otto, BearerToken(TOKEN))
    client.force_login(otto)
    response = ask(client, LIST)
    check_screen(response, places[place])
    assert not has_rows(response)


@pytest.mark.parametrize("place", PLACES)
def test_a_region_that_can_be_reached_no_more(
    operator_client: Client, settings: Settings, places: dict[str, faults.Region], place: str
) -> None:
    seen = operator_client.get(LIST)
    # By way of a proxy, so that the region stays the same.
    settings.BYCLOUD_LIMITS = type(settings.BYCLOUD_LIMITS)(deadline_seconds=DEADLINE, proxy=places[place].url)
    response = ask_again(operator_client, seen)
    check_decency(response)
    assert response.status_code == 200
    assert ids(response) == ids(seen)
    assert places[place].said in words(response)


def test_links_to_another_host_are_never_linked_to(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="links-elsewhere")
    response = operator_client.get(LIST)
    assert link(response, "Next").startswith(f"{LIST}?marker=")
    assert not [href for href in links(response) if "elsewhere" in href]


def test_a_redirect_takes_the_credential_nowhere(operator_client: Client, upstream: Upstream) -> None:
    with Sandbox() as stranger:
        upstream.script(mode="redirect", location=f"{stranger.url}/v1/instances")
        assert operator_client.get(LIST).status_code == 502
        assert Upstream(stranger.url).requests() == []


def test_a_cursor_that_leads_to_itself_is_taken_as_the_end(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, mode="endless")
    second = operator_client.get(link(operator_client.get(LIST), "Next"))
    assert len(ids(second)) == 20
    with pytest.raises(AssertionError, match="no link"):
        link(second, "Next")


def test_a_search_in_a_list_without_an_end_comes_to_an_end(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, mode="endless")
    # The list says that more follows, and leads nowhere: that the instance does not exist would be a guess.
    assert operator_client.get(f"{LIST}00000000-0000-4000-8000-000000000000/").status_code == 502
    assert len(upstream.requests()) <= 6


def test_hostile_texts_are_inert_in_html_and_json(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, mode="hostile")
    listing = operator_client.get(f"{LIST}?limit=50")
    pages = [listing, *(operator_client.get(detail_url(listing, number)) for number in range(len(HOSTILE)))]
    for page in pages:
        body = page.content.decode()
        assert page.status_code == 200
        for harm in ("<script>alert", "<img src=x", " onerror=alert(1)>'"):
            assert harm not in body
    for number, hostile in enumerate(HOSTILE):
        url = detail_url(listing, number).partition("?")[0].rstrip("/") + ".json"
        raw = operator_client.get(f"{url}?download=1")
        assert raw.headers["Content-Type"] == "application/json"
        assert raw.headers["X-Content-Type-Options"] == "nosniff"
        assert re.fullmatch(r'attachment; filename="instance-[0-9a-f-]{36}\.json"', raw.headers["Content-Disposition"])
        assert json.loads(raw.content)["name"] == hostile


def test_a_hostile_refusal_is_inert_in_the_page_its_headers_and_the_log(
    operator_client: Client, upstream: Upstream, log_lines: io.StringIO
) -> None:
    hostile = "<script>alert(1)</script>\r\nSet-Cookie: a=b \x1b[31m\u202e" + "x" * 10_000
    error = {"message": hostile, "details": hostile, "request_id": hostile}
    upstream.script(times=None, status=500, headers={"X-Request-Id": "<img src=x>"}, body={"error": error})
    page = operator_client.get(LIST)
    raw = operator_client.get(f"{LIST}00000000-0000-4000-8000-000000000000.json")
    assert (page.status_code, raw.status_code) == (502, 502)
    body = page.content.decode()
    for harm in ("<script>alert", "<img src=x", "\x1b", "\u202e"):
        assert harm not in body
    assert "&lt;script&gt;" in body
    assert len(body) < 45_000
    assert json.loads(raw.content)["error"]["code"] == 502
    for response in (page, raw):
        assert "a" not in response.cookies
        assert not [value for value in response.headers.values() if "<" in value or "alert" in value]
    lines = log_lines.getvalue().split("\n")[:-1]
    assert len(lines) >= 3
    for line in lines:
        assert json.loads(line)["event"]
        assert line.isprintable()
        assert TOKEN not in line
