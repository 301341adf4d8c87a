"""The overview of a region, without scripts: counts that lists prove."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import F
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Member
from portal.fleet.models import IndexedFleet, IndexedInstance
from portal.instances import indexed
from portal.sandbox.server import Sandbox
from tests.journeys.pages import LIST, Response, ask_htmx, has_rows, link, links, refresh, text, words
from tests.upstream import Upstream

OVERVIEW = "/spo1/"
ROW = re.compile(r'<a href="([^"]+)"><bdi>(.*?)</bdi></a>.*<td class="num">([\d,]+)</td>', re.DOTALL)


def read_all(client: Client, path: str = OVERVIEW) -> Response:
    """The overview after the whole fleet has been read."""
    response = client.get(path)
    for _ in range(5):
        if "Reading the fleet" not in words(response):
            break
        response = client.get(path)
    return response


def figures(response: Response) -> list[tuple[str, str, int]]:
    """The address, the label and the count of each row that has a count."""
    rows = filter(None, (ROW.search(row) for row in text(response).split("</tr>")))
    return [(unescape(row[1]), unescape(row[2]), int(row[3].replace(",", ""))) for row in rows]


def count_of(client: Client, url: str) -> str:
    match = re.search(r'id="counter"[^>]*>\(([^)]*)\)', text(client.get(url)))
    assert match
    return match[1]


def hide(count: int) -> None:
    """A walk has not found some instances two hours ago."""
    keys = list(IndexedInstance.objects.order_by("pk").values_list("pk", flat=True)[:count])
    IndexedInstance.objects.filter(pk__in=keys).update(missing_at=timezone.now() - timedelta(hours=2))
    IndexedFleet.objects.update(revision=F("revision") + 1)


def test_every_count_is_that_of_the_list_it_leads_to(reader: Client) -> None:
    read_all(reader)
    hide(2)
    response = reader.get(OVERVIEW)
    rows = figures(response)
    assert ("No longer listed since yesterday", 2) in [row[1:] for row in rows]
    assert len(rows) > 40
    for url, label, count in rows:
        assert count_of(reader, url) == str(count), (url, label)
    assert count_of(reader, link(response, "148")) == "148"
    for title in ("Needs attention", "State", "Flavors", "Images", "Tags", "Networks", "Metadata", "Newest instances"):
        assert title in words(response)


def test_the_fleet_is_read_step_by_step_and_the_page_follows(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(60, refuses=False)
    response = operator_client.get(OVERVIEW)
    assert "Reading the fleet: 60 of about 150" in words(response)
    assert "at least 60" in words(response)
    assert 'data-every="2"' in text(response)
    for count in ("120", "150"):
        response = refresh(operator_client, response)
        assert f"Index · {count} of 150 instances" in words(response)
    while "Reading" in words(response):
        response = refresh(operator_client, response)
    assert "at least" not in words(response)
    assert refresh(operator_client, response).status_code == 204


def test_once_the_fleet_was_read_it_opens_without_asking_bycloud(reader: Client, upstream: Upstream) -> None:
    read_all(reader)
    upstream.clear_log()
    assert figures(reader.get(OVERVIEW))
    assert upstream.requests() == []


def test_instances_are_counted_by_any_metadata_entry(reader: Client) -> None:
    response = read_all(reader)
    assert '<option value="team" selected>' in text(response)
    by = reader.get(f"{OVERVIEW}?by=environment")
    counts = {label: count for url, label, count in figures(by) if "meta.environment" in url}
    assert set(counts) >= {"production", "staging", "Not set"}
    assert sum(counts.values()) == 150
    unknown = reader.get(f"{OVERVIEW}?by=no-such-entry")
    assert [(label, count) for url, label, count in figures(unknown) if "no-such" in url] == [("Not set", 150)]
    chosen = reader.get(f"{OVERVIEW}?by=Environment&utm_source=x", follow=True)
    assert chosen.redirect_chain[-1][0] == f"{OVERVIEW}?by=environment"
    assert "Unknown parameters were ignored: utm_source." in words(chosen)
    for wrong in ("%00", "x" * 300):
        assert reader.get(f"{OVERVIEW}?by={wrong}").headers["Location"] == OVERVIEW


def test_nothing_needs_attention_where_all_is_well(viewing: Client) -> None:
    response = read_all(viewing)
    assert "Nothing needs attention" in words(response)
    hide(1)
    assert "Nothing needs attention" not in words(viewing.get(OVERVIEW))


def test_each_credential_has_an_overview_of_its_own(reader: Client, viewing: Client) -> None:
    whole = read_all(reader)
    other = read_all(viewing)
    assert "Index · 12 of 12 instances" in words(other)
    labels = {label for _url, label, _count in figures(other)}
    assert "12" in words(other)
    assert not {"platform", "storefront", "lab-a"} & labels
    for url, label, count in figures(other):
        assert count <= 12, label
        assert count_of(viewing, url) == str(count)
    names = set(re.findall(r'href="/spo1/instances/([0-9a-f-]{36})/', text(other)))
    assert names
    assert not names & set(re.findall(r'href="/spo1/instances/([0-9a-f-]{36})/', text(whole)))
    assert "no-such" not in words(other)


def test_without_a_credential_it_asks_for_one(client: Client, otto: Member, sandbox: Sandbox) -> None:
    client.force_login(otto)
    response = client.get(f"{OVERVIEW}?by=team")
    assert "No credential for spo1 yet" in words(response)
    assert f'name="next" value="{OVERVIEW}?by=team"' in text(response)


def test_without_an_index_there_is_no_overview(operator_client: Client, settings: Settings) -> None:
    assert OVERVIEW in links(operator_client.get(LIST))
    settings.FLEET_INDEX = False
    assert operator_client.get(OVERVIEW).headers["Location"] == LIST
    assert OVERVIEW not in links(operator_client.get(LIST))


def test_with_a_locked_index_it_leads_to_the_live_list(
    operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(indexed, "find_fleet", fail)
    response = operator_client.get(OVERVIEW)
    assert "The index cannot answer" in words(response)
    assert has_rows(operator_client.get(link(response, "Open the live list")))


def test_a_rejected_credential_is_named_and_can_be_replaced(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(status=401, times=5)
    response = operator_client.get(OVERVIEW)
    assert "Stopped: ByCloud rejects the credential." in words(response)
    assert any("/credentials/spo1/" in href for href in links(response))
    assert "Nothing has been read yet" in words(response)


def test_refresh_makes_a_step_and_swaps_the_region(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(60, refuses=False)
    operator_client.get(OVERVIEW)
    fragment = ask_htmx(operator_client, OVERVIEW, "overview")
    assert re.match(r'<title>[^<]+</title>\s*<section id="overview"', text(fragment))
    assert "Index · 120 of 150" in words(fragment)
