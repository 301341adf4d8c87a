"""When a session is about to expire, the page warns in time and lets the member extend it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits

pytestmark = pytest.mark.browser
MINUTE = 60_000


@pytest.fixture
def lena(visits: Visits) -> Page:
    """Someone's preferences, a page that asks for nothing by itself, at a clock that the test moves."""
    page = visits.open()
    page.clock.install()
    visits.sign_in_on(page, "lena", to="/preferences/")
    return page


def test_a_person_who_is_away_is_warned_and_can_stay(lena: Page) -> None:
    notice = lena.locator("#session")
    lena.clock.fast_forward(26 * MINUTE)
    expect(notice).to_be_empty()
    lena.clock.fast_forward(2 * MINUTE)
    expect(notice).to_contain_text("You are about to be signed out")
    expect(notice).to_contain_text("Minutes left: 2")
    assert notice.get_attribute("role") == "status"
    with lena.expect_response("**/sessions/stay/") as answer:
        notice.get_by_role("button", name="Stay signed in").click()
    assert answer.value.status == 204
    lena.clock.run_for(1000)
    expect(notice).to_be_empty()
    expect(lena.locator("#main")).to_be_focused()
    lena.clock.fast_forward(26 * MINUTE)
    expect(notice).to_be_empty()


def test_a_page_says_that_its_session_has_ended_and_comes_back_after_sign_in(lena: Page) -> None:
    lena.clock.fast_forward(31 * MINUTE)
    notice = lena.locator("#session")
    expect(notice).to_contain_text("Your session has ended")
    lena.context.clear_cookies()
    notice.get_by_role("link", name="Sign in").click()
    expect(lena).to_have_url(re.compile(r"/sign-in/\?next=/preferences/$"))


def test_what_one_tab_does_keeps_the_other_from_warning(lena: Page) -> None:
    other = lena.context.new_page()
    lena.clock.fast_forward(28 * MINUTE)
    expect(lena.locator("#session")).to_contain_text("about to be signed out")
    other.clock.install()
    other.clock.fast_forward(28 * MINUTE)
    other.goto("/sessions/")
    lena.clock.run_for(2000)
    expect(lena.locator("#session")).to_be_empty()
