"""A whole portal in a separate process, set up as by `make run`, and a browser context for it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, Request, expect

from portal.sandbox import demo
from portal.sandbox.server import Sandbox
from tests.browser import HOOKS
from tests.deadlines import call_late
from tests.ports import find_free_port
from tests.template import SECONDS_TO_START, SECONDS_TO_STOP, set_up
from tests.unmeasured import leave_out_coverage

SECONDS_TO_CLOSE = 30
# Admins confirm access every five minutes, and tests take a while.
SIGN_INS_LAST = 180
LIST = "/spo1/instances/"
ROOT = Path(__file__).parent.parent.parent
# Pages grow old between two steps of a test, so that the page's own refresh is part of every journey.
SETTINGS = {"PAGE_FRESH_SECONDS": "1", "BYCLOUD_RATE_PER_MINUTE": "1000000", "BYCLOUD_RATE_PER_HOUR": "1000000"}


def prove_if_asked(page: Page, password: str, *, then: Locator) -> None:
    """Prove once more who one is, unless that was done within the last five minutes, and see what comes `then`."""
    typed = page.locator("main input[name=password]")
    expect(then.or_(typed).first).to_be_visible()
    if typed.is_visible():
        typed.fill(password)
        typed.press("Enter")
    expect(then.first).to_be_visible()


@dataclass
class Portal:
    """`cookies` are the stored sign-ins of those who were there when `save_start` was called."""

    url: str
    sandbox_url: str
    passwords: dict[str, str]
    state: Path
    cookies: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    signed_in_at: float = 0.0

    def save_start(self, *, signed_in: Sequence[str] = ()) -> None:
        """The database is from now on, at the beginning of each test, as it is now; these members are signed in."""
        self.standing = dict(self.passwords)
        self.cookies = {name: [] for name in signed_in}
        self._call_hook("save", snapshot=self._snapshot("signed-out"))
        self._sign_in_anew()

    def begin(self) -> None:
        """As at the start: fleet, database and memory. What an earlier test has under way comes to its end before."""
        self.reset_sandbox()
        self.passwords.clear()
        self.passwords.update(self.standing)
        is_old = self.cookies and time.monotonic() > self.signed_in_at + SIGN_INS_LAST
        self._call_hook("begin", snapshot=self._snapshot("signed-out" if is_old else "signed-in"))
        if is_old:
            self._sign_in_anew()

    def script_fault(self, **fault: object) -> None:
        """Spoil answers of the sandbox to come; its control API says how."""
        requests.post(f"{self.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()

    def limit_pages(self, largest: int) -> None:
        """The sandbox cuts pages to as many instances."""
        limits = {"largest_page": largest, "refuses_larger": False}
        requests.post(f"{self.sandbox_url}/_sandbox/limits", json=limits, timeout=10).raise_for_status()

    def clear_faults(self) -> None:
        requests.delete(f"{self.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()

    def change(self, instance_id: str, **change: object) -> None:
        """Something happens to an instance of the sandbox."""
        url = f"{self.sandbox_url}/_sandbox/instances/{instance_id}"
        requests.post(url, json=change, timeout=10).raise_for_status()

    def reset_sandbox(self) -> None:
        requests.post(f"{self.sandbox_url}/_sandbox/reset", timeout=10).raise_for_status()

    def add_member(self, name: str, role: str, *, kind: str = "bearer", secret: str = "") -> None:
        """Someone new, until the test is over; without a secret, without a credential."""
        self.passwords[name] = "a-long-enough-password"
        self._call_hook("members", name=name, role=role, password=self.passwords[name], kind=kind, secret=secret)

    def add_member_of_globex(self, name: str) -> None:
        """Once: someone whose instances another organization does not see."""
        if name not in self.passwords:
            self.add_member(name, "operator", kind="api-key", secret="AKIASANDBOXGLOBEX:sandbox-globex-secret")

    def read_fleet(self, name: str) -> None:
        """What a member sees has just been read to its end into the index, which had nothing."""
        self._call_hook("fleet", name=name)

    def _sign_in_anew(self) -> None:
        self.signed_in_at = time.monotonic()
        for name in self.cookies:
            self.cookies[name] = sign_in_by_form(self.url, name, self.passwords[name])
        self._call_hook("save", snapshot=self._snapshot("signed-in"))

    def _snapshot(self, name: str) -> str:
        return str(self.state / f"{name}.sqlite3")

    def _call_hook(self, hook: str, **given: str) -> None:
        answer = requests.post(f"{self.url}{HOOKS}{hook}", json=given, timeout=60)
        assert answer.status_code == 204, answer.text


def sign_in_by_form(url: str, name: str, password: str) -> list[dict[str, str]]:
    """What a browser that signs in has then, as Playwright takes cookies."""
    with requests.Session() as session:
        session.trust_env = False
        form = session.get(f"{url}/sign-in/", timeout=60)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token, form.text
        fields = {"login": name, "password": password, "csrfmiddlewaretoken": token[1]}
        answer = session.post(f"{url}/sign-in/", data=fields, allow_redirects=False, timeout=60)
        assert answer.status_code == 302, answer.text
        return [{"name": one.name, "value": str(one.value), "url": url} for one in session.cookies]


@contextlib.contextmanager
def run_portal(
    state: Path,
    *,
    port: int | None = None,
    settings: Mapping[str, str] = SETTINGS,
    instances: int = 150,
    template: Path | None = None,
) -> Iterator[Portal]:
    """The command that `python -m portal.sandbox.demo` starts, on a copy of what that has set up (the `template`) or
    else sets up here. The sandbox is a thread of this process.
    """
    if template:
        shutil.copytree(template, state)
    else:
        set_up(state)
    port = port or find_free_port()
    with Sandbox(instances=instances) as sandbox:
        environment = leave_out_coverage(demo.make_environment(state, port=port, sandbox_address=sandbox.url))
        log = state / f"portal-{port}.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi"],
                cwd=ROOT,
                env=environment | SETTINGS | dict(settings) | {"DJANGO_SETTINGS_MODULE": "tests.browser.settings"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as process,
        ):
            passwords = json.loads((state / "members.json").read_text(encoding="utf-8"))
            portal = Portal(f"http://127.0.0.1:{port}", sandbox.url, passwords, state)
            try:
                wait_until_ready(portal.url, process, log)
                portal.save_start()
                yield portal
            finally:
                stop(process)


def wait_until_ready(url: str, process: "subprocess.Popen[Any]", log: Path) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{url}/health/ready/", timeout=10).status_code == 200:
                return
        time.sleep(0.05)
    process.kill()
    raise TimeoutError(log.read_text(encoding="utf-8"))


def stop(process: "subprocess.Popen[Any]") -> None:
    """End a gunicorn and its workers, which are a session of their own."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(SECONDS_TO_STOP)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(SECONDS_TO_STOP)


@dataclass
class Visits:
    """Opens pages, and notes everything in them that should not be: errors, refusals of the content policy, requests
    to other hosts. `expected` holds pieces of the errors that a test provokes.
    """

    portal: Portal
    browser: Browser
    problems: list[str] = field(default_factory=list)
    # A click takes the place of a refresh under way; htmx calls that an error.
    expected: list[str] = field(
        default_factory=lambda: ["htmx:sendAbort", "htmx:afterRequest, [object HTMLDivElement]"]
    )
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, *, scripts: bool = True, width: int = 1280, scheme: str = "light") -> Page:
        """A page of a new person: no cookies, an empty cache."""
        context = self.browser.new_context(
            base_url=self.portal.url,
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            timezone_id="UTC",
        )
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self.problems.append(f"error in a script: {error.error}"))
        context.on("request", self._note_request)
        return context.new_page()

    def sign_in(
        self, name: str, *, to: str = LIST, scripts: bool = True, width: int = 1280, scheme: str = "light"
    ) -> Page:
        """A page of `name`, signed in, on the list of instances or where `to` says."""
        page = self.open(scripts=scripts, width=width, scheme=scheme)
        self.sign_in_on(page, name, to=to)
        return page

    def sign_in_on(self, page: Page, name: str, *, to: str = LIST) -> None:
        """By the stored sign-in, where there is one. (Tests of signing in fill in the form.)"""
        sign_in_on(page, self.portal, name, to=to)

    def close(self) -> None:
        for context in self.contexts:
            close_in_time(context)

    def list_unexpected(self) -> list[str]:
        return [text for text in self.problems if not any(piece in text for piece in self.expected)]

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type} in the console: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.portal.url}/", "data:", "blob:")):
            self.problems.append(f"request to another host: {request.url}")
        if "hx-request" in request.headers and "portal-page" not in request.headers:
            self.problems.append(f"request for a part that does not say of which page: {request.url}")


def sign_in_on(page: Page, portal: Portal, name: str, *, to: str = LIST) -> None:
    is_in = add_sign_in(page.context, portal, name)
    page.goto(to)
    if is_in:
        page.locator("form.sign-out").first.wait_for(state="attached")
    else:
        fill_sign_in(page, name, portal.passwords[name])


def add_sign_in(context: BrowserContext, portal: Portal, name: str) -> bool:
    """Whether there is a stored sign-in for `name`, which all pages of the context have from now on."""
    stored: Any = portal.cookies.get(name, [])
    context.add_cookies(stored)
    return bool(stored)


def close_in_time(context: BrowserContext) -> None:
    """Close a context, but not wait for that for ever: once in a while Chromium never says that one is gone. Then it is
    killed, and another one started for the next test.
    """
    with kill_late(context.browser, SECONDS_TO_CLOSE), contextlib.suppress(Error):
        context.close()


@contextlib.contextmanager
def kill_late(browser: Browser | None, seconds: float) -> Iterator[None]:
    """Whatever the block asks of the browser fails once so many seconds are over: the browser is no more then."""
    if browser is None or not browser.is_connected():
        yield
        return
    pid = find_pid(browser)
    with call_late(lambda: os.kill(pid, signal.SIGKILL), seconds):
        yield


@lru_cache(maxsize=1)
def find_pid(browser: Browser) -> int:
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next(int(process["id"]) for process in processes if process["type"] == "browser")


def fill_sign_in(page: Page, name: str, password: str) -> None:
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("main form button[type=submit]").click()
    page.locator("form.sign-out").first.wait_for(state="attached")


def list_ids(page: Page) -> list[str]:
    """The instances in the table, in order."""
    ids: list[str] = page.locator("[data-instance-id]").evaluate_all("rows => rows.map(row => row.dataset.instanceId)")
    return ids
