"""A whole portal in processes of its own, started as `make run` starts it, and a browser's visit to it."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from tests.unmeasured import leave_out_coverage

SECONDS_TO_CLOSE = 30
ROOT = Path(__file__).parent.parent.parent
SANDBOX_OPTIONS = ["--latency", "0", "--rate-per-minute", "1000000", "--rate-per-hour", "1000000"]
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


@dataclass(frozen=True)
class Portal:
    url: str
    sandbox_url: str
    passwords: dict[str, str]
    state: Path

    def script_fault(self, **fault: object) -> None:
        """Spoil answers of the sandbox to come; its control API says how."""
        requests.post(f"{self.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()

    def clear_faults(self) -> None:
        requests.delete(f"{self.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()

    def change(self, instance_id: str, **change: object) -> None:
        """Something happens to an instance of the sandbox."""
        url = f"{self.sandbox_url}/_sandbox/instances/{instance_id}"
        requests.post(url, json=change, timeout=10).raise_for_status()

    def reset_sandbox(self) -> None:
        requests.post(f"{self.sandbox_url}/_sandbox/reset", timeout=10).raise_for_status()

    def add_member(self, name: str, role: str, *, kind: str = "bearer", secret: str = "") -> None:
        """Somebody new; without a secret, without a credential."""
        self.passwords[name] = "a-long-enough-password"
        self._manage("add_member", name, "--role", role, secret=self.passwords[name])
        if secret:
            self._manage("set_credential", name, "--region", "spo1", "--kind", kind, secret=secret)

    def add_member_of_globex(self, name: str) -> None:
        """Once: somebody whose instances a test may change without disturbing another."""
        if name not in self.passwords:
            self.add_member(name, "operator", kind="api-key", secret="AKIASANDBOXGLOBEX:sandbox-globex-secret")

    def _manage(self, *command: str, secret: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "ENV_FILE": str(self.state / "env")},
            input=secret,
            text=True,
            check=True,
            capture_output=True,
        )


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def run_portal(
    state: Path,
    *,
    port: int | None = None,
    settings: Mapping[str, str] = SETTINGS,
    sandbox_options: Sequence[str] = (),
) -> Iterator[Portal]:
    """`python -m portal.sandbox.demo` on free ports, from the first start on; stopped by Ctrl-C at the end."""
    port, sandbox_port = port or find_free_port(), find_free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "portal.sandbox.demo", "--state", str(state), *SANDBOX_OPTIONS, *sandbox_options],
        cwd=ROOT,
        env=leave_out_coverage() | {"PORT": str(port), "SANDBOX_PORT": str(sandbox_port)} | SETTINGS | dict(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("It shows the sandbox"):
                    break
            said = "".join(lines)
            passwords = dict(re.findall(r"^  (ada|otto|vera) +(\S+) ", said, re.MULTILINE))
            assert len(passwords) == 3, said
            yield Portal(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}", passwords, state)
        finally:
            process.send_signal(signal.SIGINT)


@dataclass
class Visits:
    """Opens pages, and notes everything in them that should not be: errors, refusals of the content policy, requests
    to other hosts. `expected` holds pieces of the errors that a test provokes.
    """

    portal: Portal
    browser: Browser
    trouble: list[str] = field(default_factory=list)
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
        )
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self.trouble.append(f"error in a script: {error.error}"))
        context.on("request", self._note_request)
        return context.new_page()

    def sign_in(self, name: str, *, scripts: bool = True, width: int = 1280, scheme: str = "light") -> Page:
        """A page of `name`, signed in, on the list of instances."""
        page = self.open(scripts=scripts, width=width, scheme=scheme)
        self.sign_in_on(page, name)
        return page

    def sign_in_on(self, page: Page, name: str) -> None:
        page.goto("/")
        fill_sign_in(page, name, self.portal.passwords[name])

    def close(self) -> None:
        for context in self.contexts:
            close_in_time(context)

    def list_unexpected(self) -> list[str]:
        return [text for text in self.trouble if not any(piece in text for piece in self.expected)]

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.trouble.append(f"{message.type} in the console: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.portal.url}/", "data:", "blob:")):
            self.trouble.append(f"request to another host: {request.url}")


def close_in_time(context: BrowserContext) -> None:
    """Close a context, but not wait for that for ever: once in a while Chromium never says that one is gone, and
    Playwright has no time-out for it. What is left of it ends with the browser.
    """
    with contextlib.suppress(TimeoutError):
        context._sync(asyncio.wait_for(context._impl_obj.close(None), SECONDS_TO_CLOSE))


def fill_sign_in(page: Page, name: str, password: str) -> None:
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("main form button[type=submit]").click()
    page.locator("form.sign-out").first.wait_for(state="attached")


def list_ids(page: Page) -> list[str]:
    """The instances in the table, in order."""
    ids: list[str] = page.locator("[data-instance-id]").evaluate_all("rows => rows.map(row => row.dataset.instanceId)")
    return ids
