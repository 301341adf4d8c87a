"""Exporting all instances that match, without scripts."""

import csv
import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.instances import export_all
from tests.journeys.conftest import read_on
from tests.journeys.pages import LIST, Response, form, ids, refresh, text, words
from tests.upstream import Upstream

EXPORT = f"{LIST}export-all/"


def pieces_of(response: Response) -> Iterator[bytes]:
    return iter(response.streaming_content)


def read_file(response: Response) -> str:
    return b"".join(pieces_of(response)).decode("utf-8-sig")


def read_csv(response: Response) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(read_file(response), newline="")))


def read_lines(response: Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_file(response).splitlines()]


def test_a_live_list_exports_all_its_pages_and_not_only_the_one_that_is_shown(reader: Client) -> None:
    page = reader.get(f"{LIST}?tags=web")
    assert len(ids(page)) == 20
    action, fields = form(page, re.escape("JSON lines (all fields)"))
    assert action == EXPORT
    response = reader.post(action, {**fields, "format": "jsonl"})
    about, *rows = read_lines(response)
    assert [row for row in rows if "web" not in row["tags"]] == []
    assert {row["id"] for row in rows} >= set(ids(page))
    total = int(re.findall(r"Instances \((\d+)\)", words(page))[0])
    assert (about["export"]["instances"], len(rows)) == (total, total)
    assert about["export"] | {"made_at": "", "oldest_seen": "", "newest_seen": ""} == {
        "region": "spo1",
        "query": "tags=web",
        "made_at": "",
        "instances": total,
        "oldest_seen": "",
        "newest_seen": "",
        "known": 150,
        "total": 150,
        "is_complete": True,
    }
    assert response.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert re.fullmatch(
        rf'attachment; filename="instances-spo1-\d{{8}}T\d{{6}}Z-{total}-of-150\.jsonl"',
        response.headers["Content-Disposition"],
    )


def test_a_list_from_the_index_exports_its_order_whatever_page_and_columns_are_shown(reader: Client) -> None:
    query = "q=storefront&limit=50&sort=-name&page=2&columns=name%2Cram"
    everything = [*ids(reader.get(f"{LIST}?q=storefront&limit=100&sort=-name"))]
    rows = read_csv(reader.post(EXPORT, {"query": query, "format": "csv"}))
    assert [row["id"] for row in rows] == everything
    assert {row["coverage"] for row in rows} == {"150 of 150"}
    assert {"status", "flavor.ram", "fault.message", "last_seen"} <= set(rows[0])


def test_the_file_is_on_record_and_streamed(reader: Client) -> None:
    response = reader.post(EXPORT, {"query": "q=storefront", "format": "csv"})
    assert response.streaming
    assert "Content-Length" not in response.headers
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    count = len(read_csv(response))
    subjects = Event.objects.filter(act=Action.INSTANCES_EXPORTED).values_list("name", "subject")
    assert list(subjects) == [("otto", f"spo1: {count} instances, csv, 150 of 150 known, q=storefront")]


def test_a_compressed_file_is_streamed_too(reader: Client) -> None:
    response = reader.post(EXPORT, {"query": "", "format": "csv"}, headers={"Accept-Encoding": "gzip, br"})
    assert response.streaming
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(list(pieces_of(response))) > 1


def test_while_the_fleet_is_not_read_to_its_end_the_page_says_so_and_the_file_does(
    operator_client: Client, upstream: Upstream
) -> None:
    upstream.limit_pages(20, refuses=False)
    response = operator_client.post(EXPORT, {"query": "sort=name", "format": "csv"}, follow=True)
    assert response.redirect_chain == [(f"{EXPORT}?sort=name", 303)]
    page = words(response)
    assert "Reading the fleet" in page
    assert "at least" in page
    action, fields = form(response, "CSV of what is known")
    part = operator_client.post(action, {**fields, "format": "csv"})
    name = part.headers["Content-Disposition"]
    rows = read_csv(part)
    assert re.search(rf"Z-incomplete-{len(rows)}-of-150\.csv", name)
    assert 0 < len(rows) < 150
    assert {row["coverage"] for row in rows} == {f"{len(rows)} of 150, incomplete"}
    assert not Event.objects.filter(subject__contains="150 of 150").exists()


def test_the_page_follows_the_walk_and_then_has_the_whole_file(operator_client: Client, upstream: Upstream) -> None:
    upstream.limit_pages(60, refuses=False)
    page = operator_client.get(EXPORT)
    assert "CSV of what is known" in text(page)
    for _ in range(10):
        if "of what is known" not in text(page):
            break
        page = refresh(operator_client, page)
    assert 'id="export-all"' in text(page)
    assert 'data-announce="All instances are read."' in text(page)
    whole = operator_client.get(EXPORT)
    assert refresh(operator_client, whole).status_code == 204
    action, fields = form(whole, "CSV")
    assert len(read_csv(operator_client.post(action, {**fields, "format": "csv"}))) == 150


@pytest.mark.parametrize(
    ("given", "canonical"),
    [("limit=50&page=3&sort=name", "?sort=name"), ("tags=web&columns=name", "?tags=web"), ("limit=20", "")],
)
def test_the_page_has_one_address(reader: Client, given: str, canonical: str) -> None:
    response = reader.get(f"{EXPORT}?{given}")
    assert (response.status_code, response.headers["Location"]) == (302, f"{EXPORT}{canonical}")


def test_the_page_says_which_instances_the_file_has(reader: Client) -> None:
    page = reader.get(f"{EXPORT}?status=ACTIVE&q=-tag:web", follow=True).content.decode()
    assert "Status: <strong><bdi>Active</bdi></strong> · Tag is not: <strong><bdi>web</bdi></strong>" in page


@pytest.mark.parametrize(("query", "kind"), [("limit=0", "csv"), ("", "xlsx"), ("", "json"), ("", "")])
def test_what_cannot_be_exported_is_refused_and_not_on_record(reader: Client, query: str, kind: str) -> None:
    assert reader.post(EXPORT, {"query": query, "format": kind}).status_code == 400
    assert not Event.objects.filter(act=Action.INSTANCES_EXPORTED).exists()


def test_nobody_exports_without_end(reader: Client) -> None:
    for _ in range(10):
        assert reader.post(EXPORT, {"query": "", "format": "csv"}).status_code == 200
    refused = reader.post(EXPORT, {"query": "", "format": "csv"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert Event.objects.filter(act=Action.INSTANCES_EXPORTED).count() == 10


def test_when_too_many_are_written_the_list_says_so(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    running = [reader.post(EXPORT, {"query": "", "format": "csv"}) for _ in range(export_all.MOST_EXPORTS)]
    page = reader.post(EXPORT, {"query": "q=web", "format": "csv"}, follow=True)
    assert page.redirect_chain == [(f"{LIST}?q=web", 303)]
    assert "Several exports are being written" in words(page)
    for response in running:
        response.close()
    assert reader.post(EXPORT, {"query": "", "format": "csv"}).status_code == 200


def test_no_row_and_no_count_of_another_credential_is_in_a_file(reader: Client, viewing: Client) -> None:
    read_on(viewing)
    about, *rows = read_lines(viewing.post(EXPORT, {"query": "", "format": "jsonl"}))
    assert (len(rows), about["export"]["known"], about["export"]["total"]) == (12, 12, 12)
    own = {row["id"] for row in read_lines(reader.post(EXPORT, {"query": "", "format": "jsonl"}))[1:]}
    assert len(own) == 150
    assert own.isdisjoint(row["id"] for row in rows)
    assert "(12)" in words(viewing.get(EXPORT))


def test_without_an_index_the_page_leads_to_the_live_list_and_the_menu_has_no_such_entry(
    reader: Client, settings: Settings
) -> None:
    settings.FLEET_INDEX = False
    assert "All that match" not in words(reader.get(LIST))
    page = reader.post(EXPORT, {"query": "tags=web", "format": "csv"}, follow=True)
    assert page.redirect_chain == [(f"{EXPORT}?tags=web", 303)]
    assert "The index cannot answer" in words(page)
    assert f'href="{LIST}?tags=web"' in text(page)


def test_without_a_credential_there_is_no_file(operator_client: Client, otto: Member) -> None:
    otto.credentials.all().delete()
    response = operator_client.post(EXPORT, {"query": "", "format": "csv"})
    assert 'name="next"' in text(response)
    assert not Event.objects.filter(act=Action.INSTANCES_EXPORTED).exists()
