"""Tabbing through pages: something always has the focus, and it is visible and not covered."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.portal import Visits

pytestmark = pytest.mark.browser

MOST_STEPS = 60
# Where the focus is, whether it is marked, and what lies at its middle. A control inside a label may mark the label;
# the parts of a date field are marked by the browser itself.
LOOK = """() => {
    const element = document.activeElement, style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const middle = [box.left + box.width / 2, box.top + Math.min(box.height, innerHeight) / 2];
    const above = document.elementFromPoint(...middle);
    const marked = one => {
        const style = getComputedStyle(one);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== 'none';
    };
    return {
        name: `${element.tagName.toLowerCase()}#${element.id} "${element.textContent.trim().slice(0, 30)}"`,
        isLost: element === document.body,
        isMarked: element.type === 'date' || marked(element) || marked(element.parentElement)
            || [...(element.labels || [])].some(marked),
        isCovered: !(above && (element.contains(above) || above.contains(element)
            || [...(element.labels || [])].some(label => label.contains(above)))),
    };
}"""


def walk(page: Page) -> list[str]:
    """What is wrong with the focus on its way through a page, until it leaves at the end."""
    found = []
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        seen: dict[str, Any] = page.evaluate(LOOK)
        if seen["isLost"]:
            break
        if not seen["isMarked"]:
            found.append(f"not to be seen: {seen['name']}")
        if seen["isCovered"]:
            found.append(f"covered: {seen['name']}")
    return found


@pytest.mark.parametrize(
    ("path", "width"),
    [
        ("/spo1/instances/?limit=3", 1440),
        ("/spo1/instances/?limit=3", 360),
        ("/preferences/", 1440),
        ("/team/", 360),
        ("/audit/", 1440),
        ("/credentials/spo1/", 360),
        pytest.param("/preferences/", 360, marks=pytest.mark.slow),
        pytest.param("/team/", 1440, marks=pytest.mark.slow),
        pytest.param("/audit/", 360, marks=pytest.mark.slow),
        pytest.param("/credentials/spo1/", 1440, marks=pytest.mark.slow),
    ],
)
def test_the_focus_is_to_be_seen_on_its_way_through_a_page(visits: Visits, path: str, width: int) -> None:
    page = visits.sign_in("ada", to=path, width=width)
    assert walk(page) == []


def test_the_focus_is_to_be_seen_on_the_way_to_signing_in(visits: Visits) -> None:
    page = visits.open()
    page.goto("/sign-in/")
    page.evaluate("() => document.activeElement.blur()")
    assert walk(page) == []


def test_the_focus_is_to_be_seen_on_an_instances_page(visits: Visits) -> None:
    page = visits.sign_in("ada")
    page.goto(str(page.locator("[data-instance-id] th a").first.get_attribute("href")))
    assert walk(page) == []
