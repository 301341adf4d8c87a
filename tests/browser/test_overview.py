"""The overview of a region in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits

pytestmark = pytest.mark.browser

OVERVIEW = "/spo1/"
READ = 60_000


@pytest.fixture
def otto(visits: Visits, scripts: bool) -> Page:  # noqa: FBT001 -- a fixture
    """A page of somebody whose fleet was read to its end."""
    visits.portal.read_fleet("otto")
    page = visits.sign_in("otto", to=OVERVIEW, scripts=scripts, width=1440)
    expect(page.locator("#walk")).to_have_count(0)
    return page


def test_all_of_it_is_in_one_window(otto: Page) -> None:
    expect(otto.locator("#overview .card-box")).to_have_count(10)
    height, width = otto.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
    assert (height, width) == (900, 1440)


def test_a_row_leads_to_its_list_and_back(otto: Page) -> None:
    row = otto.locator("#flavors tr").first
    name, count = row.locator("a").inner_text(), row.locator("td").inner_text()
    # Anywhere in the row: the link covers it.
    row.locator("td").click(force=True)
    expect(otto).to_have_url(re.compile(rf"q=flavor%3A{re.escape(name)}$"))
    expect(otto.locator("#counter")).to_have_text(f"({count})")
    otto.get_by_role("navigation", name="Main").get_by_role("link", name="Overview").click()
    expect(otto).to_have_url(re.compile("/spo1/$"))


def test_another_metadata_entry_is_chosen(otto: Page, *, scripts: bool) -> None:
    otto.get_by_label("Metadata key").select_option("environment")
    if not scripts:
        otto.locator("#metadata").get_by_role("button", name="Show").click()
    expect(otto.locator("#metadata")).to_contain_text("production")
    expect(otto).to_have_url(re.compile(r"/spo1/\?by=environment$"))
    otto.go_back()
    expect(otto.locator("#metadata")).to_contain_text("storefront")


def test_a_first_visit_follows_the_walk_to_its_end(visits: Visits) -> None:
    visits.portal.limit_pages(50)
    page = visits.sign_in("otto", to=OVERVIEW)
    expect(page.locator("#walk")).to_contain_text("Reading the fleet")
    expect(page.locator("#freshness")).to_contain_text("150 of 150 instances", timeout=READ)
    expect(page.locator("#walk")).to_have_count(0, timeout=READ)
    expect(page.locator("#sums")).to_contain_text("150")


def test_the_first_page_is_a_preference(otto: Page) -> None:
    otto.goto("/preferences/")
    otto.get_by_role("group", name="First page").get_by_label("Instances").check()
    otto.get_by_role("button", name="Save").click()
    otto.get_by_role("link", name="ByCloud Portal").click()
    expect(otto).to_have_url(re.compile("/spo1/instances/$"))
