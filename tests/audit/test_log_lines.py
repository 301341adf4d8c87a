"""Every event is also a JSON log line with the same text, written after the commit."""

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import structlog
from django.db import transaction
from django.test import Client

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.audit.services import record_event
from portal.core.logs import LOGGING
from tests.conftest import PASSWORD

Committing = Callable[..., AbstractContextManager[list[Any]]]


def read_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines as the handler of the settings writes them."""
    options = dict(LOGGING["formatters"]["json"])
    options.pop("()")
    formatter = structlog.stdlib.ProcessorFormatter(**options)
    return [json.loads(formatter.format(record)) for record in caplog.records if record.name == "portal.audit.services"]


def test_a_sign_in_is_a_line_with_who_where_and_which_request(
    client: Client, vera: Member, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Committing
) -> None:
    with caplog.at_level(logging.INFO), django_capture_on_commit_callbacks(execute=True):
        client.post("/sign-in/", {"login": "vera", "password": PASSWORD}, headers={"user-agent": "Lynx/2.9"})
    event = Event.objects.get(act=Action.SIGNED_IN)
    (line,) = [line for line in read_lines(caplog) if line["act"] == "signed-in"]
    assert line["event"] == "audit"
    assert (line["id"], line["name"], line["member_id"]) == (event.pk, "vera", vera.pk)
    assert (line["address"], line["user_agent"]) == ("127.0.0.1", "Lynx/2.9")
    assert line["request_id"] == event.request_id != ""
    assert line["at"].endswith("Z")


def test_a_change_is_a_line(
    vera: Member, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Committing
) -> None:
    with caplog.at_level(logging.INFO), django_capture_on_commit_callbacks(execute=True):
        record_event(Action.ROLE_CHANGED, member=vera, subject="otto: viewer → admin")
    assert [(line["act"], line["subject"]) for line in read_lines(caplog)] == [("role-changed", "otto: viewer → admin")]


def test_what_is_rolled_back_leaves_no_line(
    vera: Member, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Committing
) -> None:
    def fail() -> None:
        with transaction.atomic():
            record_event(Action.ROLE_CHANGED, member=vera)
            raise RuntimeError

    with caplog.at_level(logging.INFO), django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
        fail()
    assert read_lines(caplog) == []
    assert not Event.objects.exists()
