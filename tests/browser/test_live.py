"""Auto-refresh, change only what has changed, and can be paused."""

import re

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser

MARK = "element => { element.wasMarked = true; }"
IS_MARKED = "element => element.wasMarked === true"
SET_HIDDEN = """hidden => {
    Object.defineProperty(document, 'hidden', {get: () => hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def lena(visits: Visits) -> Page:
    """Lena's list, at a clock that the test moves; nothing refreshes before."""
    page = visits.open()
    page.clock.install()
    visits.sign_in_on(page, "lena", to="/spo1/instances/?name=*")
    settle(page)
    return page


def settle(page: Page) -> None:
    """Let the first refresh of a page that was stored, and stale, go by."""
    page.clock.run_for(1500)
    page.wait_for_function("() => !document.documentElement.classList.contains('is-refreshing')")


def is_refresh(request: Request) -> bool:
    return "portal-refresh" in request.headers and request.method == "GET"


def note_refreshes(page: Page) -> list[Request]:
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request) if is_refresh(request) else None)
    return seen


def wait_for_refresh(page: Page, seconds: int = 31) -> int:
    """Let so much time pass; the status of the refresh that is made then."""
    # What is stored must be older than PAGE_FRESH_SECONDS by the server's clock.
    page.wait_for_timeout(1100)
    with page.expect_response(lambda response: is_refresh(response.request)) as answer:
        page.clock.run_for(seconds * 1000)
    settle(page)
    # The rows are changed once the script that marks them is there.
    page.evaluate("() => import(document.getElementById('script-texts').dataset.marks).catch(() => null)")
    return answer.value.status


def row(page: Page, number: int) -> str:
    return f'[data-instance-id="{list_ids(page)[number]}"]'


def rename(visits: Visits, page: Page, number: int, name: str) -> None:
    visits.portal.change(list_ids(page)[number], action="rename", name=name)


def test_a_refresh_without_changes_swaps_nothing_and_moves_the_date_on(visits: Visits, lena: Page) -> None:
    parts = [lena.locator(name) for name in ("#results", "#freshness", "#live", row(lena, 0), "#request-details")]
    before = lena.locator("#freshness time").first.get_attribute("datetime")
    for part in parts:
        part.evaluate(MARK)
    assert wait_for_refresh(lena) == 204
    assert all(part.evaluate(IS_MARKED) for part in parts)
    assert lena.locator("#freshness time").first.get_attribute("datetime") != before
    expect(lena.locator("#freshness time[data-ago]")).to_have_text(re.compile("just now|seconds ago"))


def test_a_refresh_changes_the_changed_row_and_leaves_the_others_alone(visits: Visits, lena: Page) -> None:
    other, changed = lena.locator(row(lena, 2)), lena.locator(row(lena, 3))
    other.evaluate(MARK)
    changed.evaluate(MARK)
    rename(visits, lena, 3, "renamed-1")
    assert wait_for_refresh(lena) == 200
    expect(changed).to_contain_text("renamed-1")
    assert other.evaluate(IS_MARKED)
    assert changed.evaluate(IS_MARKED)
    expect(lena.locator("#announcer")).to_contain_text("→ renamed-1")
    with lena.expect_navigation():
        changed.locator("th a").click()


def test_a_refresh_keeps_focus_scroll_and_what_is_unfolded_in_the_row_that_changes(visits: Visits, lena: Page) -> None:
    lena.set_viewport_size({"width": 720, "height": 500})
    changed = lena.locator(row(lena, 5))
    lena.locator("#request-details > summary").click()
    copy = changed.locator("th .copy")
    copy.scroll_into_view_if_needed()
    copy.focus()
    lena.evaluate("() => { document.querySelector('#table').scrollLeft = 60; }")
    places = "() => [scrollY, document.querySelector('#table').scrollLeft, document.activeElement.dataset.copy]"
    before = lena.evaluate(places)
    assert before[0] > 0
    visits.portal.change(list_ids(lena)[5], action="set", fields={"tags": ["one", "two"]})
    assert wait_for_refresh(lena) == 200
    expect(changed).to_contain_text("two")
    assert lena.evaluate(places) == before
    expect(lena.locator("#request-details")).to_have_attribute("open", "")


def test_an_open_list_of_addresses_stays_open_when_its_row_changes(visits: Visits, lena: Page) -> None:
    identifier = list_ids(lena)[1]
    addresses = [{"addr": f"10.0.0.{number}", "version": 4} for number in range(1, 6)]
    visits.portal.change(identifier, action="set", fields={"addresses": {"net": addresses}})
    assert wait_for_refresh(lena) == 200
    more = lena.locator(f"#addresses-{identifier}")
    more.locator("summary").click()
    more.locator("summary").focus()
    rename(visits, lena, 1, "renamed-2")
    assert wait_for_refresh(lena) == 200
    expect(lena.locator(row(lena, 1))).to_contain_text("renamed-2")
    expect(more).to_have_attribute("open", "")
    expect(more.locator("summary")).to_be_focused()


def test_rows_that_come_and_go_take_their_places(visits: Visits, lena: Page) -> None:
    ids = list_ids(lena)
    stays = lena.locator(row(lena, 6))
    stays.evaluate(MARK)
    visits.portal.change(ids[0], action="delete", seconds=0)
    visits.portal.change(ids[8], action="delete", seconds=0)
    assert wait_for_refresh(lena) == 200
    expect(lena.locator("[data-instance-id]")).to_have_count(10)
    assert list_ids(lena) == [one for number, one in enumerate(ids) if number not in {0, 8}]
    assert stays.evaluate(IS_MARKED)
    expect(lena.locator("#counter")).to_have_text("(10)")


def test_marked_text_holds_the_refresh_back_until_it_is_let_go(visits: Visits, lena: Page) -> None:
    seen = note_refreshes(lena)
    rename(visits, lena, 0, "renamed-3")
    lena.locator(row(lena, 4)).evaluate("row => getSelection().selectAllChildren(row.querySelector('th a'))")
    lena.wait_for_timeout(1100)
    lena.clock.run_for(60_000)
    assert seen == []
    expect(lena.locator("[data-live-status]")).to_have_text("paused while text is selected")
    assert lena.evaluate("() => String(getSelection())")
    with lena.expect_response(lambda response: is_refresh(response.request)):
        lena.evaluate("() => getSelection().removeAllRanges()")
        lena.clock.run_for(2000)
    expect(lena.locator(row(lena, 0))).to_contain_text("renamed-3")


def test_what_changes_is_looked_at_more_often_and_the_page_says_so(visits: Visits, lena: Page) -> None:
    words = lena.locator("[data-live-status]")
    fields = {"name": "quick", "task_state": "rebooting"}
    visits.portal.change(list_ids(lena)[0], action="set", fields=fields)
    lena.goto("/spo1/instances/?name=quick")
    settle(lena)
    expect(words).to_have_text("auto-refresh: 5 s while something is changing")
    seen = note_refreshes(lena)
    for _ in range(3):
        wait_for_refresh(lena, 6)
    # In 22 seconds; a fourth one where answers are fast.
    assert len(seen) in {3, 4}
    assert {request.headers["portal-refresh"] for request in seen} == {"quick"}
    for _ in range(13):
        lena.clock.run_for(8000)
        settle(lena)
    expect(words).to_have_text("auto-refresh: 30 s")
    seen.clear()
    wait_for_refresh(lena, 31)
    assert {request.headers["portal-refresh"] for request in seen} == {"1"}


def test_a_page_can_be_paused_and_stays_so_in_its_tab(visits: Visits, lena: Page) -> None:
    seen = note_refreshes(lena)
    pause, words = lena.locator("[data-live-pause]"), lena.locator("[data-live-status]")
    expect(words).to_have_text("auto-refresh: 30 s")
    expect(pause).to_have_text("Pause")
    pause.click()
    expect(pause).to_have_text("Resume")
    expect(words).to_have_text("paused")
    lena.clock.run_for(120_000)
    lena.reload()
    lena.clock.run_for(60_000)
    expect(pause).to_have_text("Resume")
    assert seen == []
    with lena.expect_response(lambda response: is_refresh(response.request)):
        pause.press("Enter")
        lena.clock.run_for(1000)
    expect(pause).to_have_text("Pause")
    expect(words).to_have_text("auto-refresh: 30 s")


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_it_is_shown_again(visits: Visits, lena: Page) -> None:
    seen = note_refreshes(lena)
    lena.evaluate(SET_HIDDEN, True)
    lena.clock.run_for(300_000)
    lena.wait_for_timeout(200)
    assert seen == []
    with lena.expect_response(lambda response: is_refresh(response.request)):
        lena.evaluate(SET_HIDDEN, False)
    lena.evaluate(SET_HIDDEN, True)
    lena.evaluate(SET_HIDDEN, False)
    lena.wait_for_timeout(200)
    assert len(seen) == 1


def test_no_one_there_for_ten_minutes_stops_it_and_a_key_goes_on(visits: Visits, lena: Page) -> None:
    lena.evaluate(SET_HIDDEN, True)
    lena.clock.run_for(1000)
    lena.evaluate(SET_HIDDEN, False)
    lena.route("**/*", lambda route: route.abort() if is_refresh(route.request) else route.continue_())
    visits.expected += ["ERR_FAILED", "htmx:sendError"]
    lena.clock.run_for(601_000)
    # The last one before may still be on its way.
    settle(lena)
    expect(lena.locator("[data-live-status]")).to_have_text(re.compile("paused after ten minutes"))
    seen = note_refreshes(lena)
    lena.clock.run_for(600_000)
    assert seen == []
    lena.unroute("**/*")
    with lena.expect_response(lambda response: is_refresh(response.request)):
        lena.keyboard.press("Shift")
        lena.clock.run_for(2000)
    expect(lena.locator("[data-live-status]")).to_have_text("auto-refresh: 30 s")


def test_after_errors_it_retries_less_and_less_often_and_says_when(visits: Visits, lena: Page) -> None:
    words = lena.locator("[data-live-status]")
    visits.portal.script_fault(times=None, status=500, organization="globex")
    waits = []
    for _ in range(3):
        seen = note_refreshes(lena)
        lena.wait_for_timeout(1100)
        waited = 0
        while not seen:
            lena.clock.run_for(1000)
            waited += 1
            lena.wait_for_timeout(20)
        settle(lena)
        waits.append(waited)
        expect(words).to_have_text(re.compile(r"next retry in \d+ s"))
    assert [round(wait / 10) for wait in waits] == [3, 3, 6]
    expect(lena.locator("#notice")).to_contain_text("ByCloud is unavailable (500)")
    assert len(list_ids(lena)) == 12
    expect(lena).to_have_title(re.compile("^⚠︎ "))
    visits.portal.clear_faults()
    with lena.expect_response(lambda response: response.request.method == "POST"):
        lena.locator("#notice").get_by_role("button", name="Retry").click()
    expect(lena.locator("#notice")).to_have_count(0)
    expect(words).to_have_text("auto-refresh: 30 s")
    expect(lena).to_have_title(re.compile("^[^⚠]+$"))


def test_retry_works_where_nothing_was_seen(visits: Visits, *, scripts: bool) -> None:
    visits.expected.append("status of 502")
    page = visits.sign_in("ada", scripts=scripts)
    visits.portal.script_fault(times=None, status=500, match="limit=43" if scripts else "limit=44")
    page.goto(f"/spo1/instances/?limit={43 if scripts else 44}")
    expect(page.locator("#notice")).to_contain_text("ByCloud is unavailable (500)")
    expect(page.locator("#table")).to_have_count(0)
    visits.portal.clear_faults()
    page.locator("#notice").get_by_role("button", name="Retry").click()
    expect(page.locator("#table")).to_be_visible()
    expect(page.locator("#notice")).to_have_count(0)


def test_a_portal_out_of_reach_is_tried_again_later(visits: Visits, lena: Page) -> None:
    visits.expected += ["ERR_INTERNET_DISCONNECTED", "htmx:sendError"]
    lena.context.set_offline(True)
    lena.clock.run_for(32_000)
    expect(lena.locator("#request-error")).to_contain_text("Can't reach the portal")
    expect(lena.locator("[data-live-status]")).to_have_text(re.compile("next retry in"))
    assert len(list_ids(lena)) == 12
    expect(lena).to_have_title(re.compile("^⚠︎ "))
    lena.context.set_offline(False)
    assert wait_for_refresh(lena, 61) in {200, 204}
    expect(lena).to_have_title(re.compile("^[^⚠]+$"))
    expect(lena.locator("#request-error")).to_be_empty()


def test_a_notice_that_a_refresh_takes_away_gives_its_focus_to_the_rows(visits: Visits, lena: Page) -> None:
    visits.expected += ["ERR_INTERNET_DISCONNECTED", "htmx:sendError"]
    lena.context.set_offline(True)
    lena.clock.run_for(32_000)
    retry = lena.locator("#request-error").get_by_role("button", name="Retry")
    retry.focus()
    lena.clock.run_for(62_000)
    # Another refresh has failed, and its notice has taken the place of the first one.
    expect(retry).to_be_focused()
    lena.context.set_offline(False)
    assert wait_for_refresh(lena, 121) in {200, 204}
    expect(lena.locator("#request-error")).to_be_empty()
    expect(lena.locator("#results")).to_be_focused()


def test_a_refresh_leaves_the_focus_in_its_row_where_others_have_the_same_words(visits: Visits, lena: Page) -> None:
    ids = list_ids(lena)
    for number in (1, 5):
        visits.portal.change(ids[number], action="set", fields={"tags": ["twin", "other"]})
    wait_for_refresh(lena)
    tag = lena.locator(row(lena, 5)).get_by_role("link", name="twin")
    tag.focus()
    rename(visits, lena, 1, "renamed-5")
    rename(visits, lena, 5, "renamed-6")
    assert wait_for_refresh(lena) == 200
    expect(lena.locator(row(lena, 5))).to_contain_text("renamed-6")
    expect(tag).to_be_focused()
    # What had the focus is gone from its row: its name has it then, and not a twin in another row.
    visits.portal.change(ids[5], action="set", fields={"tags": []})
    assert wait_for_refresh(lena) == 200
    expect(tag).to_have_count(0)
    expect(lena.locator(row(lena, 5)).locator("th a")).to_be_focused()


def test_a_link_that_a_refresh_takes_away_does_not_hand_its_focus_to_the_next_one(visits: Visits, lena: Page) -> None:
    identifier = list_ids(lena)[4]
    visits.portal.change(identifier, action="set", fields={"tags": ["first", "second"]})
    assert wait_for_refresh(lena) == 200
    changed = lena.locator(row(lena, 4))
    changed.get_by_role("link", name="first").focus()
    visits.portal.change(identifier, action="set", fields={"tags": ["second"]})
    assert wait_for_refresh(lena) == 200
    expect(changed.get_by_role("link", name="first")).to_have_count(0)
    expect(changed.locator("th a")).to_be_focused()


def test_an_age_keeps_focus_and_stays_without_its_tooltip_while_its_row_changes(visits: Visits, lena: Page) -> None:
    age = lena.locator(row(lena, 3)).locator("time.ago").first
    tooltip = "() => getComputedStyle(document.activeElement, '::after').content"
    lena.keyboard.press("j")
    age.focus()
    assert lena.evaluate(tooltip) != "none"
    lena.keyboard.press("Escape")
    assert lena.evaluate(tooltip) == "none"
    rename(visits, lena, 3, "renamed-8")
    assert wait_for_refresh(lena) == 200
    expect(lena.locator(row(lena, 3))).to_contain_text("renamed-8")
    expect(age).to_be_focused()
    assert lena.evaluate(tooltip) == "none"


def test_a_copy_button_that_is_pointed_at_leaves_its_row_as_it_is(visits: Visits, lena: Page) -> None:
    pointed = lena.locator(row(lena, 2))
    pointed.locator("th .copy").hover()
    expect(pointed.locator("th .copy")).to_have_attribute("title", re.compile("."))
    pointed.evaluate(MARK)
    rename(visits, lena, 3, "renamed-7")
    assert wait_for_refresh(lena) == 200
    expect(lena.locator(row(lena, 3))).to_contain_text("renamed-7")
    assert pointed.evaluate(IS_MARKED)


def test_the_counter_stays_while_a_page_refreshes(visits: Visits, lena: Page) -> None:
    lena.wait_for_timeout(1100)
    visits.portal.script_fault(times=1, delay=1.5, organization="globex")
    with lena.expect_response(lambda response: is_refresh(response.request)):
        with lena.expect_request(is_refresh):
            lena.clock.run_for(31_000)
        expect(lena.locator("#results")).to_have_attribute("aria-busy", "true")
        assert lena.locator("#counter").is_visible()
    visits.portal.script_fault(times=1, delay=1.5, organization="globex")
    lena.get_by_role("button", name="Refresh").click()
    expect(lena.locator("#results")).to_have_attribute("aria-busy", "true")
    assert lena.locator("#counter").is_visible()


def test_nothing_is_asked_once_the_session_has_ended(lena: Page) -> None:
    seen = note_refreshes(lena)
    lena.clock.fast_forward(31 * 60_000)
    expect(lena.locator("#session")).to_contain_text("Your session has ended")
    seen.clear()
    for place in (200, 300):
        lena.mouse.move(place, place)
        lena.clock.run_for(2000)
    lena.wait_for_timeout(200)
    assert seen == []
    expect(lena.locator("[data-live-status]")).to_have_text("paused until you sign in again")


def test_a_tab_that_was_paused_says_what_is_true_when_pages_refresh_only_when_asked(visits: Visits) -> None:
    visits.portal.add_member("pia", "operator", secret="sandbox-globex-token")
    page = visits.sign_in("pia")
    page.locator("[data-live-pause]").click()
    expect(page.locator("[data-live-status]")).to_have_text("paused")
    page.goto("/preferences/")
    page.get_by_role("combobox", name="Auto-refresh").select_option(label="Manual only")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("#messages .toast")).to_be_visible()
    with page.expect_response(lambda response: is_refresh(response.request)):
        page.goto("/spo1/instances/?limit=20")
        page.wait_for_timeout(1100)
        page.reload()
    expect(page.locator("[data-live-status]")).to_have_text("manual refresh only")
    expect(page.locator("[data-live-pause]")).to_have_count(0)


def test_the_rate_limit_opens_its_explanation_and_stays_open_over_a_refresh(visits: Visits, lena: Page) -> None:
    rate_limit = lena.locator("#rate-limit")
    used = rate_limit.locator("td[data-minute-used]")
    expect(rate_limit.locator("summary")).to_contain_text(re.compile(r"\d+ of [\d,]+ this minute"))
    rate_limit.locator("summary").click()
    expect(used).to_be_visible()
    used.evaluate("cell => { cell.textContent = 'nobody knows'; }")
    assert wait_for_refresh(lena) == 204
    expect(used).to_have_text(re.compile(r"^\d+$"))
    rename(visits, lena, 0, "renamed-4")
    assert wait_for_refresh(lena) == 200
    expect(rate_limit).to_have_attribute("open", "")
    expect(rate_limit.locator("summary")).to_be_focused()


def test_an_instances_page_refreshes_itself_section_by_section(visits: Visits, lena: Page) -> None:
    identifier = list_ids(lena)[2]
    lena.goto(f"/spo1/instances/{identifier}/")
    settle(lena)
    summary, network = lena.locator("#summary"), lena.locator("#network")
    for part in (summary, network):
        part.evaluate(MARK)
    assert wait_for_refresh(lena) == 204
    visits.portal.change(identifier, action="set", fields={"description": "moved to another rack"})
    lena.locator("#json-text > summary").click()
    assert wait_for_refresh(lena) == 200
    expect(summary).to_contain_text("moved to another rack")
    assert all(part.evaluate(IS_MARKED) for part in (summary, network))
    expect(lena.locator("#json-text")).to_have_attribute("open", "")


def test_without_scripts_nothing_claims_to_refresh(visits: Visits) -> None:
    page = visits.sign_in("ada", scripts=False)
    expect(page.locator("#freshness")).to_be_visible()
    for hidden in ("[data-live-status]", "[data-live-pause]"):
        expect(page.locator(hidden)).to_be_hidden()
    page.locator("#rate-limit summary").click()
    expect(page.locator("#rate-limit table")).to_be_visible()
