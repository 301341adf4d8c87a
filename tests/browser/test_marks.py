"""What a refresh has changed is marked for a moment and told once; and the pages that show changes."""

import re

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, add_sign_in, list_ids
from tests.browser.test_live import rename, row, settle, wait_for_refresh

pytestmark = pytest.mark.browser

LIST, CHANGES = "/spo1/instances/", "/spo1/changes/"
READ = 60_000
# What is marked stays so, to be looked at.
KEEP_MARKS = """
    window.marked = [];
    window.changed = [];
    const {animate} = Element.prototype;
    Element.prototype.animate = function (...given) {
        if (this.dataset.instanceId) window.marked.push(this.dataset.instanceId);
        else if (given[0][0].backgroundColor.includes("mix")) window.changed.push(this.className);
        const animation = animate.apply(this, given);
        animation.pause();
        return animation;
    };
"""
NOTE_ANNOUNCEMENTS = """() => {
    window.said = [];
    const place = document.getElementById('announcer');
    new MutationObserver(() => window.said.push(place.textContent)).observe(place, {childList: true});
}"""

TELL = """async texts => {
    const {tell} = await import(document.getElementById('script-texts').dataset.marks);
    texts.forEach(tell);
}"""


@pytest.fixture
def lena(visits: Visits) -> Page:
    """Lena's list of 12, at a clock that the test moves."""
    page = visits.open()
    page.clock.install()
    page.add_init_script(KEEP_MARKS)
    visits.sign_in_on(page, "lena", to=f"{LIST}?name=*")
    settle(page)
    page.evaluate(NOTE_ANNOUNCEMENTS)
    return page


def list_said(page: Page) -> list[str]:
    said: list[str] = page.evaluate("() => window.said")
    return said


def list_marked(page: Page) -> list[str]:
    marked: list[str] = page.evaluate("() => window.marked")
    return marked


def name_of(page: Page, number: int) -> str:
    return page.locator(f"{row(page, number)} th a").inner_text()


def read_to_the_end(page: Page) -> None:
    page.goto(f"{LIST}?page=1")
    page.locator("#tools").get_by_role("button", name="Refresh").click()
    expect(page.locator("#freshness")).to_contain_text("12 of 12 instances", timeout=READ)
    expect(page.locator("#walk")).to_have_count(0, timeout=READ)


def look_elsewhere(visits: Visits, page: Page) -> None:
    """Somebody with the same credential asks ByCloud for the list."""
    other = page.context.new_page()
    other.goto(f"{LIST}?name=*")
    # The list was "just now" before, too; the one that the refresh leads to is a new one.
    with other.expect_response(lambda response: response.request.redirected_from is not None):
        other.locator("#tools").get_by_role("button", name="Refresh").click()
    expect(other.locator("#freshness")).to_contain_text("just now")
    other.close()


def test_a_change_of_state_is_marked_and_told_once(visits: Visits, lena: Page) -> None:
    states = lena.locator("tr[data-instance-id] .status").all_inner_texts()
    number = states.index("Active")
    name, identifier = name_of(lena, number), list_ids(lena)[number]
    visits.portal.change(identifier, action="stop", seconds=600)
    assert wait_for_refresh(lena) == 200
    assert list_marked(lena) == [identifier]
    assert lena.evaluate("() => window.changed") == ["c-state"]
    assert list_said(lena) == [f"{name}: Active → Stopping"]
    wait_for_refresh(lena)
    assert (len(list_marked(lena)), len(list_said(lena))) == (1, 1)


def test_what_comes_sooner_than_ten_seconds_is_told_together(lena: Page) -> None:
    lena.evaluate(TELL, ["one"])
    lena.clock.run_for(5000)
    lena.evaluate(TELL, ["two", "three"])
    assert list_said(lena) == ["one"]
    lena.clock.run_for(5000)
    assert list_said(lena) == ["one", "two. three"]


def test_several_columns_of_up_to_three_instances_are_told_one_by_one(visits: Visits, lena: Page) -> None:
    first, second = list_ids(lena)[:2]
    before = name_of(lena, 0)
    visits.portal.change(first, action="set", fields={"name": "renamed-1", "flavor": {"id": "f", "name": "x9.huge"}})
    visits.portal.change(second, action="rename", name="renamed-2 $& <b>")
    assert wait_for_refresh(lena) == 200
    assert list_marked(lena) == [first, second]
    (said,) = list_said(lena)
    assert re.fullmatch(
        rf"renamed-1: {re.escape(before)} → renamed-1, \S+ → x9\.huge\. renamed-2 \$& <b>: \S+ → renamed-2 \$& <b>",
        said,
    ), said


def test_more_than_three_are_counted_and_named(visits: Visits, lena: Page) -> None:
    for number in range(7):
        rename(visits, lena, number, f"renamed-{number}")
    assert wait_for_refresh(lena) == 200
    assert list_marked(lena) == list_ids(lena)[:7]
    named = ", ".join(f"renamed-{number}" for number in range(5))
    assert list_said(lena) == [f"7 instances changed: {named} …"]


def test_rows_that_come_and_go_are_told(visits: Visits, lena: Page) -> None:
    gone = name_of(lena, 3)
    visits.portal.change(list_ids(lena)[3], action="delete", seconds=0)
    url = f"{visits.portal.sandbox_url}/_sandbox/instances"
    made = requests.post(url, json={"organization": "globex", "count": 1}, timeout=10).json()
    assert wait_for_refresh(lena) == 200
    assert list_marked(lena) == [made[0]["id"]]
    assert list_said(lena) == [f"New here: {made[0]['name']}. No longer here: {gone}"]


def test_what_no_column_shows_is_not_marked(visits: Visits, lena: Page) -> None:
    visits.portal.change(list_ids(lena)[0], action="set", fields={"description": "something else"})
    assert wait_for_refresh(lena) == 200
    assert list_marked(lena) == []
    (said,) = list_said(lena)
    assert said.startswith("Instances 1–12 of 12, as of")


def test_another_list_is_not_compared_with_the_one_before(visits: Visits, lena: Page) -> None:
    lena.goto(f"{LIST}?name=*&limit=5")
    settle(lena)
    lena.evaluate(NOTE_ANNOUNCEMENTS)
    rename(visits, lena, 0, "renamed-1")
    lena.locator("#pager").get_by_role("link", name="Next").click()
    expect(lena.locator("#pager")).to_contain_text("6–10")
    lena.locator("#pager").get_by_role("link", name="Previous").click()
    expect(lena.locator("#pager")).to_contain_text("1–5")
    assert list_marked(lena) == []
    assert not any("→" in said or "here:" in said for said in list_said(lena))


def test_a_list_from_the_index_marks_what_others_have_seen_change(visits: Visits, lena: Page) -> None:
    read_to_the_end(lena)
    lena.goto(f"{LIST}?sort=name")
    settle(lena)
    lena.evaluate(NOTE_ANNOUNCEMENTS)
    before = name_of(lena, 2)
    rename(visits, lena, 2, "zzz")
    identifier = list_ids(lena)[2]
    look_elsewhere(visits, lena)
    assert wait_for_refresh(lena) == 200
    assert list_marked(lena) == [identifier]
    assert list_ids(lena)[-1] == identifier
    assert list_said(lena) == [f"zzz: {before} → zzz"]


@pytest.mark.parametrize(("motion", "easing"), [("no-preference", "ease-in"), ("reduce", "steps(1)")])
def test_the_mark_fades_unless_motion_is_unwanted(visits: Visits, lena: Page, motion: str, easing: str) -> None:
    lena.emulate_media(reduced_motion="reduce" if motion == "reduce" else "no-preference")
    rename(visits, lena, 0, "renamed-1")
    assert wait_for_refresh(lena) == 200
    cells = [lena.locator(f"{row(lena, number)} td").first for number in range(2)]
    colors = [cell.evaluate("cell => getComputedStyle(cell).backgroundColor") for cell in cells]
    assert colors[0] != colors[1]
    assert cells[0].evaluate("cell => cell.getAnimations()[0].effect.getKeyframes()[0].easing") == easing


def test_the_mark_goes_away_by_itself(visits: Visits) -> None:
    page = visits.open()
    page.clock.install()
    visits.sign_in_on(page, "lena", to=f"{LIST}?name=*")
    settle(page)
    rename(visits, page, 0, "renamed-1")
    assert wait_for_refresh(page) == 200
    page.wait_for_function("() => !document.getAnimations().some(one => one.id === 'changed')")
    assert page.locator(f"{row(page, 0)} td").first.evaluate("cell => cell.getAnimations().length") == 0


def test_a_refresh_works_without_the_script_that_marks(visits: Visits) -> None:
    page = visits.open()
    page.clock.install()
    visits.expected += ["Failed to load resource", "net::ERR_FAILED"]
    page.route("**/marks*.js", lambda route: route.abort())
    visits.sign_in_on(page, "lena", to=f"{LIST}?name=*")
    settle(page)
    rename(visits, page, 0, "renamed-1")
    assert wait_for_refresh(page) == 200
    expect(page.locator(row(page, 0))).to_contain_text("renamed-1")
    expect(page.locator("#announcer")).to_contain_text("Instances 1–12 of 12")


def test_an_open_page_of_changes_shows_and_tells_the_newest(visits: Visits, lena: Page) -> None:
    read_to_the_end(lena)
    lena.goto(f"{LIST}?name=*")
    settle(lena)
    before, identifier = name_of(lena, 0), list_ids(lena)[0]
    lena.goto(CHANGES)
    settle(lena)
    expect(lena.locator("#changes")).to_contain_text("No changes yet")
    lena.evaluate(NOTE_ANNOUNCEMENTS)
    visits.portal.change(identifier, action="rename", name="renamed-1")
    look_elsewhere(visits, lena)
    assert wait_for_refresh(lena) == 200
    expect(lena.locator(".change-day tbody tr")).to_have_count(1)
    assert list_said(lena) == [f"renamed-1: {before} → renamed-1"]
    # A later answer with the same changes says nothing.
    wait_for_refresh(lena, 61)
    assert len(list_said(lena)) == 1
    lena.get_by_role("link", name="renamed-1").click()
    expect(lena.locator("#history tbody tr")).to_have_count(1)


def test_many_changes_are_unfolded_by_key_and_stay_so_over_a_refresh(visits: Visits, lena: Page) -> None:
    read_to_the_end(lena)
    lena.goto(f"{LIST}?name=*")
    for number in range(7):
        rename(visits, lena, number, f"renamed-{number}")
    last = list_ids(lena)[-1]
    look_elsewhere(visits, lena)
    lena.goto(CHANGES)
    settle(lena)
    summary = lena.locator(".change-day summary")
    summary.focus()
    lena.keyboard.press("Enter")
    expect(lena.locator(".change-rows li")).to_have_count(7)
    visits.portal.change(last, action="rename", name="renamed-last")
    look_elsewhere(visits, lena)
    assert wait_for_refresh(lena) == 200
    expect(lena.locator(".change-day tbody tr")).to_have_count(2)
    expect(lena.locator(".change-rows li").first).to_be_visible()
    expect(summary).to_be_focused()


def test_without_scripts_changes_are_filtered_by_links_and_a_form(visits: Visits, lena: Page) -> None:
    read_to_the_end(lena)
    lena.goto(f"{LIST}?name=*")
    rename(visits, lena, 0, "renamed-1")
    look_elsewhere(visits, lena)
    page = visits.open(scripts=False)
    assert add_sign_in(page.context, visits.portal, "lena")
    page.goto(CHANGES)
    rows = page.locator(".change-day tbody tr")
    expect(rows).to_have_count(1)
    page.locator("#change-kinds").get_by_role("link", name="Vanished").click()
    expect(page.locator("#changes")).to_contain_text("No recorded changes match")
    page.locator("#change-kinds").get_by_role("link", name="Name").click()
    expect(page).to_have_url(re.compile(r"\?kind=vanished,name$"))
    expect(rows).to_have_count(1)
    page.get_by_label("Instances", exact=True).fill("no-such-thing")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"\?kind=vanished,name&q=no-such-thing$"))
    expect(rows).to_have_count(0)
