"""The complete set of headers of every kind of response, as in production."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from tests.conventions.test_access import ROUTES
from tests.security.production import HOST, SecureClient, serve_as_production

pytestmark = pytest.mark.urls("tests.accounts.open_urls")

OFF = {
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
SAFETY = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
# What an answer may carry beside them. A header that stands in neither list, such as one that tells of the software
# behind it, fails.
ALLOWED = {
    "Allow",
    "Cache-Control",
    "Clear-Site-Data",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Security-Policy",
    "Content-Type",
    "Expires",
    "Location",
    "Permissions-Policy",
    "Retry-After",
    "Vary",
    "X-Request-Id",
}
OF_STATIC_FILES = {"Last-Modified", "ETag"}


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    serve_as_production(settings)


@pytest.fixture
def browser() -> Client:
    client = SecureClient()
    client.raise_request_exception = False
    return client


def list_wrongs(client: Client, method: str, path: str, **headers: str) -> Iterator[str]:
    """What is wrong with the headers of one answer, in words; nothing for a good one."""
    response = client.generic(method, path, headers=headers)
    response.close()
    found = dict(response.items())
    is_file = path.startswith("/static/") and response.status_code == 200
    where = f"{method} {path} ({response.status_code})"
    for name, value in SAFETY.items():
        if found.get(name) != value:
            yield f"{where}: {name} is {found.get(name)!r}"
    if {part.strip() for part in found.get("Content-Security-Policy", "").split(";")} != POLICY:
        yield f"{where}: the content policy is {found.get('Content-Security-Policy')!r}"
    permissions = {part.strip() for part in found.get("Permissions-Policy", "").split(",")}
    if is_file:
        permissions = set()
    elif missing := {f"{feature}=()" for feature in OFF} - permissions:
        yield f"{where}: not switched off: {sorted(missing)}"
    if open_to := [part for part in permissions if not part.endswith(("=()", "=(self)"))]:
        yield f"{where}: open to others: {open_to}"
    if not is_file and found.get("Cache-Control") != "no-store":
        yield f"{where}: Cache-Control is {found.get('Cache-Control')!r}"
    to_htmx = {name for name in found if name.startswith("HX-")}
    if odd := found.keys() - SAFETY.keys() - ALLOWED - to_htmx - (OF_STATIC_FILES if is_file else set()):
        yield f"{where}: carries {sorted(odd)} too"
    yield from (f"{where}: {what}" for what in list_loose_cookies(response))


def list_loose_cookies(response: Any) -> Iterator[str]:
    for cookie in response.cookies.values():
        # One that is being deleted has no value to hide.
        is_shut = cookie["httponly"] or not cookie.value
        if not (cookie.key.startswith("__Host-") and cookie["secure"] and is_shut and cookie["path"] == "/"):
            yield f"the cookie {cookie.key} is loose"
        if cookie["domain"] or cookie["samesite"] not in {"Lax", "Strict"}:
            yield f"the cookie {cookie.key} goes too far"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("who", ["unsigned", "admin"])
def test_every_route_answers_with_the_whole_set(browser: Client, ada: Member, who: str, method: str) -> None:
    wrongs: list[str] = []
    for route in ROUTES.values():
        if who == "admin":
            browser.force_login(ada)
        wrongs += list_wrongs(browser, method, route.path)
    assert wrongs == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing-here/", 404),
        ("/undeclared/", 302),
        ("/crash/", 500),
        ("/static/css/base.css", 200),
        ("/static/js/page.js", 200),
        ("/static/nothing.css", 404),
        ("/static/../manage.py", 404),
        ("/favicon.ico", 404),
        ("/health/live/", 200),
        ("/team", 301),
        ("/spo1/instances/?limit=nonsense", 302),
    ],
)
def test_errors_redirects_and_files_answer_with_the_whole_set(
    browser: Client, db: None, path: str, status: int
) -> None:
    response = browser.get(path)
    response.close()
    assert response.status_code == status
    assert list(list_wrongs(browser, "GET", path)) == []


def test_a_host_name_that_is_not_ours_is_answered_with_the_whole_set(browser: Client, db: None) -> None:
    assert browser.get("/sign-in/", headers={"host": "evil.example"}).status_code == 400
    assert list(list_wrongs(browser, "GET", "/sign-in/", host="evil.example")) == []


def test_a_refusal_is_answered_with_the_whole_set(browser: Client, vera: Member) -> None:
    browser.force_login(vera)
    assert browser.get("/audit/").status_code == 403
    assert list(list_wrongs(browser, "GET", "/audit/")) == []


def test_a_form_without_its_check_value_is_answered_with_the_whole_set(ada: Member) -> None:
    client = SecureClient(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post("/sign-out/").status_code == 403
    assert list(list_wrongs(client, "POST", "/sign-out/")) == []


def test_a_fragment_is_answered_with_the_whole_set(browser: Client, ada: Member) -> None:
    browser.force_login(ada)
    answer = {"HX-Request": "true", "HX-Target": "results", "HX-Current-URL": f"https://{HOST}/spo1/instances/"}
    assert list(list_wrongs(browser, "GET", "/spo1/instances/", **answer)) == []


def test_plain_http_is_sent_to_tls_before_anything_else(db: None) -> None:
    """On that answer browsers ignore a promise of TLS, so there is none; health alone answers, for probes."""
    client = Client(SERVER_NAME=HOST)
    response = client.get("/team/?a=b")
    assert (response.status_code, response["Location"]) == (301, f"https://{HOST}/team/?a=b")
    assert "Strict-Transport-Security" not in response
    assert not response.cookies
    assert client.get("/health/live/").status_code == 200


def test_the_cookies_of_a_whole_sign_in_stay_with_this_host(browser: Client, vera: Member) -> None:
    browser.get("/sign-in/")
    response = browser.post("/sign-in/", {"login": "vera", "password": "a-long-enough-password"})
    assert response.status_code == 302
    kept = {**browser.cookies, **response.cookies}
    assert set(kept) >= {"__Host-sessionid", "__Host-csrftoken"}
    for name, cookie in kept.items():
        assert name.startswith("__Host-")
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        # A session's cookie goes with the browser.
        assert name == "__Host-csrftoken" or not cookie["max-age"]
