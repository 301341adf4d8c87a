"""An instance's page in a browser: the link back to its row, and printing."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser


def open_row(page: Page, number: int, query: str) -> str:
    """Opens a row's instance from this list; gives its id."""
    page.goto(f"/spo1/instances/?{query}")
    page.locator("[data-instance-id] th a").nth(number).click()
    expect(page.locator("#instance h1")).to_be_visible()
    return page.url.split("/instances/")[1].split("/")[0]


def test_back_leads_to_the_row_itself_in_the_list_as_it_was(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", scripts=scripts)
    instance_id = open_row(page, 15, "tags=production&limit=50")
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Instances").click()
    row = page.locator(f"[data-instance-id='{instance_id}']")
    expect(row).to_be_in_viewport()
    assert page.url.endswith(f"/spo1/instances/?tags=production&limit=50#{instance_id}")
    assert list_ids(page)[15] == instance_id
    assert row.evaluate("row => row.matches(':target')")
    page.keyboard.press("Tab")
    expect(row.get_by_role("checkbox")).to_be_focused()
    page.keyboard.press("Tab")
    expect(row.locator("th a")).to_be_focused()


def test_paper_gets_what_is_folded_and_no_controls(visits: Visits) -> None:
    page = visits.sign_in("ada")
    open_row(page, 0, "name=gpu-batch")
    raw_status, traceback = page.locator("#raw-state dd").first, page.locator("#fault-details pre")
    expect(raw_status).to_be_hidden()
    page.emulate_media(media="print")
    expect(raw_status).to_be_visible()
    expect(traceback).to_be_visible()
    expect(page.get_by_role("heading", name="Network")).to_be_visible()
    for part in (".topbar", "#json", "#live-line button", "form.toolbar", ".copy"):
        expect(page.locator(part).first).to_be_hidden()


def test_each_section_can_be_linked_to(visits: Visits) -> None:
    page = visits.sign_in("ada")
    open_row(page, 0, "name=web-20")
    links = page.get_by_role("navigation", name="On this page").get_by_role("link")
    parts = links.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(parts) == len(set(parts)) == 9
    for part in parts:
        page.locator(f"a[href='{part}']").click()
        expect(page.locator(f"{part} h2")).to_be_in_viewport()
