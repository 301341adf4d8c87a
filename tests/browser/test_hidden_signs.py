"""Invisible characters in a browser: a blank name can be clicked, and copies are exact."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Portal, Visits

pytestmark = pytest.mark.browser

LIST = "/spo1/instances/"
NAMES = ("   ", "\u200b", "\u00a0", "web  01", " web ", "a\u200bb\u00adc", "web\u202e10", "日本\u3000語")
SELECTED = "link => { getSelection().selectAllChildren(link); return getSelection().toString() }"


@pytest.fixture
def listed(portal: Portal, visits: Visits) -> Page:
    """A list of instances with such names."""
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000", "name": name} for number, name in enumerate(NAMES)]
    portal.script_fault(times=None, body={"instances": rows, "meta": {"total": len(rows), "has_more": False}})
    return visits.sign_in("otto", to=f"{LIST}?limit=20")


def test_each_name_has_a_width_and_is_copied_exactly(listed: Page) -> None:
    links = listed.locator("#table th[scope=row] > a")
    expect(links).to_have_count(len(NAMES))
    for name, link in zip(NAMES, links.all(), strict=True):
        box = link.bounding_box()
        assert box
        assert box["width"] >= 10
        assert box["height"] >= 10
        assert link.evaluate(SELECTED) == name
    # A mark of direction turns no more than itself around: the digits stand at the end, as they are read.
    assert "10" in links.nth(NAMES.index("web\u202e10")).inner_text()


def test_a_name_of_blanks_leads_to_its_instance_where_it_can_be_copied(listed: Page) -> None:
    listed.context.grant_permissions(["clipboard-read", "clipboard-write"])
    listed.locator("#table th[scope=row] > a").first.click()
    expect(listed.locator("h1")).to_have_accessible_name("3 spaces")
    listed.get_by_role("button", name="Copy the name").click()
    expect(listed.locator("[role=status], .toast").filter(has_text="Copied").first).to_be_attached()
    assert listed.evaluate("navigator.clipboard.readText()") == NAMES[0]


def test_two_spaces_are_two_spaces_wide(listed: Page) -> None:
    name = listed.locator("#table th[scope=row] bdi").nth(NAMES.index("web  01"))
    assert name.evaluate("one => getComputedStyle(one).whiteSpaceCollapse") == "preserve"
