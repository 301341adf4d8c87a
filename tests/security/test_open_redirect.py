"""Open redirects: every place that takes a URL to redirect to."""

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.sandbox.server import Sandbox
from portal.site.context import DOCUMENTATION_URL
from tests.conftest import PASSWORD
from tests.memory import forget_everything

ELSEWHERE = [
    "https://evil.example/",
    "http://evil.example",
    "//evil.example/",
    "///evil.example/",
    "////evil.example//x",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "\n//evil.example",
    "/%09/evil.example\t",
    " //evil.example",
    "https:evil.example",
    "https:///evil.example",
    "http:\\\\evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "http://testserver@evil.example/",
    "http://testserver:x@evil.example/",
    "http://testserver.evil.example/",
    "http://evil.example#testserver",
    "http://evil.example\\@testserver/",
    "http://testserver:9999/",
    "ftp://testserver/",
    "http://[::1/",
    "/x\r\nLocation: https://evil.example/",
]
# Of them, what browsers take for a path of ours, whatever it looks like.
INSIDE = ["/%09/evil.example\t", "/x\r\nLocation: https://evil.example/"]
OWN = "/spo1/instances/?name=web-*&tags=a,b"


def is_own(location: str) -> bool:
    """Whether a browser at http://testserver/ stays there. To it a backslash is a slash, and some signs are nothing."""
    read = "".join(sign for sign in location if sign not in "\t\r\n").strip().replace("\\", "/")
    if read.startswith("//") or not read.startswith("/"):
        return False
    return urlsplit(read).netloc == ""


def sign_in(client: Client, target: str) -> Any:
    return client.post("/sign-in/", {"login": "vera", "password": PASSWORD, "next": target})


def sign_in_from_the_address(client: Client, target: str) -> Any:
    return client.post("/sign-in/?" + "next=" + _quote(target), {"login": "vera", "password": PASSWORD})


def open_sign_in_page_signed_in(client: Client, target: str) -> Any:
    client.login(username="vera", password=PASSWORD)
    return client.get("/sign-in/", {"next": target})


def change_theme(client: Client, target: str) -> Any:
    client.login(username="vera", password=PASSWORD)
    return client.post("/preferences/theme/", {"theme": "dark", "next": target})


def enter_credential(client: Client, target: str) -> Any:
    client.login(username="vera", password=PASSWORD)
    return client.post("/credentials/spo1/", {"kind": "bearer", "token": "sandbox-globex-token", "next": target})


def enter_credential_from_the_address(client: Client, target: str) -> Any:
    client.login(username="vera", password=PASSWORD)
    return client.post("/credentials/spo1/?next=" + _quote(target), {"kind": "bearer", "token": "sandbox-globex-token"})


def _quote(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


PLACES: list[Callable[[Client, str], Any]] = [
    sign_in,
    sign_in_from_the_address,
    open_sign_in_page_signed_in,
    change_theme,
    enter_credential,
    enter_credential_from_the_address,
]


@pytest.mark.parametrize("go", PLACES)
def test_nothing_leads_to_another_origin(
    vera: Member, sandbox: Sandbox, settings: Settings, go: Callable[[Client, str], Any]
) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    for target in ELSEWHERE:
        # Credentials are tried, and their form is sent, a few times a minute, too.
        forget_everything()
        caches["default"].clear()
        response = go(Client(), target)
        assert response.status_code == 302, target
        assert is_own(response["Location"]), target


@pytest.mark.parametrize("go", PLACES)
def test_a_page_of_ours_is_gone_on_to(
    client: Client, vera: Member, sandbox: Sandbox, go: Callable[[Client, str], Any]
) -> None:
    assert go(client, OWN)["Location"] == OWN


def test_no_link_of_a_page_that_was_given_one_leads_elsewhere(client: Client, vera: Member, sandbox: Sandbox) -> None:
    client.force_login(vera)
    for target in ELSEWHERE:
        for browser, path in ((client, "/credentials/spo1/"), (Client(), "/sign-in/")):
            page = browser.get(path, {"next": target}).content.decode()
            links = re.findall(r'\s(?:href|src|action|formaction|hx-get|hx-post)="([^"]*)"', page)
            assert links
            led = [html.unescape(link) for link in links if link and not link.startswith("#")]
            assert {link for link in led if not is_own(link)} <= {DOCUMENTATION_URL}


def test_the_way_back_to_sign_in_names_no_other_origin(client: Client, db: None) -> None:
    """It is taken from headers that another site, or what lies between, may have had a hand in."""
    for target in filter(str.isprintable, ELSEWHERE):
        answers = [
            client.post("/preferences/", headers={"referer": target})["Location"],
            client.get("/preferences/", headers={"hx-request": "true", "hx-current-url": target})["HX-Redirect"],
        ]
        for location in answers:
            assert urlsplit(location).path == "/sign-in/"
            assert is_own(location)
            assert is_own(parse_qs(urlsplit(location).query).get("next", ["/"])[0])


def test_the_measure_knows_a_way_out_when_it_sees_one() -> None:
    assert [target for target in ELSEWHERE if is_own(target)] == INSIDE
    assert is_own(OWN)
