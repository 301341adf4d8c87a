"""An instance's page in a browser: its first screen, its sections, the way through its list, and printing."""

import re

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


def test_the_links_to_the_sections_stay_in_view_and_say_where_one_is(visits: Visits) -> None:
    page = visits.sign_in("ada")
    open_row(page, 0, "name=web-20")
    nav = page.get_by_role("navigation", name="On this page")
    parts = nav.get_by_role("link").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(parts) == len(set(parts)) == 9
    current = nav.locator("[aria-current=location]")
    for part in parts:
        link = nav.locator(f"a[href='{part}']")
        link.click()
        expect(link).to_have_attribute("aria-current", "location")
        expect(current).to_have_count(1)
        heading = page.locator(f"{part} h2").bounding_box()
        bar = nav.bounding_box()
        assert heading
        assert bar
        assert 0 <= bar["y"] < bar["y"] + bar["height"] <= heading["y"] < 720, part
    page.evaluate("scrollTo(0, 0)")
    expect(current).to_have_text("Summary")
    # What a refresh brings has no mark.
    page.locator("[data-shortcut=r]").click()
    expect(page.locator("#instance [aria-current=location]")).to_have_text("Summary")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_what_is_looked_up_most_is_in_the_first_screen(visits: Visits, width: int, height: int) -> None:
    page = visits.open(width=width)
    page.set_viewport_size({"width": width, "height": height})
    visits.sign_in_on(page, "ada")
    open_row(page, 0, "name=web-*")
    expect(page.locator(".page-head .status")).to_be_visible()
    for label in ("IP addresses", "Flavor", "Image", "Age", "Uptime", "Keys", "Tags"):
        fact = page.locator("#summary .facts > div").filter(has=page.locator("dt", has_text=re.compile(f"^{label}$")))
        box = fact.bounding_box()
        assert box
        assert box["y"] + box["height"] <= height, label
    copy = page.get_by_role("button", name="Copy the ID")
    expect(copy).to_have_css("opacity", "0")
    page.locator(".ids code").hover()
    expect(copy).to_have_css("opacity", "1")
    page.mouse.move(0, 0)
    expect(copy).to_have_css("opacity", "0")
    copy.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(copy).to_have_css("opacity", "1")


def test_keys_turn_to_the_next_instance_of_the_list_and_back(visits: Visits) -> None:
    page = visits.sign_in("ada")
    page.goto("/spo1/instances/?sort=name")
    names = page.locator("[data-instance-id] th a").all_inner_texts()
    page.locator("[data-instance-id] th a").first.click()
    expect(page.locator("#instance h1")).to_have_text(names[0])
    for key, name in (("]", names[1]), ("]", names[2]), ("[", names[1])):
        page.keyboard.press(key)
        expect(page.locator("#instance h1")).to_have_text(name)
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Instances").click()
    expect(page).to_have_url(re.compile(r"/spo1/instances/\?sort=name#"))
