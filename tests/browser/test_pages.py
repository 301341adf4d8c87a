"""Layout without scripts: nothing scrolls sideways. (test_states.py checks pages with scripts.)"""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.boxes import scrolls_sideways
from tests.browser.portal import Visits

pytestmark = pytest.mark.browser

SIGNED_IN = [
    "/spo1/instances/",
    "/spo1/instances/?name=web-*&status=ACTIVE&tags=production&limit=100",
    "/spo1/instances/?name=nothing-is-called-so",
    "/spo1/instances/?limit=none&colour=red",
    "/spo1/instances/00000000-0000-0000-0000-000000000000/",
    "/credentials/",
    "/credentials/spo1/",
    "/preferences/",
    "/team/",
    "/team/invitations/",
    "/audit/",
    "/nowhere/",
]
PROVOKED = ["status of 400", "status of 404", "status of 403"]


def open_first_instance(page: Page) -> None:
    page.goto("/spo1/instances/")
    page.locator("[data-instance-id] th a").first.click()
    expect(page.locator("#instance h1")).to_be_visible()


@pytest.mark.parametrize(
    "paths", [pytest.param(SIGNED_IN[:1], id="list"), pytest.param(SIGNED_IN[1:], id="others", marks=pytest.mark.slow)]
)
def test_without_scripts_nothing_but_the_table_scrolls_sideways_on_a_small_screen(
    visits: Visits, paths: list[str]
) -> None:
    visits.expected += PROVOKED
    page = visits.open(width=360, scripts=False)
    page.goto("/sign-in/")
    wide = ["/sign-in/"] if scrolls_sideways(page) else []
    page = visits.sign_in("ada", width=360, scripts=False)
    for path in paths:
        page.goto(path)
        if scrolls_sideways(page):
            wide.append(path)
    open_first_instance(page)
    if scrolls_sideways(page):
        wide.append("an instance")
    assert wide == []
