"""Headers and log lines cannot be injected into, whatever a client sends."""

import json
import logging
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import structlog
from django.test import Client

from portal.accounts.models import Member
from portal.audit.models import NOT_A_NAME, Action, Event
from portal.audit.services import record_event
from portal.bycloud import BearerToken
from portal.core.logs import LOGGING
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.upstream import Upstream

LIST = "/spo1/instances/"
BREAKS = ("\r\n", "\n", "\r", "\u2028", "\u0085", "%0d%0a", "\x00", "\x1b[2K")
FAKE = '{"event": "audit", "act": "role-changed", "name": "ada"}'


@pytest.fixture
def as_ada(client: Client, ada: Member, sandbox: Sandbox) -> Client:
    keep(ada, BearerToken("sandbox-acme-token"))
    client.force_login(ada)
    return client


@pytest.fixture
def read_log(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """All that was logged, each as the text that the handler of the settings writes."""
    options = dict(LOGGING["formatters"]["json"])
    options.pop("()")
    formatter = structlog.stdlib.ProcessorFormatter(**options)
    with caplog.at_level(logging.INFO):
        yield lambda: [formatter.format(record) for record in caplog.records]


def list_headers(response: Any) -> list[str]:
    return [f"{name}: {value}" for name, value in response.headers.items()]


def has_break(text: str) -> bool:
    return any(sign in text for sign in "\r\n\x00\u0085\u2028")


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in/?next=/{}",
        "/credentials/spo1/?next=/{}",
        LIST + "?name={}",
        LIST + "?{}=1",
        LIST + "{}/",
        "/{}/instances/",
        "/invitations/{}/",
        "/audit/?member={}",
        "/no-such-page/{}",
    ],
)
def test_no_address_puts_a_line_into_the_headers(as_ada: Client, path: str) -> None:
    for sign, headers in product(BREAKS, ({}, {"hx-request": "true", "hx-target": "results"})):
        attack = f"x{sign}Set-Cookie: evil=1{sign}{sign}<script>"
        response = as_ada.get(path.format(attack), headers=headers)
        assert response.status_code < 500
        assert not any(has_break(header) for header in list_headers(response))
        assert "evil" not in response.cookies


@pytest.mark.parametrize("sign", BREAKS)
def test_no_form_puts_a_line_into_the_headers(as_ada: Client, sign: str) -> None:
    attack = f"/x{sign}Set-Cookie: evil=1"
    posts = {
        "/preferences/theme/": {"theme": "dark", "next": attack},
        "/credentials/spo1/": {"kind": "bearer", "token": "sandbox-acme-token", "next": attack},
        f"{LIST}refresh/": {"query": attack},
        f"{LIST}revalidate/": {"query": attack, "instance": attack},
        "/audit/export/": {"format": "csv", "member": f"ada{sign}evil"},
    }
    for path, given in posts.items():
        response = as_ada.post(path, given)
        assert response.status_code < 500
        assert not any(has_break(header) for header in list_headers(response))
        assert "evil" not in response.cookies


@pytest.mark.parametrize("header", ["x-request-id", "x-correlation-id"])
def test_a_client_does_not_choose_the_request_id(
    as_ada: Client, read_log: Callable[[], list[str]], header: str
) -> None:
    response = as_ada.get(LIST, headers={header: "chosen-by-eve"})
    assert response.headers["X-Request-Id"] != "chosen-by-eve"
    assert read_log()
    assert not any("chosen-by-eve" in line for line in read_log())


@pytest.mark.parametrize("sign", BREAKS)
def test_whatever_is_sent_a_log_entry_stays_one_line_of_json(
    db: None,
    sandbox: Sandbox,
    read_log: Callable[[], list[str]],
    django_capture_on_commit_callbacks: Callable[..., Any],
    sign: str,
) -> None:
    client = Client()
    attack = f"eve{sign}{FAKE}"
    with django_capture_on_commit_callbacks(execute=True):
        for login in (attack, "eve"):
            form = {"login": login, "password": "x"}
            client.post("/sign-in/", form, headers={"user-agent": attack, "referer": attack})
    client.get(f"/{attack}")
    client.get("/", headers={"x-forwarded-for": attack})
    lines = read_log()
    assert not any("\n" in line or "\r" in line for line in lines)
    told = [entry for entry in map(json.loads, lines) if entry["event"] == "audit"]
    assert {entry["act"] for entry in told} == {"sign-in-failed"}
    assert {"eve"} <= {entry["name"] for entry in told} <= {"eve", NOT_A_NAME}


@pytest.mark.parametrize("sign", BREAKS)
def test_what_bycloud_says_stays_one_line_too(
    as_ada: Client, upstream: Upstream, read_log: Callable[[], list[str]], sign: str
) -> None:
    attack = f"x{sign}{FAKE}"
    upstream.script(times=None, status=500, body={"error": {"code": 500, "message": attack, "request_id": attack}})
    as_ada.get(LIST)
    lines = [line for line in read_log() if "bycloud_request_failed" in line]
    assert lines
    assert all("\n" not in line and json.loads(line)["event"] == "bycloud_request_failed" for line in lines)


@pytest.mark.parametrize("sign", ["\r\n", "\n", "\u2028", "\u202e", "\x1b[2K", "\x00"])
def test_an_audit_event_has_no_line_of_its_own_making(db: None, sign: str) -> None:
    for login in (f"eve{sign}ada", "eve"):
        Client().post("/sign-in/", {"login": login, "password": "x"}, headers={"user-agent": f"a{sign}b"})
    record_event(Action.VIEW_SHARED, name=f"eve{sign}ada", subject=f"eve{sign}ada")
    assert {"eve"} <= set(Event.objects.values_list("name", flat=True)) <= {"eve", NOT_A_NAME}
    for event in Event.objects.all():
        assert event.subject.isprintable()
        assert event.user_agent.isprintable()
