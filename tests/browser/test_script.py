"""What the scripts add to pages that work without it, and what they prevent htmx from doing."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser

LIST = re.compile(r"/spo1/instances/\?")
SELECT_FIRST_NAME = "() => getSelection().selectAllChildren(document.querySelector('[data-instance-id] th a'))"
MARK_FIRST_ROW = "() => { document.querySelector('[data-instance-id]').wasMarked = true; }"
IS_FIRST_ROW_MARKED = "() => document.querySelector('[data-instance-id]').wasMarked === true"


def focused_text(page: Page) -> str:
    return str(page.evaluate("() => document.activeElement.textContent.trim()"))


def press_refresh(page: Page) -> None:
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("button", name="Refresh").click()


def test_a_copy_button_copies_and_says_so(visits: Visits) -> None:
    page = visits.sign_in("ada")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator("[data-instance-id] th .copy").first
    button.click()
    expect(button).to_have_attribute("data-copied", "")
    expect(page.locator("#announcer")).to_contain_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == list_ids(page)[0]
    expect(button).not_to_have_attribute("data-copied", "", timeout=5000)


def test_copying_works_without_the_clipboard_of_secure_pages(visits: Visits) -> None:
    page = visits.sign_in("ada")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        "() => { window.kept = navigator.clipboard; Object.defineProperty(navigator, 'clipboard', {value: null}); }"
    )
    page.locator("[data-instance-id] th .copy").nth(1).click()
    expect(page.locator("#announcer")).to_contain_text("Copied")
    assert page.evaluate("() => window.kept.readText()") == list_ids(page)[1]


def test_slash_leads_to_the_search_but_not_out_of_a_field(visits: Visits) -> None:
    page = visits.sign_in("ada")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator("#search")).to_have_value("")
    name = page.locator("#filters").get_by_label("Name", exact=True)
    name.focus()
    page.keyboard.press("/")
    expect(name).to_have_value("/")


def test_one_menu_is_open_at_a_time_and_escape_closes_it(visits: Visits) -> None:
    page = visits.sign_in("ada")
    person, theme = page.locator("#person"), page.locator("#theme")
    person.locator("summary").click()
    expect(person).to_have_attribute("open", "")
    theme.locator("summary").click()
    expect(theme).to_have_attribute("open", "")
    expect(person).not_to_have_attribute("open", "")
    theme.get_by_role("button", name="Dark").focus()
    page.keyboard.press("Escape")
    expect(theme).not_to_have_attribute("open", "")
    expect(theme.locator("summary")).to_be_focused()
    person.locator("summary").click()
    page.locator("h1").click()
    expect(person).not_to_have_attribute("open", "")


def test_the_theme_is_changed_where_one_is(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("vera", to="/spo1/instances/?name=web-%2A", scripts=scripts)
    for word, theme in (("Dark", "dark"), ("System", "system")):
        page.locator("#theme summary").click()
        page.locator("#theme").get_by_role("button", name=word).click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A")


def test_the_theme_menu_comes_back_to_the_address_that_a_swap_made(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.locator("#filters").get_by_label("Name", exact=True).fill("web-*")
    page.locator("#filters").get_by_label("Name", exact=True).press("Enter")
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A")
    page.locator("#theme summary").click()
    page.locator("#theme").get_by_role("button", name="System").click()
    expect(page.locator("#theme")).not_to_have_attribute("open", "")
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A")


def test_a_broken_line_keeps_the_rows_and_offers_to_try_again(visits: Visits) -> None:
    visits.expected.append("ERR_INTERNET_DISCONNECTED")
    visits.expected.append("htmx:")
    page = visits.sign_in("ada")
    ids = list_ids(page)
    page.context.set_offline(True)
    page.locator("#pager").get_by_role("link", name="Next").click()
    error = page.locator("#request-error")
    expect(error).to_contain_text("Can't reach the portal")
    assert list_ids(page) == ids
    page.context.set_offline(False)
    error.get_by_role("button", name="Retry").click()
    expect(page.locator("#pager")).to_contain_text("21–40")
    expect(error).to_be_empty()
    assert "marker=" in page.url


def test_trying_again_with_the_keyboard_leaves_the_focus_where_it_was_before(visits: Visits) -> None:
    visits.expected += ["ERR_INTERNET_DISCONNECTED", "htmx:"]
    page = visits.sign_in("ada")
    page.context.set_offline(True)
    page.locator("#pager").get_by_role("link", name="Next").press("Enter")
    retry = page.locator("#request-error").get_by_role("button", name="Retry")
    retry.press("Enter")
    # It fails again: the notice that takes the place of the first one is no dead end, either.
    expect(page.locator("#request-error")).to_contain_text("Can't reach the portal")
    assert focused_text(page) == "Next"
    page.context.set_offline(False)
    retry.press("Enter")
    expect(page.locator("#pager")).to_contain_text("21–40")
    page.wait_for_function("() => document.activeElement !== document.body")
    assert focused_text(page) == "Next"


@pytest.mark.parametrize("body", ["<html><body>Bad gateway</body></html>", "Bad gateway"])
def test_an_answer_that_is_not_the_portals_is_never_swapped_in(visits: Visits, body: str) -> None:
    visits.expected.append("502")
    page = visits.sign_in("ada")
    ids = list_ids(page)

    def answer(route: Route) -> None:
        route.fulfill(status=502, content_type="text/html", body=body)

    page.route(LIST, answer)
    page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("#request-error")).to_contain_text("HTTP 502")
    assert list_ids(page) == ids
    expect(page.locator("#results")).not_to_contain_text("Bad gateway")
    page.unroute(LIST, answer)
    page.locator("#request-error").get_by_role("button", name="Retry").click()
    expect(page.locator("#pager")).to_contain_text("21–40")


def read_error_fragment(page: Page) -> str:
    """What the portal answers when a region is asked for and something goes wrong."""
    fragment = page.request.get("/no/such/page/", headers={"HX-Request": "true"}).text()
    assert 'id="error"' in fragment
    return fragment


def test_an_error_of_the_portals_stands_beside_the_rows_and_not_in_their_place(visits: Visits) -> None:
    visits.expected.append("500")
    page = visits.sign_in("ada")
    ids, fragment = list_ids(page), read_error_fragment(page)

    def answer(route: Route) -> None:
        route.fulfill(status=500, content_type="text/html", body=fragment)

    page.route(LIST, answer)
    page.locator("#pager").get_by_role("link", name="Next").click()
    errors = page.locator("#request-error")
    expect(errors).to_contain_text("Page not found")
    assert list_ids(page) == ids
    page.unroute(LIST, answer)
    errors.get_by_role("button", name="Retry").click()
    expect(page.locator("#pager")).to_contain_text("21–40")
    expect(errors).to_be_empty()


def test_a_refresh_that_fails_in_the_portal_leaves_the_rows_and_says_so(visits: Visits) -> None:
    visits.expected.append("500")
    page = visits.sign_in("ada")
    ids, fragment = list_ids(page), read_error_fragment(page)

    def answer(route: Route) -> None:
        if "portal-refresh" in route.request.headers:
            route.fulfill(status=500, content_type="text/html", body=fragment)
        else:
            route.continue_()

    page.route("**/spo1/instances/**", answer)
    # A stored page grows old in a second here, and asks as soon as it is opened.
    page.wait_for_timeout(1100)
    page.reload()
    expect(page.locator("#request-error")).to_contain_text("Page not found")
    expect(page.locator("#request-error").get_by_role("button", name="Retry")).to_be_visible()
    expect(page.locator("[data-live-status]")).to_contain_text("next retry in")
    assert list_ids(page) == ids


def test_a_form_that_is_no_longer_good_leaves_the_rows_and_leads_to_a_new_one(visits: Visits) -> None:
    visits.expected.append("403")
    page = visits.sign_in("ada", to="/spo1/instances/?name=web-%2A")
    ids = list_ids(page)
    page.context.clear_cookies(name="csrftoken")
    press_refresh(page)
    errors = page.locator("#request-error")
    expect(errors).to_contain_text("This form has expired")
    expect(errors.get_by_role("button", name="Retry")).to_have_count(0)
    assert list_ids(page) == ids
    errors.get_by_role("link", name="Reload page").click()
    expect(errors).to_be_empty()
    assert page.url.endswith("/spo1/instances/?name=web-%2A")
    with page.expect_response(lambda response: response.request.method == "POST") as refreshed:
        page.get_by_role("button", name="Refresh").click()
    assert refreshed.value.status == 303


def test_an_ended_session_leads_to_the_sign_in_page_and_back(visits: Visits) -> None:
    # A view that no one has opened yet is fresh: it does not ask by itself, and so does not find out first.
    page = visits.sign_in("ada", to="/spo1/instances/?limit=23")
    page.context.clear_cookies()
    page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("input[name=password]")).to_be_visible()
    expect(page.locator("#results")).to_have_count(0)


def test_the_focus_stays_where_it_was_over_a_swap(visits: Visits) -> None:
    page = visits.sign_in("ada")
    for shows in ("21–40", "41–60"):
        page.locator("#pager").get_by_role("link", name="Next").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#pager")).to_contain_text(shows)
        page.wait_for_function("() => document.activeElement !== document.body")
        assert focused_text(page) == "Next"


def test_the_focus_is_not_lost_when_what_had_it_is_gone(visits: Visits) -> None:
    page = visits.sign_in("ada", to="/spo1/instances/?name=web-%2A")
    page.locator(".active-filter > a").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".active-filter")).to_have_count(0)
    page.wait_for_function("() => document.activeElement.id === 'instances'")


def test_a_new_page_of_results_is_announced(visits: Visits) -> None:
    page = visits.sign_in("ada")
    expect(page.locator("#announcer")).to_be_empty()
    page.locator("#filters").get_by_label("Name", exact=True).fill("web-*")
    page.locator("#filters").get_by_label("Name", exact=True).press("Enter")
    expect(page.locator("#announcer")).to_contain_text(re.compile(r"\d"))


def test_a_refresh_keeps_what_was_unfolded(visits: Visits) -> None:
    page = visits.sign_in("ada")
    more = page.locator("[data-instance-id] details").first
    more.locator("summary").click()
    expect(more).to_have_attribute("open", "")
    page.evaluate(MARK_FIRST_ROW)
    press_refresh(page)
    page.wait_for_function(f"() => !({IS_FIRST_ROW_MARKED})()")
    expect(more).to_have_attribute("open", "")


def test_a_refresh_under_way_waits_for_a_text_selection_to_end(visits: Visits) -> None:
    page = visits.sign_in("lena")
    chosen = list_ids(page)[0]
    page.wait_for_timeout(1200)
    visits.portal.change(chosen, action="rename", name="renamed-meanwhile")
    visits.portal.script_fault(times=1, delay=1.5)
    with page.expect_response(lambda response: "portal-refresh" in response.request.headers):
        with page.expect_request(lambda request: "portal-refresh" in request.headers):
            page.reload()
        page.evaluate(SELECT_FIRST_NAME)
    page.wait_for_timeout(300)
    assert "renamed-meanwhile" not in page.locator("#results").inner_text()
    expect(page.locator("[data-live-status]")).to_have_text("paused while text is selected")
    page.evaluate("() => getSelection().removeAllRanges()")
    expect(page.locator("[data-instance-id] th a").first).to_have_text("renamed-meanwhile")


def test_times_go_on_without_a_request(visits: Visits) -> None:
    page = visits.open()
    page.clock.install()
    visits.sign_in_on(page, "ada")
    age = page.locator(".freshness time[data-ago]")
    expect(age).to_have_text("just now")
    # A refresh, which is due by the time that is skipped, would make it young again.
    page.keyboard.press("p")
    expect(page.locator("[data-live-status]")).to_have_text("paused")
    page.clock.fast_forward(30_000)
    expect(age).to_have_text(re.compile(r"3\d seconds ago"))
    page.clock.fast_forward(60_000)
    expect(age).to_have_text("1 minute ago")
    expect(age).to_have_attribute("title", re.compile(r"\d{4}, \d\d:\d\d:\d\d \(UTC\)"))


def test_a_long_request_shows_that_it_is_under_way(visits: Visits) -> None:
    page = visits.sign_in("ada", to="/spo1/instances/?limit=13")
    visits.portal.script_fault(times=1, delay=3, match="marker=")
    page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("html")).to_have_class(re.compile("is-loading"))
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#pager")).to_contain_text("14–26")
    expect(page.locator("html")).not_to_have_class(re.compile("is-loading"))
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")


def test_nothing_is_counted_while_another_list_loads(visits: Visits) -> None:
    page = visits.sign_in("ada", to="/spo1/instances/?limit=20")
    expect(page.locator("#counter")).to_be_visible()
    visits.portal.script_fault(times=1, delay=3, match="name=web-1")
    page.locator("#filters").get_by_label("Name", exact=True).fill("web-1*")
    page.locator("#filters").get_by_label("Name", exact=True).press("Enter")
    expect(page.locator("#counter")).to_be_hidden()
    expect(page.locator(".active-filter")).to_have_count(1)
    expect(page.locator("#counter")).to_be_visible()


LINKS = (
    "#pager a[rel=next]",
    ".active-filter > a",
    "#active-filters a.button",
    "#pager .page-sizes a",
    "[data-instance-id] th a",
    "a[data-dialog]",
)
HELD: tuple[dict[str, Any], ...] = ({"modifiers": ["Control"]}, {"modifiers": ["Shift"]}, {"button": "middle"})


def test_a_link_that_is_clicked_with_a_key_held_does_what_the_browser_does(visits: Visits) -> None:
    page = visits.sign_in("ada", to="/spo1/instances/?name=*&limit=5")
    swaps: list[str] = []
    page.on("request", lambda request: swaps.append(request.url) if is_swap(request) else None)
    address = page.url
    for link in LINKS:
        place = page.locator(link).first
        target = place.evaluate(
            "link => { if (link.closest('#person')) link.closest('#person').open = true; return link.href; }"
        )
        # Each way once, and each link in one way.
        for how in HELD if link == LINKS[0] else HELD[:1]:
            with page.context.expect_page() as opened:
                place.click(**how)
            opened.value.wait_for_url(target, wait_until="commit")
            opened.value.close()
        # It is saved as a file, where the browser does that.
        place.click(modifiers=["Alt"])
    page.wait_for_timeout(300)
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert page.url == address
    # Means a new tab on one system, and nothing on this one.
    with page.expect_navigation():
        page.locator(LINKS[0]).click(modifiers=["Meta"])
    assert swaps == []


def is_swap(request: Request) -> bool:
    return "hx-request" in request.headers and "portal-refresh" not in request.headers
