"""One portal and one Chromium per worker for browser tests. Without Chromium they are skipped, or fail if CI=true."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserType, Error, expect, sync_playwright

from tests.browser.portal import SECONDS_TO_CLOSE, Portal, Visits, kill_late, run_portal

# On two cores that other tests share, an answer may take seconds. What never comes is still told in time.
expect.set_options(timeout=20_000)
# Less than `faulthandler_timeout`, which ends the worker.
SECONDS_FOR_A_TEST = 240
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


# The same without windows, which opens a page in a quarter of the time. What a window does, such as filling in saved
# passwords, it does not do.
SHELLS = ("chromium-headless-shell", "chrome-headless-shell")


def find_shell() -> str | None:
    """The path of what drives most pages: a Chromium without windows, or else with them."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, SHELLS)), None) or find_chromium()


def find_chromium() -> str | None:
    """The path of an installed Chromium."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium."""
    path = find_chromium()
    if path:
        return path
    reason = f"no browser: none of {', '.join(NAMES)} is installed (CHROMIUM=/path/to/it names another one)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def standing_portal(chromium: str, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with run_portal(tmp_path_factory.mktemp("portal") / "state", template=template) as portal:
        portal.add_member_of_globex("lena")
        portal.save_start(signed_in=("ada", "otto", "vera", "lena"))
        yield portal


@pytest.fixture
def portal(standing_portal: Portal) -> Portal:
    """One for all tests of a worker, which each of them finds as at its start: 150 instances of acme and what belongs
    to the other organizations, Ada, Otto, Vera and Lena (who alone is with globex), and nothing stored.
    """
    standing_portal.begin()
    return standing_portal


@dataclass
class Launcher:
    """Starts Chromium when it is needed: once, and anew when it had to be killed."""

    chromium: BrowserType
    path: str
    browser: Browser | None = None

    def find_browser(self) -> Browser:
        if self.browser is None or not self.browser.is_connected():
            self.browser = self.chromium.launch(
                executable_path=self.path, args=QUIET, chromium_sandbox=os.geteuid() != 0
            )
        return self.browser

    def close(self) -> None:
        if self.browser:
            with kill_late(self.browser, SECONDS_TO_CLOSE), contextlib.suppress(Error):
                self.browser.close()


@pytest.fixture(scope="session")
def launcher(chromium: str) -> Iterator[Launcher]:
    # Playwright leaves an event loop running in this thread, and Django would take other tests for asynchronous code.
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        launcher = Launcher(playwright.chromium, find_shell() or chromium)
        yield launcher
        launcher.close()


@pytest.fixture
def browser(launcher: Launcher) -> Iterator[Browser]:
    """What a test asks of it fails when the test takes far too long."""
    browser = launcher.find_browser()
    with kill_late(browser, SECONDS_FOR_A_TEST):
        yield browser


@pytest.fixture
def visits(portal: Portal, browser: Browser) -> Iterator[Visits]:
    """Opens pages. What goes wrong in one of them, unseen or not, fails the test."""
    visits = Visits(portal, browser)
    yield visits
    visits.close()
    assert visits.list_unexpected() == []


# Without scripts, a page is what the portal sends, and `tests/journeys` ask for that in each run.
@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["with scripts", "without scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
