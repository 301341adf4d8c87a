"""How many rows of the list a window shows, and that no row moves a column. docs/interface.md has the figures."""

import re
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Visits, list_ids
from tests.browser.test_live import settle, wait_for_refresh

pytestmark = pytest.mark.browser

LIST = "/spo1/instances/"
MEASURE = """() => {
    const rows = [...document.querySelectorAll('#table tbody tr')];
    const boxes = rows.map(row => row.getBoundingClientRect());
    return {
        whole: boxes.filter(box => box.bottom <= innerHeight).length,
        first: Math.ceil(boxes[0].top),
        tallest: Math.max(...boxes.filter((box, at) => !rows[at].querySelector('.fault')).map(box => box.height)),
        all: Math.max(...boxes.map(box => box.height)),
    };
}"""
EDGES = """() => [...document.querySelectorAll('#table thead th')].map(cell => {
    const {left, right} = cell.getBoundingClientRect();
    return `${left} ${right}`;
})"""

HEAD_TOPS = "() => [...document.querySelectorAll('#table thead th')].map(cell => cell.getBoundingClientRect().top)"
FEW = "name,state,addresses,flavor,image,tags,age"
MANY = f"{FEW},networks,metadata,keys,volumes,id"


class Window(NamedTuple):
    """A window, and what it must show: at least so many whole rows, the first of them not below this."""

    width: int
    height: int
    density: str
    rows: int
    first: int
    tallest: int


WINDOWS = (
    Window(1440, 900, "comfortable", 16, 284, 36),
    Window(1440, 900, "compact", 22, 284, 28),
    Window(1280, 720, "comfortable", 12, 284, 36),
    Window(1024, 768, "comfortable", 12, 284, 36),
    Window(390, 844, "comfortable", 3, 580, 88),
)


def measure_windows(page: Page, windows: tuple[Window, ...] = WINDOWS) -> list[str]:
    """Where a window shows fewer rows than it must, in words."""
    wrong = []
    for window in windows:
        page.set_viewport_size({"width": window.width, "height": window.height})
        page.goto(f"{LIST}?limit=50&density={window.density}&columns={FEW}")
        seen = page.evaluate(MEASURE)
        if seen["whole"] < window.rows or seen["first"] > window.first or seen["tallest"] > window.tallest:
            wrong.append(f"{window}: {seen}")
        if seen["all"] > 88:
            wrong.append(f"{window}: a row of {seen['all']} px")
    return wrong


def test_a_window_shows_as_many_rows_as_promised_with_saved_views_and_without(visits: Visits) -> None:
    page = visits.sign_in("ada")
    expect(page.locator("#ribbon")).to_be_visible()
    assert measure_windows(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    for tag in ("web", "db"):
        page.goto(f"{LIST}?tags={tag}")
        page.locator("#save-view > summary").click()
        page.locator("#view-name").fill(f"Production {tag}")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("#views [aria-current]")).to_have_text(f"Production {tag}")
    assert measure_windows(page, (WINDOWS[2], WINDOWS[4])) == []


def test_no_column_moves_when_the_list_is_filtered_turned_refreshed_and_scrolled(visits: Visits) -> None:
    page = visits.open(width=1440)
    page.clock.install()
    visits.sign_in_on(page, "otto", to=f"{LIST}?limit=50")
    settle(page)
    before = page.evaluate(EDGES)
    assert len(before) == 7
    page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("#pager")).to_contain_text("51–100")
    assert page.evaluate(EDGES) == before
    page.locator("#id_name").fill("a-very*")
    page.locator("#id_name").press("Enter")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    # The scrollbar stays, so that the window is as wide as before.
    assert page.evaluate(EDGES) == before
    (identifier,) = list_ids(page)
    visits.portal.change(identifier, action="rename", name="a-very-" + "wide-" * 20)
    assert wait_for_refresh(page) == 200
    assert page.evaluate(EDGES) == before
    name = page.locator("#table tbody th")
    assert name.locator("a").evaluate("link => link.scrollWidth > link.clientWidth")
    name.hover()
    expect(name).to_have_attribute("title", re.compile(f"^a-very-.*wide-.* · {identifier}$"))
    name.locator("a").focus()
    assert name.locator("a").evaluate("link => link.scrollWidth <= link.clientWidth")
    page.set_viewport_size({"width": 2560, "height": 1200})
    assert page.locator("#table").evaluate("box => box.getBoundingClientRect().width") > 2400
    for width, columns in ((1440, MANY), (1024, FEW)):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{LIST}?limit=100&columns={columns}")
        page.locator("#table tbody tr").nth(60).scroll_into_view_if_needed()
        expect(page.locator("#table thead th").first).to_be_in_viewport(ratio=1)
        assert len(set(page.evaluate(HEAD_TOPS))) == 1
        sideways = page.locator(".table-scroll").evaluate("box => (box.scrollLeft = 600, box.scrollLeft)")
        assert sideways == (600 if columns == MANY else 0)
        expect(page.locator("#table tbody th").nth(60)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("width", "top"), [(1440, 48), (390, 0)])
def test_freshness_trouble_and_header_stay_in_view_when_scrolled(visits: Visits, width: int, top: int) -> None:
    visits.expected.append("503 (Service Unavailable)")
    page = visits.sign_in("otto", to=f"{LIST}?limit=100", width=width)
    trouble = page.locator("#live-line .trouble")
    expect(trouble).to_have_count(0)
    visits.portal.script_fault(times=None, status=503)
    page.locator("#tools").get_by_role("button", name="Refresh").click()
    expect(page.locator("#notice")).to_be_visible()
    expect(trouble).to_be_hidden()
    page.locator("#table tbody tr").nth(60).scroll_into_view_if_needed()
    expect(trouble).to_be_visible()
    expect(page.locator("#freshness")).to_be_in_viewport()
    line, head = (page.locator(place).bounding_box() for place in ("#live-line", "#table thead th >> nth=0"))
    assert line
    assert head
    assert line["height"] <= 32
    assert abs(line["y"] - top) <= 1
    assert abs(head["y"] - line["y"] - line["height"]) <= 1
    trouble.click()
    expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
