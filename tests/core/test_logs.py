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
from portal.core.logs import LOGGING, redact

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
    assert read(lines)[-1]["request"].startswith("GET /invitations/[22 characters]")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/invitation/T0K3N-of-an-invitation/", "/[10 characters]/[22 characters]/"),
        ("/invitations/T0K3N/x", "/invitations/[5 characters]/[1 characters]"),
        ("/T0K3N", "/[5 characters]"),
        ("/password/new/MQ/T0K3N", "/password/new/[2 characters]/[5 characters]"),
        ("/password/new/MQ/T0K3N.", "/password/new/[2 characters]/[6 characters]"),
        ("/credentials/T0K3N/remove/", "/credentials/[5 characters]/remove/"),
        ("/spo1/instances/bearer T0K3N/", "/spo1/instances/[12 characters]/"),
        ("/team/7/role", "/team/[1 characters]/role"),
        ("/health/live/" + "T0K3N/" * 1000, "/health/live/" + "[5 characters]/" * 5 + "[5970 characters]"),
    ],
)
def test_a_path_where_nothing_is_shows_the_portals_own_words_alone(
    client: Client, db: None, lines: io.StringIO, path: str, shown: str
) -> None:
    """Someone mistypes the address they were sent, or pastes a token into the address bar."""
    client.get(path)
    assert "T0K3N" not in lines.getvalue()
    assert read(lines)[-1]["request"] == f"GET {shown}"


def test_a_path_that_leads_somewhere_is_logged_as_it_is(client: Client, ada: Member, lines: io.StringIO) -> None:
    client.force_login(ada)
    path = "/spo1/instances/3f2b8c4e-9a1d-4c5e-8f7a-1b2c3d4e5f60.json"
    client.get(path)
    assert read(lines)[-1]["request"] == f"GET {path}"


@pytest.mark.parametrize("path", ["/password/new/MQ/T0K3N/", "/password/new/T0K3N-\u00e7/x/"])
def test_lines_of_django_about_a_request_do_not_tell_where_it_went(db: None, lines: io.StringIO, path: str) -> None:
    Client(enforce_csrf_checks=True).post(path)
    assert "CSRF cookie not set" in lines.getvalue()
    assert "T0K3N" not in lines.getvalue()


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


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ("token" * 2000, 2_100),
        ("x" * 10**6, 2_100),
        (["x" * 10**6] * 1000, 2_100 * 50),
        ({"x" * 10**6: 1}, 2_100),
        ({str(number): "x" for number in range(10_000)}, 1_000),
        ("a=b " * 10**5, 2_100),
        (10**4000, 2_100),
    ],
    ids=["secrets", "text", "list", "key", "keys", "pairs", "number"],
)
def test_nothing_long_is_looked_at_or_written(given: Any, length: int) -> None:
    assert len(json.dumps(redact(None, "info", {"given": given}))) < length


def test_a_line_has_an_end_however_deep_and_wide_what_is_logged(lines: io.StringIO) -> None:
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    structlog.get_logger("portal").warning("happened", deep=deep, **{f"key{number}": 1 for number in range(500)})
    (line,) = read(lines)
    assert len(line) <= 50


def test_a_long_traceback_keeps_its_end(lines: io.StringIO) -> None:
    cause = RuntimeError("x" * 10**6 + " the cause")
    logging.getLogger("portal").error("failed", exc_info=cause)
    (line,) = read(lines)
    assert line["exception"].startswith("RuntimeError: xxx")
    assert line["exception"].endswith("the cause")
    assert len(line["exception"]) < 16_100


def test_redaction_is_the_last_step_before_the_line_is_written() -> None:
    processors = LOGGING["formatters"]["json"]["processors"]
    assert processors[-2] is redact
