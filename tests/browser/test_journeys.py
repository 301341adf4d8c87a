"""An operator's daily tasks in a real browser, with and without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, fill_sign_in, list_ids, prove_if_asked

pytestmark = pytest.mark.browser


def go(page: Page, word: str, *, shows: str) -> list[str]:
    """Follow a link of the pager; the ids that stand there then."""
    page.locator("#pager").get_by_role("link", name=word, exact=True).click()
    expect(page.locator("#pager")).to_contain_text(shows)
    return list_ids(page)


def test_signing_in_leads_to_the_overview_and_from_there_to_twenty_instances(visits: Visits, *, scripts: bool) -> None:
    page = visits.open(scripts=scripts)
    page.goto("/")
    fill_sign_in(page, "ada", visits.portal.passwords["ada"])
    expect(page).to_have_url(f"{visits.portal.url}/spo1/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Instances").click()
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/")
    assert len(list_ids(page)) == 20
    expect(page.locator("h1")).to_contain_text("150")


def test_a_link_that_was_sent_opens_after_signing_in(visits: Visits, *, scripts: bool) -> None:
    page = visits.open(scripts=scripts)
    page.goto("/spo1/instances/?name=web-%2A&limit=50")
    fill_sign_in(page, "vera", visits.portal.passwords["vera"])
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A&limit=50")
    assert list_ids(page)


def test_filters_stand_as_tokens_and_in_the_url_and_can_be_taken_away(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", scripts=scripts)
    page.get_by_label("Name", exact=True).fill("web-*")
    page.get_by_label("Name", exact=True).press("Enter")
    tokens = page.locator(".active-filter")
    expect(tokens).to_have_count(1)
    page.locator("#add-filter > summary").click()
    page.get_by_role("button", name="Status", exact=True).click()
    page.get_by_role("checkbox", name="Active").check()
    page.get_by_role("button", name="Apply").click()
    expect(tokens).to_have_count(2)
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A&status=ACTIVE")
    names = page.locator("[data-instance-id] th a").all_inner_texts()
    assert names
    assert all(name.startswith("web-") for name in names)
    page.get_by_role("link", name="Remove the filter Status").click()
    expect(tokens).to_have_count(1)
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A")
    page.get_by_role("link", name="Clear filters").click()
    expect(tokens).to_have_count(0)
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?limit=20")
    expect(page.get_by_label("Name", exact=True)).to_have_value("")


def test_next_next_previous_previous_shows_the_same_instances(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", scripts=scripts)
    first = list_ids(page)
    second = go(page, "Next", shows="21–40")
    third = go(page, "Next", shows="41–60")
    assert len({*first, *second, *third}) == 60
    assert go(page, "Previous", shows="21–40") == second
    assert go(page, "Previous", shows="1–20") == first


def test_back_forward_reload_and_a_pasted_address_show_the_same(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", scripts=scripts)
    first = list_ids(page)
    second = go(page, "Next", shows="21–40")
    address = page.url
    page.go_back()
    expect(page.locator("#pager")).to_contain_text("1–20")
    assert list_ids(page) == first
    page.go_forward()
    expect(page.locator("#pager")).to_contain_text("21–40")
    assert list_ids(page) == second
    page.reload()
    assert list_ids(page) == second
    page.goto("about:blank")
    page.goto(address)
    assert list_ids(page) == second


def test_an_instance_opens_and_back_leads_to_the_list_as_it_was(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", to="/spo1/instances/?name=web-%2A", scripts=scripts)
    ids, address = list_ids(page), page.url
    link = page.locator("[data-instance-id] th a").first
    name = link.inner_text()
    link.click()
    expect(page.locator("h1")).to_have_text(name)
    assert page.url.startswith(f"{visits.portal.url}/spo1/instances/{ids[0]}/?name={name}")
    page.get_by_label("Breadcrumb").get_by_role("link", name="Instances").click()
    # To the very row.
    expect(page).to_have_url(f"{address}#{ids[0]}")
    assert list_ids(page) == ids


def test_a_colleague_opens_the_link_that_was_sent(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("otto", scripts=scripts)
    link = page.locator("[data-instance-id] th a").nth(3)
    name = link.inner_text()
    link.click()
    expect(page.locator("h1")).to_have_text(name)
    colleague = visits.sign_in("vera", to=page.url, scripts=scripts)
    expect(colleague.locator("h1")).to_have_text(name)


@pytest.mark.parametrize("name", ["otto", "vera"])
def test_refresh_keeps_the_view(visits: Visits, name: str, *, scripts: bool) -> None:
    page = visits.sign_in(name, to="/spo1/instances/?status=ACTIVE&limit=50", scripts=scripts)
    ids, address = list_ids(page), page.url
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".freshness")).to_be_visible()
    expect(page).to_have_url(address)
    assert list_ids(page) == ids


def test_a_credential_is_asked_for_refused_taken_and_replaced(visits: Visits, *, scripts: bool) -> None:
    visits.expected.append("status of 422")
    name = f"nora-{scripts}".lower()
    visits.portal.add_member(name, "viewer")
    page = visits.sign_in(name, scripts=scripts)
    assert list_ids(page) == []
    page.get_by_label("Bearer token", exact=True).check()
    page.locator("input[name=token]").fill("not-a-token-of-the-sandbox")
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_role("alert").first).to_contain_text("Not saved")
    page.locator("input[name=token]").fill("sandbox-globex-token")
    page.get_by_role("button", name="Verify and save").click()
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/")
    assert len(list_ids(page)) == 12
    page.goto("/credentials/spo1/?next=/spo1/instances/%3Fname%3Dweb-*")
    page.get_by_label("API key pair", exact=True).check()
    page.locator("input[name=access_key_id]").fill("AKIASANDBOXACME")
    page.locator("input[name=secret_access_key]").fill("sandbox-acme-secret")
    page.get_by_role("button", name="Verify and save").click()
    expect(page).to_have_url(f"{visits.portal.url}/spo1/instances/?name=web-%2A")
    assert list_ids(page)
    assert "sandbox-acme-secret" not in page.content()


def test_after_signing_out_back_shows_nothing(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", scripts=scripts)
    page.locator("form.sign-out button").first.click()
    expect(page.locator("input[name=password]")).to_be_visible()
    page.go_back()
    expect(page.locator("input[name=password]")).to_be_visible()
    assert list_ids(page) == []
    page.goto("/spo1/instances/")
    expect(page.locator("input[name=password]")).to_be_visible()


def test_a_page_grown_old_refreshes_itself_in_place(visits: Visits) -> None:
    page = visits.sign_in("ada")
    ids = list_ids(page)
    page.wait_for_timeout(1200)
    with page.expect_response(lambda response: "portal-refresh" in response.request.headers):
        page.reload()
        assert list_ids(page) == ids
    expect(page.locator(".freshness")).to_contain_text("just now")
    assert list_ids(page) == ids


def test_a_refresh_under_way_gives_way_to_a_click(visits: Visits) -> None:
    page = visits.sign_in("ada", to="/spo1/instances/?limit=37")
    page.wait_for_timeout(1200)
    # The refresh would be answered while the next page is still under way, and take the clicked link off the page.
    visits.portal.script_fault(times=1, delay=2.0, match="marker=")
    visits.portal.script_fault(times=1, delay=0.5)
    with page.expect_request(lambda request: "portal-refresh" in request.headers):
        page.reload()
    go(page, "Next", shows="38–74")
    expect(page).to_have_url(re.compile("marker="))
    page.go_back()
    expect(page.locator("#pager")).to_contain_text("1–37")


def test_preferences_are_saved_and_go_with_the_member(visits: Visits, *, scripts: bool) -> None:
    name = f"paula-{scripts}".lower()
    visits.portal.add_member(name, "viewer")
    page = visits.sign_in(name, to="/preferences/", scripts=scripts)
    page.get_by_label("Dark", exact=True).check()
    page.get_by_label("Time zone", exact=True).select_option("America/Sao_Paulo")
    page.locator("main form").get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#footer")).to_contain_text("America/Sao_Paulo")
    elsewhere = visits.sign_in(name, scripts=scripts)
    expect(elsewhere.locator("html")).to_have_attribute("data-theme", "dark")
    elsewhere.goto("/preferences/")
    expect(elsewhere.get_by_label("Time zone", exact=True)).to_have_value("America/Sao_Paulo")


def test_someone_is_invited_joins_and_signs_in(visits: Visits, *, scripts: bool) -> None:
    page = visits.sign_in("ada", to="/team/", scripts=scripts)
    page.get_by_role("link", name="Invite", exact=True).click()
    prove_if_asked(page, visits.portal.passwords["ada"], then=page.locator("main input[name=name]"))
    page.locator("main input[name=name]").fill("Igor Lima")
    page.get_by_role("button", name="Create invitation").click()
    prove_if_asked(page, visits.portal.passwords["ada"], then=page.locator("#invitation-link"))
    link = page.locator("#invitation-link").inner_text()
    guest = visits.open(scripts=scripts)
    guest.goto(link)
    name = f"igor-{scripts}".lower()
    guest.locator("input[name=username]").fill(name)
    for field in ("password1", "password2"):
        guest.locator(f"input[name={field}]").fill("a-long-enough-password")
    guest.get_by_role("button", name="Join").click()
    expect(guest.locator("input[name=login]")).to_be_visible()
    fill_sign_in(guest, name, "a-long-enough-password")
    expect(guest.locator("#person")).to_contain_text(name)
    page.goto("/team/")
    expect(page.locator(f"[data-member={name}]")).to_be_visible()
