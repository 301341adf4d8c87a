"""Selecting rows with a script: ranges, all that match, what is kept, what is copied."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser

LIST = "/spo1/instances/"


@pytest.fixture
def otto(visits: Visits) -> Page:
    visits.portal.read_fleet("otto")
    page = visits.sign_in("otto", to=f"{LIST}?page=1")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("#freshness")).to_contain_text("150 of 150 instances")
    expect(page.locator("#walk")).to_have_count(0)
    return page


def boxes(page: Page) -> Locator:
    return page.locator("#table tbody .tick input")


def list_selected(page: Page) -> list[bool]:
    selected: list[bool] = boxes(page).evaluate_all("all => all.map(one => one.checked)")
    return selected


def turn(page: Page, label: str, then: str) -> None:
    page.locator("#pager").get_by_role("link", name=label).click()
    expect(page.locator("#pager")).to_contain_text(then)


def test_rows_stay_selected_on_other_pages_and_after_a_refresh_until_another_query(otto: Page) -> None:
    bar = otto.locator("#selection")
    expect(bar).to_be_hidden()
    boxes(otto).nth(1).click()
    boxes(otto).nth(4).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 selected")
    expect(otto.locator("#announcer")).to_have_text("4 selected")
    assert list_selected(otto)[:6] == [False, True, True, True, True, False]
    boxes(otto).nth(3).press("Space")
    expect(bar).to_contain_text("3 selected")
    chosen = [each for each, is_selected in zip(list_ids(otto), list_selected(otto), strict=True) if is_selected]
    turn(otto, "Next", "21–40")
    expect(bar).to_contain_text("3 selected, 3 of them on other pages")
    boxes(otto).first.check()
    chosen.append(list_ids(otto)[0])
    otto.locator("#tools").get_by_role("button", name="Refresh").click()
    expect(bar).to_contain_text("4 selected, 3 of them on other pages")
    bar.get_by_role("button", name="IDs").click()
    expect(otto.locator("#toasts")).to_contain_text("Copied: 4 × IDs")
    assert set(otto.evaluate("() => navigator.clipboard.readText()").split("\n")) == set(chosen)
    otto.reload()
    expect(bar).to_contain_text("4 selected, 3 of them on other pages")
    assert list_selected(otto)[:2] == [True, False]
    bar.get_by_role("button", name="Compare").click()
    expect(otto.locator("#comparison thead th")).to_have_count(4)
    otto.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Instances").click()
    expect(bar).to_contain_text("4 selected, 3 of them on other pages")
    turn(otto, "Previous", "1–20")
    assert list_selected(otto)[:6] == [False, True, True, False, True, False]
    otto.locator("#table .tag").first.click()
    expect(otto).to_have_url(re.compile("tag"))
    expect(bar).to_be_hidden()
    assert not any(list_selected(otto))


def test_all_that_match_are_selected_until_one_is_not(otto: Page) -> None:
    bar, head = otto.locator("#selection"), otto.locator("#table thead .tick input")
    head.click()
    expect(bar).to_contain_text("20 selected")
    bar.get_by_role("button", name="Select all that match (150)").click()
    expect(bar).to_contain_text("All that match are selected (150)")
    expect(bar.get_by_role("button", name="Compare")).to_be_disabled()
    turn(otto, "Next", "21–40")
    assert all(list_selected(otto))
    bar.get_by_role("button", name="Names").click()
    expect(otto.locator("#toasts")).to_contain_text(re.compile(r"Copied: 1\d\d × Names"))
    with otto.expect_download() as waiting:
        bar.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"instances-spo1-\w+-150-of-150\.csv", waiting.value.suggested_filename)
    boxes(otto).nth(2).uncheck()
    expect(bar).to_contain_text("19 selected")
    assert head.evaluate("head => head.indeterminate")
    bar.get_by_role("button", name="Clear selection").click()
    expect(bar).to_be_hidden()
    expect(head).to_be_focused()
    boxes(otto).first.press("Space")
    expect(bar).to_contain_text("1 selected")
    boxes(otto).first.press("Escape")
    expect(bar).to_be_hidden()
