"""The search box and lists from the index in a browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser

LIST = "/spo1/instances/"
READ = 60_000


@pytest.fixture
def otto(visits: Visits, scripts: bool) -> Page:  # noqa: FBT001 -- a fixture
    """A page of somebody whose fleet was read to its end."""
    visits.portal.read_fleet("otto")
    page = visits.sign_in("otto", to=f"{LIST}?page=1", scripts=scripts)
    expect(page.locator("#freshness")).to_contain_text("150 of 150 instances")
    expect(page.locator("#walk")).to_have_count(0)
    return page


def test_a_query_from_any_page_finds_instances(otto: Page) -> None:
    otto.goto("/preferences/")
    box = otto.get_by_label("Search instances")
    box.fill("WEB-14")
    box.press("Enter")
    expect(otto).to_have_url(re.compile(r"/spo1/instances/\?q=WEB-14$"))
    expect(otto.locator("tr[data-instance-id]")).to_have_count(1)
    expect(otto.locator("tr[data-instance-id] th a")).to_have_text("web-14")
    expect(box).to_have_value("WEB-14")
    expect(otto.locator("#sums")).to_contain_text("1 instance · 4 vCPU")


def test_a_heading_sorts_and_keeps_the_query(otto: Page) -> None:
    otto.goto(f"{LIST}?q=name:web-*")
    name = otto.locator("#table thead th").first
    name.get_by_role("link").click()
    expect(name).to_have_attribute("aria-sort", "ascending")
    expect(otto.locator("tr[data-instance-id] th a").first).to_have_text("web-01")
    name.get_by_role("link").click()
    expect(name).to_have_attribute("aria-sort", "descending")
    expect(otto.locator("tr[data-instance-id] th a").first).to_have_text("web-staging-06")
    expect(otto).to_have_url(re.compile(r"q=name%3Aweb-%2A&sort=-name$"))


def test_pages_are_reached_by_number(otto: Page) -> None:
    otto.goto(f"{LIST}?sort=age")
    first = list_ids(otto)
    otto.locator("#pager").get_by_role("link", name="2", exact=True).click()
    expect(otto.locator("#pager [aria-current=page]")).to_have_text("2")
    expect(otto.locator("#pager")).to_contain_text("21–40 of 150")
    assert not set(list_ids(otto)) & set(first)


def test_the_box_follows_a_part_that_is_taken_away(otto: Page) -> None:
    otto.goto(f"{LIST}?q=status:ERROR+tag:web")
    otto.get_by_role("link", name="Remove the filter Tag: web").click()
    expect(otto.get_by_label("Search instances")).to_have_value("status:ERROR")
    otto.go_back()
    expect(otto.get_by_label("Search instances")).to_have_value("status:ERROR tag:web")


def test_the_help_opens_by_keyboard_and_its_examples_are_links(otto: Page) -> None:
    summary = otto.locator("#search-help > summary")
    summary.focus()
    summary.press("Enter")
    otto.get_by_role("link", name="network:storage image:Debian*").click()
    expect(otto.get_by_label("Search instances")).to_have_value("network:storage image:Debian*")
    expect(otto.locator("tr[data-instance-id]").first).to_be_visible()


def test_an_open_page_follows_the_walk_to_its_end(visits: Visits) -> None:
    visits.portal.limit_pages(50)
    page = visits.sign_in("otto", to=f"{LIST}?q=web-14")
    expect(page.locator("#walk")).to_contain_text("Reading the fleet")
    expect(page.locator("#walk progress")).to_be_visible()
    expect(page.locator("#walk")).to_have_count(0, timeout=READ)
    expect(page.locator("#counter")).to_have_text("(1)")


def test_slash_leads_to_the_box_and_selects_what_is_in_it(visits: Visits) -> None:
    page = visits.sign_in("otto", to=f"{LIST}?q=web")
    page.keyboard.press("/")
    page.keyboard.type("db")
    expect(page.locator("#search")).to_have_value("db")
