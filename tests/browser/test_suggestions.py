"""Suggestions while somebody types in the search box."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.portal import Visits

pytestmark = pytest.mark.browser

LIST = "/spo1/instances/"


@pytest.fixture
def typing(visits: Visits) -> Page:
    """A page of somebody whose fleet was read to its end, with the focus in the search box."""
    visits.portal.read_fleet("otto")
    page = visits.sign_in("otto", to="/preferences/")
    page.keyboard.press("/")
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    return page


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search instances")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_a_query_is_put_together_by_keyboard(typing: Page) -> None:
    typing.keyboard.type("sta")
    expect(options(typing).first).to_have_text("status:")
    expect(box(typing)).to_have_attribute("aria-expanded", "true")
    typing.keyboard.press("ArrowDown")
    expect(options(typing).first).to_have_attribute("aria-selected", "true")
    chosen = options(typing).first.get_attribute("id")
    expect(box(typing)).to_have_attribute("aria-activedescendant", str(chosen))
    typing.keyboard.press("Enter")
    expect(box(typing)).to_have_value("status:")
    # The values of the key come by themselves.
    expect(options(typing).first).to_contain_text("ACTIVE")
    typing.keyboard.type("er")
    expect(options(typing).first).to_contain_text("ERROR")
    typing.keyboard.press("ArrowDown")
    typing.keyboard.press("Enter")
    expect(box(typing)).to_have_value("status:ERROR ")
    expect(box(typing)).to_be_focused()
    expect(box(typing)).to_have_attribute("aria-expanded", "false")
    typing.keyboard.press("Enter")
    expect(typing).to_have_url(re.compile(r"\?q=status%3AERROR$"))


def test_the_arrows_go_round_and_escape_leaves_what_was_typed(typing: Page) -> None:
    typing.keyboard.type("tag:")
    expect(options(typing).first).to_be_visible()
    typing.keyboard.press("ArrowUp")
    expect(options(typing).last).to_have_attribute("aria-selected", "true")
    typing.keyboard.press("ArrowDown")
    expect(box(typing)).not_to_have_attribute("aria-activedescendant", re.compile("."))
    typing.keyboard.press("Escape")
    expect(options(typing)).to_have_count(0)
    expect(box(typing)).to_have_value("tag:")
    typing.keyboard.press("ArrowDown")
    expect(options(typing).first).to_be_visible()


def test_tab_takes_the_chosen_value_and_goes_on(typing: Page) -> None:
    typing.keyboard.type("tag:can")
    expect(options(typing)).to_have_count(1)
    typing.keyboard.press("ArrowDown")
    typing.keyboard.press("Tab")
    expect(box(typing)).to_have_value("tag:canary ")
    expect(box(typing)).not_to_be_focused()
    expect(options(typing)).to_have_count(0)


def test_a_click_on_an_instance_opens_it(typing: Page) -> None:
    typing.keyboard.type("web-14")
    options(typing).filter(has_text="web-14").click()
    expect(typing.get_by_role("heading", level=1)).to_contain_text("web-14")


def test_enter_without_a_choice_searches_for_what_was_typed(typing: Page) -> None:
    typing.keyboard.type("web-14")
    expect(options(typing).first).to_be_visible()
    typing.keyboard.press("Enter")
    expect(typing).to_have_url(re.compile(r"\?q=web-14$"))
    expect(typing.locator("tr[data-instance-id]")).to_have_count(1)


def test_the_number_of_suggestions_is_announced(typing: Page) -> None:
    typing.keyboard.type("tag:can")
    expect(typing.locator("#announcer")).to_contain_text("1 suggestion")
    expect(options(typing).first).to_have_accessible_name(re.compile(r"^canary \d+ instances?$"))


def test_a_box_works_where_suggestions_fail(typing: Page) -> None:
    typing.route("**/suggest/**", lambda route: route.fulfill(status=200, body="<p>Sign in</p>"))
    with typing.expect_response("**/suggest/**"):
        typing.keyboard.type("web")
    expect(options(typing)).to_have_count(0)
    typing.keyboard.press("Enter")
    expect(typing).to_have_url(re.compile(r"\?q=web$"))
