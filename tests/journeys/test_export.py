"""Exporting the current page."""

import csv
import json
import re
from io import StringIO

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from tests.journeys.pages import LIST, form, ids, link, text, words
from tests.upstream import Upstream

EXPORT = f"{LIST}export/"


def test_the_csv_has_the_rows_and_the_columns_of_the_page(operator_client: Client, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(columns="name,ram")
    page = operator_client.get(f"{LIST}?tags=web&limit=50")
    response = operator_client.post(EXPORT, {"query": "tags=web&limit=50", "format": "csv"})
    head, *rows = csv.reader(StringIO(response.content.decode("utf-8-sig"), newline=""))
    assert head == ["id", "name", "flavor.ram"]
    assert [row[0] for row in rows] == ids(page)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="instances-spo1-\d{8}T\d{6}Z\.csv"', response.headers["Content-Disposition"]
    )


def test_the_json_is_of_the_page_that_htmx_came_to(operator_client: Client) -> None:
    second = operator_client.get(link(operator_client.get(LIST), "Next"))
    address = f"{LIST}?{second.request['QUERY_STRING']}"
    page = json.loads(operator_client.post(EXPORT, {"query": address, "format": "json"}).content)
    assert [instance["id"] for instance in page["instances"]] == ids(second)
    assert page["source"].startswith("/v1/instances?limit=20&marker=")


def test_an_export_costs_bycloud_no_more_than_the_page(operator_client: Client, upstream: Upstream) -> None:
    operator_client.get(LIST)
    upstream.clear()
    for kind in ("csv", "json"):
        assert operator_client.post(EXPORT, {"query": "", "format": kind}).status_code == 200
    assert upstream.requests() == []
    operator_client.post(EXPORT, {"query": "limit=100", "format": "csv"})
    assert len(upstream.requests()) == 1


def test_an_export_is_on_record_with_what_it_held(operator_client: Client) -> None:
    operator_client.post(EXPORT, {"query": "", "format": "csv"})
    operator_client.post(EXPORT, {"query": "name=none", "format": "json"})
    events = Event.objects.filter(act=Action.INSTANCES_EXPORTED).order_by("id").values_list("name", "subject")
    assert list(events) == [
        ("otto", "spo1: 20 instances, csv, limit=20"),
        ("otto", "spo1: 0 instances, json, name=none"),
    ]


@pytest.mark.parametrize(("query", "kind"), [("limit=0", "csv"), ("", "xlsx"), ("", "")])
def test_what_cannot_be_exported_is_refused_and_not_on_record(operator_client: Client, query: str, kind: str) -> None:
    assert operator_client.post(EXPORT, {"query": query, "format": kind}).status_code == 400
    assert not Event.objects.filter(act=Action.INSTANCES_EXPORTED).exists()


def test_without_a_credential_or_an_answer_there_is_no_file(
    client: Client, otto: Member, operator_client: Client
) -> None:
    otto.credentials.all().delete()
    response = operator_client.post(EXPORT, {"query": "", "format": "csv"})
    assert "text/html" in response.headers["Content-Type"]
    assert 'name="next"' in text(response)


def test_an_export_that_fails_says_why(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(status=503, times=10)
    response = operator_client.post(EXPORT, {"query": "", "format": "csv"})
    assert response.status_code == 503
    assert "ByCloud is unavailable (503)" in words(response)
    assert not Event.objects.filter(act=Action.INSTANCES_EXPORTED).exists()


def test_trying_a_failed_export_again_keeps_its_filter(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(status=503, times=10)
    failed = operator_client.post(EXPORT, {"query": "name=cold-*", "format": "csv"})
    action, fields = form(failed, "Retry")
    assert fields["query"] == "name=cold-%2A"
    upstream.clear()
    # As htmx sends it from the page that the failed export left behind.
    headers = {"HX-Request": "true", "HX-Target": "results", "HX-Current-URL": f"http://testserver{EXPORT}"}
    again = operator_client.post(action, fields, headers=headers)
    assert (again.status_code, again.headers["Location"]) == (303, f"{LIST}?name=cold-%2A")
