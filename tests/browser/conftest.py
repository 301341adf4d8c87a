"""One portal and one Chromium for all browser tests. Without a Chromium they say so; where CI=true they fail."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.portal import Portal, Visits, run_portal

# On two cores that other tests share, an answer may take seconds. What never comes is still told in time.
expect.set_options(timeout=20_000)
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
def portal(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with run_portal(tmp_path_factory.mktemp("portal") / "state") as portal:
        yield portal


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    # Playwright leaves an event loop running in this thread, and Django would take other tests for asynchronous code.
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture
def visits(portal: Portal, browser: Browser) -> Iterator[Visits]:
    """Opens pages. What goes wrong in one of them, unseen or not, fails the test."""
    visits = Visits(portal, browser)
    yield visits
    visits.close()
    portal.clear_faults()
    assert visits.list_unexpected() == []


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
