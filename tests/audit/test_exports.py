"""The audit log as a file: filtered, complete, in order, without formulas, and itself logged."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.audit import services
from portal.audit.models import Action, Event
from tests.audit.rows import write

EXPORT = "/audit/export/"


@pytest.fixture
def as_ada(client: Client, ada: Member) -> Client:
    client.force_login(ada)
    return client


def read_body(response: Any) -> str:
    return b"".join(response.streaming_content).decode("utf-8-sig")


def read_csv(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(read_body(response), newline="")))


def read_lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_body(response).splitlines()]


def test_csv_holds_every_field_of_every_event_oldest_first(as_ada: Client, ada: Member) -> None:
    write(name="vera", subject='a "quoted", subject', address="203.0.113.9", user_agent="Lynx", request_id="req-1")
    response = as_ada.post(EXPORT, {"format": "csv"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="audit-2')
    rows = read_csv(response)
    assert [row["act"] for row in rows] == ["signed-in", "signed-in"]
    assert rows[0]["member_id"] == str(ada.pk)
    assert rows[1] | {"id": "", "at": ""} == {
        "id": "",
        "at": "",
        "act": "signed-in",
        "member_id": "",
        "name": "vera",
        "subject": 'a "quoted", subject',
        "address": "203.0.113.9",
        "user_agent": "Lynx",
        "request_id": "req-1",
    }
    assert rows[1]["at"].endswith("Z")


def test_json_lines_hold_the_same(as_ada: Client, ada: Member) -> None:
    event = write(name="=1+1", subject="Zoë\u2028")
    response = as_ada.post(EXPORT, {"format": "jsonl"})
    assert response["Content-Type"] == "application/jsonl; charset=utf-8"
    body = read_body(response)
    found = [json.loads(line) for line in body.rstrip("\n").split("\n")]
    assert found[-1]["id"] == event.pk
    assert found[-1]["name"] == "=1+1"
    assert found[-1]["subject"] == "Zoë\u2028"
    assert set(found[-1]) == set(services.COLUMNS)


def test_the_filters_hold_for_the_file(as_ada: Client) -> None:
    write(name="vera", days_ago=10)
    write(name="vera", act=Action.SIGNED_OUT)
    write(name="otto")
    assert [row["name"] for row in read_lines(as_ada.post(EXPORT, {"format": "jsonl", "member": "Otto"}))] == ["otto"]
    found = read_lines(as_ada.post(EXPORT, {"format": "jsonl", "member": "vera", "act": "signed-out"}))
    assert [row["act"] for row in found] == ["signed-out"]
    since = write(name="vera").at.date().isoformat()
    assert len(read_lines(as_ada.post(EXPORT, {"format": "jsonl", "member": "vera", "since": since}))) == 2


def test_an_export_is_on_record_with_its_filters_and_does_not_hold_itself(as_ada: Client, ada: Member) -> None:
    response = as_ada.post(EXPORT, {"format": "csv", "member": "ada"})
    assert "audit-exported" not in read_body(response)
    event = Event.objects.get(act=Action.AUDIT_EXPORTED)
    assert (event.member, event.subject) == (ada, "csv, member=ada")
    as_ada.post(EXPORT, {"format": "jsonl"})
    assert Event.objects.filter(act=Action.AUDIT_EXPORTED, subject="jsonl, everything").exists()


@pytest.mark.parametrize("given", [{}, {"format": "xlsx"}, {"format": "csv", "since": "yesterday"}])
def test_what_cannot_be_exported_is_refused_and_not_on_record(as_ada: Client, given: dict[str, str]) -> None:
    assert as_ada.post(EXPORT, given).status_code == 400
    assert not Event.objects.filter(act=Action.AUDIT_EXPORTED).exists()


def test_all_batches_are_in_it_once(as_ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "EXPORTED_AT_ONCE", 2)
    for number in range(5):
        write(name=f"n{number}")
    names = [row["name"] for row in read_csv(as_ada.post(EXPORT, {"format": "csv"}))]
    assert names == ["ada", "n0", "n1", "n2", "n3", "n4"]


def test_the_page_offers_both_kinds_with_the_filters_in_place(as_ada: Client) -> None:
    text = as_ada.get("/audit/", {"member": "ada"}).content.decode()
    assert f'action="{EXPORT}"' in text
    assert '<input type="hidden" name="member" value="ada">' in text
    assert 'name="format" value="csv"' in text
    assert 'name="format" value="jsonl"' in text
