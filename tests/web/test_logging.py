"""Log lines: JSON, complete, and without secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.test import Client

from portal.accounts.models import Member
from portal.web.logging import LOGGING, redact

pytestmark = pytest.mark.urls("tests.accounts.open_urls")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What goes to standard error, by the settings' own handler and formatter."""
    stream = io.StringIO()
    handler = next(handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before or handler.stream)


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_one_line_a_request_with_id_member_route_and_time(client: Client, ada: Member, lines: io.StringIO) -> None:
    client.force_login(ada)
    response = client.get("/audit/?member=vera", headers={"user-agent": "Lynx"})
    (line,) = read(lines)
    assert line["request_id"] == response["X-Request-Id"]
    assert (line["member"], line["route"], line["code"]) == ("ada", "audit:list", 200)
    assert line["request"] == "GET /audit/"
    assert line["address"] == "127.0.0.1"
    assert isinstance(line["milliseconds"], int)
    assert line["level"] == "info"


def test_the_next_request_inherits_nothing(client: Client, ada: Member, lines: io.StringIO) -> None:
    client.force_login(ada)
    client.get("/audit/")
    Client().get("/nothing-here/")
    line = read(lines)[-1]
    assert line["code"] == 404
    assert "member" not in line
    assert "route" not in line


def test_query_strings_and_passwords_are_not_logged(client: Client, vera: Member, lines: io.StringIO) -> None:
    client.post("/sign-in/?next=/secret-place/", {"login": "vera", "password": "my-wrong-secret"})
    assert "secret-place" not in lines.getvalue()
    assert "my-wrong-secret" not in lines.getvalue()


@pytest.mark.parametrize("path", ["/invitations/T0K3N-of-an-invitation/", "/invitations/T0K3N-of-an-invitation"])
def test_the_link_of_an_invitation_is_not_logged(client: Client, db: None, lines: io.StringIO, path: str) -> None:
    client.get(path)
    assert "T0K3N" not in lines.getvalue()
    assert read(lines)[-1]["request"].startswith("GET /invitations/[removed]")


def test_a_crash_is_logged_with_its_cause_and_without_values(client: Client, db: None, lines: io.StringIO) -> None:
    client.raise_request_exception = False
    response = client.get("/crash/")
    line = next(line for line in read(lines) if line["event"] == "request_failed")
    assert line["request_id"] == response["X-Request-Id"]
    assert "RuntimeError" in line["exception"]
    assert "hunter2" not in lines.getvalue()


def test_a_host_that_is_not_ours_leaves_one_line_and_no_traceback(client: Client, db: None, lines: io.StringIO) -> None:
    client.get("/sign-in/", headers={"host": "evil.example"})
    (line,) = read(lines)
    assert line["code"] == 400


def test_lines_of_other_libraries_are_json_without_secrets_too(lines: io.StringIO) -> None:
    logging.getLogger("urllib3").warning("retrying with %s", {"Authorization": "Bearer sandbox-acme-token"})
    (line,) = read(lines)
    assert line["logger"] == "urllib3"
    assert "sandbox-acme-token" not in lines.getvalue()


def test_our_own_lines_are_json(lines: io.StringIO) -> None:
    structlog.get_logger("portal").warning("happened", what="this")
    (line,) = read(lines)
    assert (line["event"], line["what"], line["level"]) == ("happened", "this", "warning")


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"token": "abc", "kind": "bearer"}, {"token": "[removed]", "kind": "bearer"}),
        ({"X-Api-Key": "id:abc"}, {"X-Api-Key": "[removed]"}),
        ({"x_api_key": "abc", "api-key": "abc"}, {"x_api_key": "[removed]", "api-key": "[removed]"}),
        ({"headers": {"Authorization": "Bearer abc"}}, {"headers": {"Authorization": "[removed]"}}),
        ({"all": [{"password": "abc"}, "secret=abc"]}, {"all": [{"password": "[removed]"}, "secret=[removed]"]}),
        ({"text": "Authorization: Bearer abc.d-e_f"}, {"text": "Authorization: Bearer [removed]"}),
        ({"text": "authorization=basic abc="}, {"text": "authorization=basic [removed]"}),
        ({"text": "X-Api-Key: AKIA1:abc/d+e, more"}, {"text": "X-Api-Key: [removed], more"}),
        ({"text": '{"access_token": "abc"}'}, {"text": '{"access_token": "[removed]"}'}),
        ({"text": "new_password=abc&x=1"}, {"text": "new_password=[removed]&x=1"}),
        ({"count": 3, "ok": True, "none": None, "x": 1.5}, {"count": 3, "ok": True, "none": None, "x": 1.5}),
        ({"text": "nothing to hide"}, {"text": "nothing to hide"}),
    ],
)
def test_nothing_that_looks_like_a_secret_goes_out(event: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert redact(None, "info", event) == wanted


def test_redaction_is_the_last_step_before_the_line_is_written() -> None:
    processors = LOGGING["formatters"]["json"]["processors"]  # type: ignore[index]
    assert processors[-2] is redact
