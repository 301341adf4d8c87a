"""The list in a browser: filters, display options, saved views, sharing and exports."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.portal import Visits, list_ids

pytestmark = pytest.mark.browser

LIST = "/spo1/instances/"
PAUSE = 350


@pytest.fixture
def typing(visits: Visits) -> Page:
    """The list at a clock that the test moves."""
    page = visits.open()
    page.clock.install()
    visits.sign_in_on(page, "lena", to=f"{LIST}?limit=20")
    return page


@pytest.fixture
def otto(visits: Visits, scripts: bool) -> Page:  # noqa: FBT001 -- a fixture
    return visits.sign_in("otto", to=f"{LIST}?limit=20", scripts=scripts)


def note_names(page: Page) -> list[str]:
    """The names that the page asks for by itself, as it does."""
    names: list[str] = []

    def note(request: Request) -> None:
        if request.headers.get("hx-trigger") == "filters":
            names.extend(parse_qs(urlsplit(request.url).query).get("name", [""]))

    page.on("request", note)
    return names


def headings(page: Page) -> list[str]:
    return page.locator("#table thead th").all_text_contents()


def test_typing_asks_once_when_it_pauses_and_leaves_the_field_as_it_is(typing: Page) -> None:
    names = note_names(typing)
    field = typing.locator("#id_name")
    field.focus()
    typing.clock.pause_at(datetime.now(UTC) + timedelta(seconds=5))
    for letter in "shop-*":
        field.press(letter)
        typing.clock.run_for(PAUSE - 50)
    assert names == []
    field.evaluate("field => { field.wasMarked = true; }")
    typing.clock.run_for(PAUSE)
    typing.clock.resume()
    expect(typing.locator(".active-filter summary")).to_have_text("Name: shop-*")
    assert names == ["shop-*"]
    assert typing.url.endswith(f"{LIST}?name=shop-%2A")
    assert field.evaluate("field => field.wasMarked && field === document.activeElement")
    expect(typing.locator("#counter")).to_have_text("(5)")


def list_upstream_asks(visits: Visits) -> list[str]:
    """The names that ByCloud was asked for."""
    answer = requests.get(f"{visits.portal.sandbox_url}/_sandbox/requests", timeout=10)
    queries = [parse_qs(request["query"]) for request in answer.json()]
    return [name for query in queries for name in query.get("name", [])]


def type_slowly(page: Page, text: str) -> None:
    for letter in text:
        page.keyboard.press(letter)
        page.clock.run_for(PAUSE + 50)
        page.wait_for_function("() => !document.querySelector('#filters.htmx-request')")


def test_typing_slowly_makes_no_step_of_the_history_and_enter_makes_one(typing: Page) -> None:
    before = typing.evaluate("() => history.length")
    typing.locator("#id_name").focus()
    type_slowly(typing, "shop-*")
    expect(typing.locator(".active-filter summary")).to_have_text("Name: shop-*")
    assert "name=shop-" in typing.url
    assert typing.evaluate("() => history.length") == before
    typing.keyboard.press("Enter")
    typing.wait_for_function(f"() => history.length === {before + 1}")
    typing.keyboard.press("Enter")
    typing.wait_for_timeout(300)
    assert typing.evaluate("() => history.length") == before + 1
    expect(typing).to_have_title(re.compile(r"^shop-\* \(\d+\) – Instances · "))
    typing.go_back()
    expect(typing.locator("#counter")).to_have_text("(12)")
    expect(typing).to_have_title(re.compile(r"^Instances \(12\) · "))
    assert typing.url.endswith("?limit=20")
    typing.go_forward()
    expect(typing.locator(".active-filter summary")).to_have_text("Name: shop-*")


def test_leaving_the_field_makes_one_step_of_what_was_typed(typing: Page) -> None:
    before = typing.evaluate("() => history.length")
    typing.locator("#id_name").focus()
    type_slowly(typing, "ma")
    typing.keyboard.type("il-*")
    typing.keyboard.press("Tab")
    expect(typing.locator(".active-filter summary")).to_have_text("Name: mail-*")
    typing.wait_for_function(f"() => history.length === {before + 1}")
    typing.go_back()
    expect(typing.locator("#counter")).to_have_text("(12)")
    assert typing.url.endswith("?limit=20")


def test_what_an_input_method_composes_is_asked_for_when_it_is_a_word(visits: Visits, typing: Page) -> None:
    names, upstream = note_names(typing), list_upstream_asks(visits)
    typing.locator("#id_name").focus()
    session = typing.context.new_cdp_session(typing)
    for text in ("か", "かぶ", "株"):
        session.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
        typing.clock.run_for(PAUSE * 3)
        expect(typing.locator("#table tbody tr")).to_have_count(12)
    assert names == []
    session.send("Input.insertText", {"text": "株"})
    typing.clock.run_for(PAUSE + 50)
    expect(typing.locator(".active-filter summary")).to_have_text("Name: 株")
    assert names == ["株"]
    assert list_upstream_asks(visits)[len(upstream) :] == ["株"]


def test_each_pause_asks_upstream_once_at_most_and_rows_stay_while_it_does(visits: Visits, typing: Page) -> None:
    asked = len(list_upstream_asks(visits))
    visits.portal.script_fault(times=1, delay=1.5, match="name=shop-0")
    typing.locator("#id_name").focus()
    typing.keyboard.type("shop-0*")
    typing.clock.run_for(PAUSE + 50)
    expect(typing.locator("#filters.htmx-request")).to_have_count(1)
    expect(typing.locator("#table tbody tr")).to_have_count(12)
    expect(typing.locator(".active-filter summary")).to_have_text("Name: shop-0*")
    typing.keyboard.press("Tab")
    typing.wait_for_timeout(300)
    assert list_upstream_asks(visits)[asked:] == ["shop-0*"]


def test_what_is_typed_later_takes_the_place_of_what_is_still_asked_for(typing: Page) -> None:
    held: list[Route] = []
    typing.route(lambda url: "name=shop" in url, lambda route: held.append(route))  # noqa: PLW0108 -- it must be a function
    names = note_names(typing)
    for text in ("shop-*", "mail-*"):
        typing.locator("#id_name").fill(text)
        typing.clock.run_for(PAUSE)
    expect(typing.locator(".active-filter summary")).to_have_text("Name: mail-*")
    assert names == ["shop-*", "mail-*"]
    assert len(held) == 1
    assert typing.url.endswith("?name=mail-%2A")
    assert typing.locator("#table tbody th a").all_text_contents() == ["mail-02", "mail-01"]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize("scripts", [True])
def test_a_filter_is_added_changed_excluded_and_removed_by_keyboard(visits: Visits, otto: Page) -> None:
    visits.expected += ["400 (Bad Request)", "Response Status Error Code 400"]
    applied = otto.locator(".active-filter summary")
    otto.locator("#add-filter-summary").press("Enter")
    otto.get_by_role("button", name="Status", exact=True).press("Enter")
    # The form takes the place of the keys, and the focus is in it.
    expect(otto.get_by_role("checkbox", name="Active")).to_be_focused()
    expect(otto.get_by_role("button", name="Tag", exact=True)).to_be_hidden()
    otto.get_by_role("checkbox", name="Error").press("Space")
    press(otto, "Enter")
    expect(applied).to_have_text("Status: Error")
    expect(otto).to_have_url(re.compile(r"/instances/\?status=ERROR$"))
    expect(otto.locator("#add-filter")).not_to_have_attribute("open", "")
    expect(otto.locator("#add-filter-summary")).to_be_focused()
    applied.press("Enter")
    expect(otto.get_by_role("checkbox", name="Active")).to_be_focused()
    otto.get_by_role("checkbox", name="Suspended").press("Space")
    press(otto, "Enter")
    expect(applied).to_have_text(re.compile("^Status: (Error, Suspended|Suspended, Error)$"))
    applied.press("Enter")
    expect(otto.get_by_role("checkbox", name="Active")).to_be_focused()
    otto.get_by_label("is not").press("Space")
    press(otto, "Enter")
    expect(applied).to_have_text(re.compile("^Status is not: "))
    expect(otto).to_have_url(re.compile(r"/instances/\?q=-status%3A"))
    # What cannot be stays in the form, with the reason beside it, and the rows stay.
    rows, address = list_ids(otto), otto.url
    otto.locator("#add-filter-summary").press("Enter")
    otto.get_by_role("button", name="RAM", exact=True).press("Enter")
    expect(otto.get_by_label("Values", exact=True)).to_be_focused()
    otto.keyboard.type("lots")
    press(otto, "Enter")
    expect(otto.get_by_label("Values", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(otto.get_by_label("Values", exact=True)).to_have_value("lots")
    expect(otto.locator("#add-filter .error")).to_contain_text("Expected a size")
    assert (list_ids(otto), otto.url) == (rows, address)
    otto.get_by_label("Values", exact=True).fill(">=8")
    press(otto, "Enter")
    expect(applied).to_have_count(2)
    expect(applied.last).to_have_text("RAM: >=8")
    otto.get_by_role("link", name="Remove the filter RAM").press("Enter")
    expect(applied).to_have_count(1)
    otto.go_back()
    expect(applied).to_have_count(2)
    otto.get_by_role("link", name="Clear filters").press("Enter")
    expect(applied).to_have_count(0)
    expect(otto).to_have_url(re.compile(r"/instances/\?limit=20$"))


def test_a_flavor_that_was_never_seen_is_refused_beside_its_field(visits: Visits, typing: Page) -> None:
    visits.expected.append("400 (Bad Request)")
    visits.expected.append("Response Status Error Code 400")
    typing.goto(f"{LIST}?flavor_id=m9.none")
    expect(typing.locator("#id_flavor_id_error")).to_contain_text("Use the ID instead")
    expect(typing.locator("#id_flavor_id")).to_have_value("m9.none")
    # A refresh brings rows, and takes back nothing that is said of the address.
    visits.portal.change(list_ids(typing)[0], action="rename", name="shop-renamed")
    typing.wait_for_timeout(1100)
    with typing.expect_response(lambda response: "portal-refresh" in response.request.headers):
        typing.clock.run_for(31_000)
    expect(typing.locator("#table")).to_contain_text("shop-renamed")
    expect(typing.locator("#refused")).to_be_visible()
    expect(typing).to_have_title(re.compile("^⚠︎ "))
    for part in ("#tools", "#views", "#table"):
        expect(typing.locator(part)).to_be_visible()
    typing.locator("#id_flavor_id").fill("")
    # The corrected form is under way while its next field is filled in.
    held: list[Route] = []
    typing.route("**/instances/**", lambda route: held.append(route), times=1)  # noqa: PLW0108 -- it must be a function
    with typing.expect_request("**/instances/**"):
        typing.locator("#id_name").focus()
    typing.keyboard.type("mail-*")
    held.pop().continue_()
    expect(typing.locator("#id_flavor_id")).to_have_count(0)
    expect(typing.locator("#id_name")).to_be_focused()
    expect(typing.locator("#id_name")).to_have_value("mail-*")
    typing.clock.run_for(PAUSE)
    expect(typing.locator("#counter")).to_have_text("(2)")
    for part in ("#tools", "#views", "#table", ".active-filter summary"):
        expect(typing.locator(part)).to_be_visible()
    assert typing.url.endswith("?name=mail-%2A")
    # Nothing is left over from the refusal: the next filter changes the rows and their counter alone.
    typing.locator("#id_name").evaluate("field => { field.wasMarked = true; }")
    typing.locator("#id_name").fill("shop-*")
    typing.locator("#id_name").press("Enter")
    expect(typing.locator("#counter")).to_have_text("(5)")
    assert typing.locator("#id_name").evaluate("field => field.wasMarked")


@pytest.mark.parametrize("scripts", [True])
def test_a_page_that_is_turned_leaves_the_form_and_shares_its_own_address(otto: Page) -> None:
    otto.locator("#id_name").evaluate("field => { field.wasMarked = true; }")
    first = list_ids(otto)
    otto.get_by_role("link", name="Next").click()
    expect(otto.locator("#pager")).to_contain_text("21–40 of 150")
    assert not set(first) & set(list_ids(otto))
    assert otto.locator("#id_name").evaluate("field => field.wasMarked")
    expect(otto).to_have_title(re.compile("^Instances .21–40 of 150. · "))
    assert otto.locator("#share-url").input_value() == otto.url
    assert "marker=" in otto.url


@pytest.mark.parametrize("scripts", [True])
@pytest.mark.parametrize("clicked", ["Next", "Refresh"])
def test_a_click_right_after_typing_does_not_lose_the_filter(visits: Visits, otto: Page, clicked: str) -> None:
    visits.portal.script_fault(times=1, delay=0.5, match="name=")
    otto.locator("#id_name").fill("web-*")
    otto.locator("#instances").get_by_role("link", name=clicked).or_(
        otto.locator("#instances").get_by_role("button", name=clicked)
    ).click()
    expect(otto.locator(".active-filter")).to_contain_text("Name:")
    expect(otto.locator("#pager")).to_contain_text("1–20 of")
    otto.wait_for_timeout(300)
    expect(otto.locator(".active-filter")).to_contain_text("Name:")
    assert "marker=" not in otto.url


def test_columns_and_density_are_kept_and_go_with_the_member(otto: Page) -> None:
    otto.locator("#layout > summary").click()
    for name in ("IP addresses", "Flavor", "Image", "Tags"):
        otto.get_by_role("checkbox", name=name).uncheck()
    otto.get_by_label("RAM").check()
    otto.get_by_label("Compact").check()
    otto.locator("#layout-limit").select_option("50")
    otto.get_by_role("button", name="Save as default").click()
    expect(otto.locator("#table tbody tr")).to_have_count(50)
    assert otto.url.endswith("?limit=50")
    assert headings(otto) == ["Name", "State", "Age", "RAM"]
    otto.goto(f"{LIST}?tags=web")
    assert headings(otto) == ["Name", "State", "Age", "RAM"]
    expect(otto.locator("#table .table.is-compact")).to_have_count(1)


@pytest.mark.parametrize("scripts", [True])
def test_a_hundred_rows_are_printed_on_a_few_pages(otto: Page) -> None:
    otto.goto(f"{LIST}?limit=100")
    for is_landscape in (True, False):
        printed = otto.pdf(format="A4", landscape=is_landscape)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 6, is_landscape


def test_a_view_is_saved_marked_made_the_default_and_removed(otto: Page) -> None:
    otto.goto(f"{LIST}?tags=db")
    otto.locator("#save-view > summary").click()
    otto.locator("#view-name").fill("Databases")
    otto.get_by_role("button", name="Save", exact=True).click()
    expect(otto.locator("#views [aria-current]")).to_have_text("Databases")
    address = otto.url
    otto.get_by_role("link", name="All instances").click()
    expect(otto.locator("#views [aria-current]")).to_have_text("All instances")
    otto.locator("#save-view > summary").click()
    otto.get_by_role("link", name="Manage views").click()
    otto.locator("summary", has_text="Actions for Databases").click()
    otto.get_by_role("button", name="Set as default").click()
    otto.goto(LIST)
    assert otto.url == address
    otto.goto("/spo1/views/")
    otto.locator("summary", has_text="Actions for Databases").click()
    otto.get_by_role("link", name="Remove… Databases").click()
    otto.get_by_role("button", name="Remove Databases").click()
    expect(otto.locator("main")).to_contain_text("No saved views yet")
    otto.goto(LIST)
    assert otto.url.endswith(LIST)


@pytest.mark.parametrize(("label", "ending"), [("CSV (visible columns)", ".csv"), ("JSON (all fields)", ".json")])
def test_a_page_is_taken_along_as_a_file(otto: Page, label: str, ending: str) -> None:
    otto.locator("#export > summary").click()
    with otto.expect_download() as download:
        otto.get_by_role("button", name=label, exact=True).click()
    assert download.value.suggested_filename.startswith("instances-spo1-")
    assert download.value.suggested_filename.endswith(ending)
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert all(id_ in text for id_ in list_ids(otto))


@pytest.mark.parametrize("scripts", [True])
def test_an_export_that_failed_is_tried_again_with_its_filter(visits: Visits, otto: Page) -> None:
    visits.expected.append("503 (Service Unavailable)")
    visits.portal.script_fault(times=None, status=503)
    otto.goto(f"{LIST}?name=web-%2A&limit=7")
    expect(otto.locator("#notice")).to_be_visible()
    otto.locator("#export > summary").click()
    otto.get_by_role("button", name="CSV (visible columns)").click()
    expect(otto).to_have_url(re.compile(r"/export/$"))
    otto.locator("#export > summary").click()
    otto.get_by_role("button", name="JSON (all fields)", exact=True).click()
    expect(otto.locator("#notice")).to_be_visible()
    visits.portal.clear_faults()
    otto.locator("#notice").get_by_role("button", name="Retry").click()
    expect(otto.locator("#table tbody tr")).to_have_count(7)
    expect(otto.locator(".active-filter summary")).to_have_text("Name: web-*")
    expect(otto).to_have_url(re.compile(r"/spo1/instances/\?name=web-%2A&limit=7$"))
