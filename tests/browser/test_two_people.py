"""Two members in two tabs of one browser: neither page ever shows the other member's data."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, fill_sign_in, list_ids

pytestmark = pytest.mark.browser


@pytest.fixture
def first(visits: Visits) -> Page:
    """Lena's list, of globex, at a clock that the test moves."""
    visits.portal.add_member_of_globex("lena")
    page = visits.open()
    page.clock.install()
    visits.sign_in_on(page, "lena", to="/spo1/instances/?limit=20")
    page.clock.run_for(1500)
    expect(page.locator("#counter")).to_have_text("(12)")
    return page


def sign_in_beside(visits: Visits, page: Page, name: str) -> Page:
    """Sign out and in as someone else in another tab."""
    other = page.context.new_page()
    other.goto("/sign-out/")
    other.locator("main").get_by_role("button", name="Sign out").click()
    fill_sign_in(other, name, visits.portal.passwords[name])
    return other


def test_a_page_that_refreshes_itself_becomes_the_others_as_a_whole(visits: Visits, first: Page) -> None:
    sign_in_beside(visits, first, "ada")
    lenas = list_ids(first)
    with first.expect_navigation():
        first.clock.run_for(31_000)
    expect(first.locator("#person summary")).to_contain_text("ada")
    expect(first.locator("#messages")).to_contain_text("loaded again")
    expect(first.locator("#counter")).to_have_text("(150)")
    assert not set(lenas) & set(list_ids(first))


@pytest.mark.parametrize(
    "does", ["filters", *(pytest.param(one, marks=pytest.mark.slow) for one in ("turns", "refreshes"))]
)
def test_whatever_is_done_in_the_old_page_loads_it_again_as_a_whole(visits: Visits, first: Page, does: str) -> None:
    first.goto("/spo1/instances/?limit=5")
    sign_in_beside(visits, first, "ada")
    with first.expect_navigation():
        if does == "filters":
            first.locator("#id_name").fill("web-*")
            first.locator("#id_name").press("Enter")
        elif does == "turns":
            first.locator("#pager").get_by_role("link", name="Next").click()
        else:
            first.locator("#tools").get_by_role("button", name="Refresh").click()
    expect(first.locator("#person summary")).to_contain_text("ada")
    expect(first.locator("#pager")).to_contain_text("1–5 of 150")


def test_signing_out_in_the_old_page_does_not_pretend_to(visits: Visits, first: Page) -> None:
    visits.expected.append("403 (Forbidden)")
    sign_in_beside(visits, first, "ada")
    first.locator("form.sign-out button").first.click()
    expect(first.locator("main")).to_contain_text("You are still signed in as ada")
    first.locator("main").get_by_role("link", name="Sign out").click()
    first.locator("main").get_by_role("button", name="Sign out").click()
    expect(first.locator("input[name=password]")).to_be_visible()


def test_what_one_has_selected_is_nothing_to_the_other_after_the_session_has_ended(visits: Visits, first: Page) -> None:
    first.locator("#table tbody .tick input").first.check()
    expect(first.locator("#selection")).to_contain_text("1 selected")
    lenas = list_ids(first)[0]
    assert lenas in first.evaluate("() => sessionStorage.selection")
    # Without a sign-out, which would ask the browser to clear its data.
    first.context.clear_cookies()
    visits.sign_in_on(first, "ada", to="/spo1/instances/?limit=20")
    expect(first.locator("#counter")).to_have_text("(150)")
    first.locator("#table tbody .tick input").first.check()
    expect(first.locator("#selection")).to_contain_text("1 selected")
    expect(first.locator("#selection")).not_to_contain_text("other pages")
    assert lenas not in first.evaluate("() => sessionStorage.selection")
