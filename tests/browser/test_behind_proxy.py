"""A proxy with its own sessions: when one ends, an open page tells the member what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, fill_sign_in, list_ids

pytestmark = pytest.mark.browser

PASSED_ON = ("host", "origin", "referer", "cookie", "content-type", "accept-language")


class Proxy(ThreadingHTTPServer):
    """Passes everything on until its session has ended: then it leads to `sign_in_url`, or answers itself."""

    daemon_threads = True
    has_ended = False
    sign_in_url = ""
    status = 401
    body = b""

    def __init__(self, portal_url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.portal_url = portal_url

    def handle_error(self, *_args: object) -> None:
        """A browser that has gone on does not wait for the rest."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Passing(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not proxy.has_ended:
            headers = {
                name: text
                for name, text in self.headers.items()
                if name.lower() in PASSED_ON or name.lower().startswith(("hx-", "portal-"))
            }
            url = f"{proxy.portal_url}{self.path}"
            answer = requests.request(
                self.command, url, headers=headers, data=body, allow_redirects=False, timeout=30, stream=True
            )
            self.answer(answer.status_code, answer.raw.headers.items(), answer.content)
        elif proxy.sign_in_url:
            self.answer(302, [("Location", proxy.sign_in_url)], b"")
        else:
            self.answer(proxy.status, [("Content-Type", "text/html")], proxy.body)

    do_POST = do_HEAD = do_GET  # noqa: N815 -- the server's names

    def answer(self, status: int, headers: object, body: bytes) -> None:
        self.send_response(status)
        for name, text in headers:  # type: ignore[attr-defined]
            if name.lower() not in {"connection", "content-length", "content-encoding", "transfer-encoding", "date"}:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def serve(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def proxy(visits: Visits) -> Iterator[Proxy]:
    proxy = Proxy(visits.portal.url)
    with serve(proxy):
        yield proxy


def open_through(visits: Visits, proxy: Proxy) -> Page:
    visits.expected += ["request to another host", "htmx:", "Failed to load", "Content Security Policy"]
    visits.expected += ["CORS policy", "Response Status Error Code"]
    page = visits.open()
    page.goto(proxy.url)
    fill_sign_in(page, "ada", visits.portal.passwords["ada"])
    page.goto(f"{proxy.url}/spo1/instances/?limit=9")
    expect(page.locator("#pager")).to_contain_text("1–9 of")
    return page


def reload_offered(page: Page) -> None:
    errors = page.locator("#request-error")
    expect(errors).to_contain_text("This page must be loaded again")
    expect(errors).not_to_contain_text("connection")


@pytest.mark.parametrize("status", [302, 401, *(pytest.param(one, marks=pytest.mark.slow) for one in (200, 403))])
def test_when_the_session_at_the_proxy_has_ended_the_page_offers_to_be_loaded_again(
    visits: Visits, proxy: Proxy, status: int
) -> None:
    page = open_through(visits, proxy)
    ids, elsewhere = list_ids(page), Proxy("")
    elsewhere.has_ended, elsewhere.status, elsewhere.body = True, 200, b"<html><body>The proxy's sign-in</body></html>"
    with serve(elsewhere):
        proxy.sign_in_url = f"{elsewhere.url}/sign-in" if status == 302 else ""
        proxy.has_ended, proxy.status, proxy.body = True, status, elsewhere.body
        page.locator("#pager").get_by_role("link", name="Next").click()
        reload_offered(page)
        assert list_ids(page) == ids
        assert page.url == f"{proxy.url}/spo1/instances/?limit=9"
        page.locator("#request-error").get_by_role("link", name="Reload page").click()
        expect(page.locator("body")).to_contain_text("The proxy's sign-in")


def test_an_answer_that_is_no_page_and_not_the_portals_is_never_swapped_in(visits: Visits, proxy: Proxy) -> None:
    page = open_through(visits, proxy)
    ids = list_ids(page)
    proxy.has_ended, proxy.status, proxy.body = True, 200, b'{"error": "unauthenticated"}'
    page.locator("#pager").get_by_role("link", name="Next").click()
    reload_offered(page)
    assert list_ids(page) == ids


def test_a_line_that_is_broken_is_told_as_that(visits: Visits, proxy: Proxy) -> None:
    page = open_through(visits, proxy)
    page.context.set_offline(True)
    page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("#request-error")).to_contain_text("Check your connection")
