"""A browser's clock may be wrong, or change at any time: pages use the monotonic clock."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits
from tests.browser.test_live import is_refresh, settle

pytestmark = pytest.mark.browser

# By how many minutes the clock is wrong when the page is opened, and after it has been set once more. Each direction
# and each moment is met in `make test`.
CLOCKS = pytest.mark.parametrize(
    ("first", "later"),
    [(-60, -60), (0, 30), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in ((30, 30), (0, -60)))],
)


def open_at(visits: Visits, minutes: int) -> Page:
    visits.portal.add_member_of_globex("lena")
    page = visits.open()
    page.clock.install(time=datetime.now(UTC) + timedelta(minutes=minutes))
    visits.sign_in_on(page, "lena", to="/spo1/instances/?name=*")
    settle(page)
    return page


@CLOCKS
def test_a_page_refreshes_and_counts_ages_whatever_the_visitors_clock_says(
    visits: Visits, first: int, later: int
) -> None:
    page = open_at(visits, first)
    age, stale = page.locator("#freshness time[data-ago]"), page.locator("[data-stale-after]")
    expect(age).to_have_text(re.compile("just now|[0-9] seconds ago"))
    page.locator("[data-live-pause]").click()
    page.clock.set_system_time(datetime.now(UTC) + timedelta(minutes=later))
    page.clock.run_for(20_000)
    expect(age).to_have_text(re.compile("2[0-9] seconds ago"))
    expect(stale).to_be_hidden()
    page.clock.run_for(60_000)
    expect(age).to_have_text("1 minute ago")
    expect(stale).to_be_visible()
    expect(page.locator("#session")).to_be_empty()
    with page.expect_response(lambda response: is_refresh(response.request)):
        page.locator("[data-live-pause]").click()
        page.clock.run_for(2000)
    settle(page)
    expect(age).to_have_text(re.compile("just now|[0-9] seconds ago"))
    expect(stale).to_be_hidden()


@CLOCKS
def test_a_session_ends_when_it_does_whatever_the_visitors_clock_says(visits: Visits, first: int, later: int) -> None:
    page = open_at(visits, first)
    page.locator("[data-live-pause]").click()
    page.clock.set_system_time(datetime.now(UTC) + timedelta(minutes=later))
    page.clock.run_for(20 * 60_000)
    expect(page.locator("#session")).to_be_empty()
    page.clock.fast_forward(8 * 60_000)
    page.clock.run_for(1000)
    expect(page.locator("#session")).to_contain_text("You are about to be signed out")
    page.clock.fast_forward(2 * 60_000)
    page.clock.run_for(1000)
    expect(page.locator("#session")).to_contain_text("Your session has ended")


def test_what_is_done_in_another_tab_keeps_the_session_of_this_one(visits: Visits) -> None:
    page = open_at(visits, 0)
    page.locator("[data-live-pause]").click()
    page.clock.fast_forward(28 * 60_000)
    page.clock.run_for(1000)
    expect(page.locator("#session")).to_contain_text("You are about to be signed out")
    other = page.context.new_page()
    other.goto("/preferences/")
    page.clock.run_for(1000)
    expect(page.locator("#session")).to_be_empty()
