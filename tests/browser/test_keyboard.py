"""Tasks done with the keyboard alone, shortcuts, and the setting that turns them off."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser

FOCUSED = "() => document.activeElement.closest('[data-instance-id]')?.dataset.instanceId ?? null"
MOST_TABS = 100
NOWHERE = "00000000-0000-0000-0000-000000000000"


def focused_row(page: Page) -> str | None:
    row: str | None = page.evaluate(FOCUSED)
    return row


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until `wanted` has the focus, as someone without a mouse does."""
    for _ in range(MOST_TABS):
        page.keyboard.press(key)
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{MOST_TABS} tabs did not lead to {wanted}")


def test_from_sign_in_to_a_copied_address_and_back_without_a_mouse(visits: Visits) -> None:
    page = visits.open()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/spo1/instances/")
    tab_to(page, page.locator("input[name=login]"))
    page.keyboard.type("otto")
    page.keyboard.press("Tab")
    page.keyboard.type(visits.portal.passwords["otto"])
    page.keyboard.press("Enter")
    expect(page.locator("#pager")).to_contain_text("1–20 of")

    tab_to(page, page.locator("#filters input[name=name]"))
    page.keyboard.type("web-*")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?name=web-%2A$"))
    first = list_ids(page)

    tab_to(page, page.locator(f"[data-instance-id='{first[0]}'] th a"))
    page.keyboard.press("]")
    expect(page.locator("#pager")).to_contain_text("21–")
    second = list_ids(page)
    assert not set(first) & set(second)
    address = page.url

    row = page.locator(f"[data-instance-id='{second[1]}']")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row.locator("th a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/spo1/instances/{second[1]}/"))

    copies = page.locator("#network").get_by_role("button", name="Copy").first
    tab_to(page, copies)
    page.keyboard.press("Enter")
    expect(page.locator("#announcer")).to_contain_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == copies.get_attribute("data-copy")

    back = page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Instances")
    tab_to(page, back, "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}#{second[1]}")
    assert list_ids(page) == second
    page.keyboard.press("j")
    assert focused_row(page) == second[2]


def test_j_and_k_walk_the_rows_and_stop_at_their_ends(visits: Visits) -> None:
    page = visits.sign_in("vera")
    ids = list_ids(page)
    page.keyboard.press("j")
    assert focused_row(page) == ids[0]
    page.keyboard.press("k")
    assert focused_row(page) == ids[0]
    for _ in ids:
        page.keyboard.press("j")
    assert focused_row(page) == ids[-1]
    page.keyboard.press("k")
    assert focused_row(page) == ids[-2]
    expect(page.locator(f"[data-instance-id='{ids[-2]}']")).to_be_in_viewport()


def test_j_goes_on_from_wherever_in_a_row_the_focus_is(visits: Visits) -> None:
    page = visits.sign_in("vera")
    ids = list_ids(page)
    page.locator(f"[data-instance-id='{ids[3]}'] time").focus()
    page.keyboard.press("j")
    assert focused_row(page) == ids[4]


def test_the_keys_opened_from_the_menu_give_the_focus_back_to_it(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.locator("#person > summary").press("Enter")
    page.locator("#person").get_by_role("link", name="Keyboard shortcuts").press("Enter")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()
    expect(page.locator("#person > summary")).to_be_focused()
    expect(page.locator("#person")).not_to_have_attribute("open", "")


def test_c_copies_the_id_of_an_instance_that_cannot_be_fetched(visits: Visits) -> None:
    visits.expected.append("503 (Service Unavailable)")
    page = visits.sign_in("otto")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visits.portal.script_fault(times=None, status=503)
    # From a place in the list where no one has been.
    page.goto(f"/spo1/instances/{NOWHERE}/?marker={NOWHERE}")
    expect(page.locator("#notice")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#toasts")).to_contain_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == NOWHERE


def test_rows_are_reached_with_tab_as_well(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.get_by_role("region", name=re.compile("^Instances")).focus()
    tab_to(page, page.locator(f"[data-instance-id='{list_ids(page)[0]}'] th a"))


def test_the_first_row_is_four_stops_away(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.goto("/spo1/instances/")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the first instance")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(f"[data-instance-id='{list_ids(page)[0]}'] th a")).to_be_focused()
    expect(page.locator("#table thead")).to_be_in_viewport()
    page.emulate_media(forced_colors="active")
    expect(page.locator("#view-links [aria-current]")).to_have_css("outline-style", "solid")


def test_brackets_turn_pages(visits: Visits) -> None:
    page = visits.sign_in("vera")
    first = list_ids(page)
    page.keyboard.press("[")
    page.keyboard.press("]")
    expect(page.locator("#pager")).to_contain_text("21–40")
    page.keyboard.press("j")
    assert focused_row(page) == list_ids(page)[0]
    page.keyboard.press("[")
    expect(page.locator("#pager")).to_contain_text("1–20")
    assert list_ids(page) == first


@pytest.mark.parametrize("region", ["#results", "#found"])
def test_r_refreshes_what_is_open(visits: Visits, region: str) -> None:
    page = visits.sign_in("otto")
    if region == "#found":
        page.keyboard.press("j")
        page.keyboard.press("Enter")
    expect(page.locator(region)).to_be_attached()
    page.wait_for_load_state()
    with page.expect_response(lambda response: response.request.method == "POST") as refreshed:
        page.keyboard.press("r")
    assert refreshed.value.status == 303
    assert refreshed.value.url.endswith("/spo1/instances/refresh/")


def test_p_pauses_and_goes_on(visits: Visits) -> None:
    page = visits.sign_in("vera")
    words = page.locator("[data-live-status]")
    expect(words).to_have_text(re.compile("auto-refresh"))
    page.keyboard.press("p")
    expect(words).to_have_text("paused")
    page.keyboard.press("p")
    expect(words).to_have_text(re.compile("auto-refresh"))


def test_c_copies_the_id_of_the_row_and_leaves_the_focus_there(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    toast = page.locator("#toasts .toast")
    page.keyboard.press("c")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(toast).to_have_count(0)
    page.keyboard.press("c")
    chosen = list_ids(page)[1]
    expect(toast).to_have_text(f"Copied: {chosen}")
    assert page.evaluate("() => navigator.clipboard.readText()") == chosen
    expect(page.locator(f"[data-instance-id='{chosen}'] th a")).to_be_focused()
    expect(toast).to_have_count(0)


def test_c_copies_the_id_of_the_open_instance(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chosen = list_ids(page)[0]
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_be_attached()
    page.wait_for_load_state()
    page.keyboard.press("c")
    expect(page.locator("#toasts")).to_have_text(f"Copied: {chosen}")
    assert page.evaluate("() => navigator.clipboard.readText()") == chosen


def test_what_could_not_be_copied_is_said(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.evaluate(
        """() => {
            Object.defineProperty(navigator, 'clipboard', {value: null});
            document.execCommand = () => false;
        }"""
    )
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#toasts .toast-error")).to_contain_text("Couldn't copy")
    page.locator("[data-instance-id] th .copy").first.click()
    expect(page.locator("#announcer")).to_contain_text("Couldn't copy")
    expect(page.locator("[data-instance-id] th .copy").first).to_have_class("copy")


def test_the_keys_are_listed_in_a_window_that_takes_the_keyboard_and_gives_it_back(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.keyboard.press("j")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_be_visible()
    for key in ("/", "?", "j", "k", "Enter", "r", "p", "c", "[", "]"):
        expect(keys.locator("kbd", has_text=re.compile(f"^{re.escape(key)}$"))).to_have_count(1)
    page.keyboard.press("]")
    page.keyboard.press("/")
    expect(page.locator("#search")).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    assert focused_row(page) == list_ids(page)[0]
    assert "marker=" not in page.url


def test_the_list_of_keys_opens_and_closes_by_mouse_as_well(visits: Visits) -> None:
    page = visits.sign_in("vera")
    address = page.url
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    page.locator("#person summary").click()
    page.get_by_role("link", name="Keyboard shortcuts").click()
    expect(keys).to_be_visible()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.mouse.click(5, 400)
    expect(keys).to_be_hidden()
    assert page.url == address


def test_without_scripts_the_link_leads_to_the_list_of_keys(visits: Visits) -> None:
    page = visits.sign_in("vera", scripts=False)
    page.locator("#person summary").click()
    page.get_by_role("link", name="Keyboard shortcuts").click()
    expect(page).to_have_url(re.compile("/preferences/#keyboard$"))
    expect(page.locator("#keyboard kbd").first).to_be_visible()


@pytest.mark.parametrize("field", ["#search", "#filters input[name=name]"])
def test_keys_are_letters_in_a_field(visits: Visits, field: str) -> None:
    page = visits.sign_in("vera")
    page.locator(field).focus()
    page.keyboard.type("j/?[]rpc")
    expect(page.locator(field)).to_have_value("j/?[]rpc")
    expect(page.locator("#shortcuts")).to_be_hidden()
    expect(page.locator("[data-live-status]")).not_to_have_text("paused")


def test_keys_with_a_modifier_belong_to_the_browser(visits: Visits) -> None:
    page = visits.sign_in("vera")
    for modifier in ("Control", "Alt", "Meta"):
        page.evaluate(
            """modifier => document.body.dispatchEvent(new KeyboardEvent("keydown", {
                key: "j", bubbles: true, ctrlKey: modifier === "Control", altKey: modifier === "Alt",
                metaKey: modifier === "Meta"}))""",
            modifier,
        )
        assert focused_row(page) is None, modifier


def test_a_bracket_that_needs_altgr_turns_the_page(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.evaluate(
        """() => document.body.dispatchEvent(new KeyboardEvent("keydown", {
            key: "]", bubbles: true, ctrlKey: true, altKey: true, modifierAltGraph: true}))"""
    )
    expect(page.locator("#pager")).to_contain_text("21–40")


def test_a_key_that_is_held_down_counts_once_but_for_rows(visits: Visits) -> None:
    page = visits.sign_in("vera")
    page.keyboard.down("j")
    page.keyboard.down("j")
    page.keyboard.up("j")
    assert focused_row(page) == list_ids(page)[1]
    page.keyboard.down("p")
    page.keyboard.down("p")
    page.keyboard.up("p")
    expect(page.locator("[data-live-status]")).to_have_text("paused")


def test_switched_off_no_single_key_does_anything(visits: Visits) -> None:
    page = visits.sign_in("lena", to="/preferences/#keyboard")
    box = page.get_by_label("Single-key shortcuts")
    tab_to(page, box)
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Preferences saved.")).to_be_visible()
    page.goto("/spo1/instances/")
    ids = list_ids(page)
    for key in "/?jrpc[]":
        page.keyboard.press(key)
    assert focused_row(page) is None
    expect(page.locator("#search")).not_to_be_focused()
    expect(page.locator("#shortcuts")).to_be_hidden()
    expect(page.locator("[data-live-status]")).not_to_have_text("paused")
    assert list_ids(page) == ids
    page.locator("#person summary").click()
    page.get_by_role("link", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_contain_text("They are turned off.")
    page.goto("/preferences/")
    box.check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("body")).to_have_attribute("data-shortcuts", "")


def test_the_row_that_has_the_focus_is_never_covered(visits: Visits) -> None:
    page = visits.sign_in("vera", to="/spo1/instances/?limit=50")
    is_covered = """() => {
        const { left, top, width, height } = document.activeElement.getBoundingClientRect();
        return !document.activeElement.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    }"""
    for _ in range(30):
        page.keyboard.press("j")
        assert not page.evaluate(is_covered), focused_row(page)
    for _ in range(29):
        page.keyboard.press("k")
        assert not page.evaluate(is_covered), focused_row(page)
    assert focused_row(page) == list_ids(page)[0]
