"""The component page, which exists only in development: all components in all states."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from tests.browser.boxes import scrolls_sideways
from tests.browser.portal import ROOT, Portal, Visits
from tests.browser.violations import find_violations
from tests.ports import find_free_port

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal with DEBUG on, as someone who works on it starts it."""
    state = tmp_path_factory.mktemp("workshop")
    url = f"http://127.0.0.1:{find_free_port()}"
    settings = {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "ENV_FILE": os.devnull,
        "DEBUG": "1",
        "PLAIN_HTTP": "1",
        "ALLOWED_HOSTS": "127.0.0.1",
        "PUBLIC_URL": url,
        "SECRET_KEY": "x" * 50,
        "CREDENTIAL_KEYS": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=",
        "DATABASE_URL": f"sqlite:///{state / 'portal.sqlite3'}",
    }
    command = [sys.executable, "manage.py", "runserver", "--noreload", url.removeprefix("http://")]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_it_answers(f"{url}/health/live/")
            yield Portal(url, "", {}, Path(state))
        finally:
            process.terminate()


def wait_until_it_answers(url: str) -> None:
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(connect=12, backoff_factor=0.05)))
        session.get(url, timeout=30).raise_for_status()


@pytest.fixture
def workshop_visits(workshop: Portal, browser: Browser) -> Iterator[Visits]:
    visits = Visits(workshop, browser)
    yield visits
    visits.close()
    assert visits.list_unexpected() == []


# Colours are the same at every width.
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_axe_finds_nothing_in_any_part_and_nothing_runs_off_the_page(
    workshop_visits: Visits, width: int, scheme: str
) -> None:
    page = workshop_visits.open(width=width, scheme=scheme)
    page.goto("/components/")
    page.locator("main details").evaluate_all("menus => menus.forEach(menu => { menu.open = true; })")
    assert find_violations(page) == []
    for narrower in (width, 320):
        page.set_viewport_size({"width": narrower, "height": 900})
        assert not scrolls_sideways(page)


def test_more_contrast_is_given_where_it_is_asked_for(workshop_visits: Visits) -> None:
    page = workshop_visits.open()
    page.goto("/components/")
    muted = page.locator(".lead")
    usual = muted.evaluate("text => getComputedStyle(text).color")
    page.emulate_media(contrast="more")
    assert muted.evaluate("text => getComputedStyle(text).color") != usual
    assert find_violations(page) == []


def test_a_state_keeps_its_shape_in_forced_colours(workshop_visits: Visits) -> None:
    page = workshop_visits.open()
    page.goto("/components/")
    page.emulate_media(forced_colors="active")
    for mark in page.locator("#states .status:not(:has(svg))").all():
        ground, border = (
            mark.evaluate(f"mark => getComputedStyle(mark, '::before').{property_}")
            for property_ in ("backgroundColor", "borderTopWidth")
        )
        assert ground != "rgba(0, 0, 0, 0)" or border != "0px"


def test_a_window_opens_above_the_page_and_escape_closes_it(workshop_visits: Visits) -> None:
    page = workshop_visits.open()
    page.goto("/components/")
    window = page.locator("#sample-dialog")
    window.evaluate("window => { window.close(); window.showModal(); }")
    expect(window).to_be_visible()
    expect(window.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(window).to_be_hidden()
