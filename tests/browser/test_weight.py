"""Page weight: bytes and requests as a browser counts them, and layout shifts.

No test here measures time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, Request, expect

from tests.browser.portal import Visits, add_sign_in, list_ids

pytestmark = pytest.mark.browser

KB = 1024
# What reads as 0 when it is written with two digits. Ages that count on move the words behind them by less.
SHIFT_OF_NOTHING = 0.005
# A machine that is slower than its line: style sheets are there long before the last row is read.
SLOWER_BY = 4
SLOW_LOADS = 2
LINE = {"offline": False, "latency": 0, "downloadThroughput": 10_000 * KB, "uploadThroughput": 10_000 * KB}
# Also what follows a click or a key, which the browser's own figure leaves out.
NOTE_SHIFTS = """
    window.shifts = [];
    const name = node => node && (node.id || node.className || node.nodeName);
    const note = entry => window.shifts.push([entry.value, ...entry.sources.map(source => name(source.node))]);
    new PerformanceObserver(list => list.getEntries().forEach(note)).observe({type: 'layout-shift', buffered: true});
"""


@dataclass
class Line:
    """What came over a page's line. Bodies are counted as they were sent, and apart from their headers."""

    total: dict[str, float] = field(default_factory=dict)
    headers: dict[str, float] = field(default_factory=dict)
    encodings: dict[str, str] = field(default_factory=dict)

    @property
    def bodies(self) -> list[float]:
        return [size - self.headers[request] for request, size in self.total.items()]


@contextmanager
def open_line(page: Page) -> Iterator[Line]:
    line, session = Line(), page.context.new_cdp_session(page)

    def note_head(event: dict[str, Any]) -> None:
        line.headers[event["requestId"]] = event["response"]["encodedDataLength"]
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        line.encodings[event["requestId"]] = headers.get("content-encoding", "")

    def note_end(event: dict[str, Any]) -> None:
        line.total[event["requestId"]] = event["encodedDataLength"]

    session.on("Network.responseReceived", note_head)
    session.on("Network.loadingFinished", note_end)
    session.send("Network.enable")
    yield line
    session.detach()


def open_anew(visits: Visits, name: str) -> Page:
    """A page of someone who is signed in, with nothing in the browser's cache."""
    page = visits.open()
    assert add_sign_in(page.context, visits.portal, name)
    return page


def sum_shifts(page: Page) -> float:
    shifts: list[list[Any]] = page.evaluate("() => window.shifts")
    return float(sum(shift[0] for shift in shifts))


def is_swap(request: Request) -> bool:
    return request.headers.get("hx-request") == "true" and "portal-refresh" not in request.headers


@pytest.mark.parametrize(("path", "shows", "most"), [("/spo1/instances/", "#results", 9), ("/spo1/", "#troubles", 10)])
def test_the_first_visit_is_small(visits: Visits, path: str, shows: str, most: int) -> None:
    page = open_anew(visits, "ada")
    with open_line(page) as line:
        page.goto(path, wait_until="load")
    expect(page.locator(shows)).to_be_visible()
    assert len(line.total) <= most
    assert sum(line.total.values()) <= 60 * KB


def test_a_page_of_twenty_other_rows_is_small(visits: Visits) -> None:
    page = visits.sign_in("ada")
    with open_line(page) as line, page.expect_request_finished(is_swap):
        page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("#pager")).to_contain_text("21–40")
    assert len(list_ids(page)) == 20
    assert "br" in line.encodings.values()
    assert max(line.bodies) <= 5 * KB, line.bodies


def test_twenty_rows_that_a_filter_has_found_are_small(visits: Visits) -> None:
    page = visits.sign_in("ada")
    page.locator("#filters").get_by_label("Name", exact=True).fill("*")
    with open_line(page) as line, page.expect_request_finished(is_swap):
        page.locator("#id_name").press("Enter")
    expect(page.locator(".active-filter")).to_have_count(1)
    assert len(list_ids(page)) == 20
    assert max(line.bodies) <= 5 * KB, line.bodies


@pytest.mark.parametrize(("ending", "most"), [(".css", 15), (".js", 9.5)])
def test_the_styles_and_scripts_of_our_own_are_small_and_kept(visits: Visits, ending: str, most: float) -> None:
    page = visits.sign_in("ada")
    addresses: list[str] = page.evaluate("() => performance.getEntriesByType('resource').map(entry => entry.name)")
    sizes = {address: weigh(address) for address in addresses if address.endswith(ending) and "htmx" not in address}
    assert len(sizes) > 1
    assert sum(sizes.values()) <= most * KB, sizes


def weigh(address: str) -> int:
    """The bytes of a file as it is sent to a browser. What a module imports, too, has a name of its own for ever."""
    with requests.get(address, headers={"Accept-Encoding": "br"}, stream=True, timeout=10) as answer:
        assert answer.headers["Content-Encoding"] == "br"
        assert "immutable" in answer.headers["Cache-Control"]
        return len(answer.raw.read(decode_content=False))


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_moves_while_a_list_loads_refreshes_and_gives_way_to_another(visits: Visits, width: int) -> None:
    page = visits.open(width=width)
    page.add_init_script(NOTE_SHIFTS)
    visits.sign_in_on(page, "otto")
    page.goto("/spo1/instances/?limit=19", wait_until="networkidle")
    # Stored, and stale: the page asks for a fresh one by itself.
    page.wait_for_timeout(1500)
    with page.expect_response(lambda response: "portal-refresh" in response.request.headers):
        page.reload()
    expect(page.locator(".freshness")).to_contain_text("just now")
    assert sum_shifts(page) < SHIFT_OF_NOTHING, page.evaluate("() => window.shifts")
    # So late that a browser no longer takes what moves for the click's doing.
    visits.portal.script_fault(times=1, delay=0.8, match="marker=")
    page.evaluate("() => { scrollTo(0, 0); window.shifts = []; }")
    page.locator("#pager").get_by_role("link", name="Next").evaluate("link => link.click()")
    expect(page.locator("#pager")).to_contain_text("20–38")
    page.wait_for_timeout(200)
    assert sum_shifts(page) < SHIFT_OF_NOTHING, page.evaluate("() => window.shifts")


# Chromium burns the CPU that a slower machine would not have.
@pytest.mark.slow
@pytest.mark.parametrize("width", [1350, 360])
def test_nothing_moves_on_a_slow_machine_that_could_paint_half_of_a_list(visits: Visits, width: int) -> None:
    for _ in range(SLOW_LOADS):
        page = open_anew(visits, "ada")
        page.set_viewport_size({"width": width, "height": 940})
        page.add_init_script(NOTE_SHIFTS)
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setScrollbarsHidden", {"hidden": False})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_BY})
        session.send("Network.emulateNetworkConditions", LINE)
        page.goto("/spo1/instances/?limit=50", wait_until="load", timeout=60_000)
        page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
        assert len(list_ids(page)) == 50
        assert sum_shifts(page) < SHIFT_OF_NOTHING, page.evaluate("() => window.shifts")
        page.close()


# With what grows while the page is open: the age of what it shows.
@pytest.mark.parametrize("width", [1280, pytest.param(412, marks=pytest.mark.slow), 360])
def test_nothing_moves_while_an_instance_loads_and_grows_older(visits: Visits, width: int) -> None:
    page = visits.open(width=width)
    visits.sign_in_on(page, "ada")
    running = page.locator("[data-instance-id]").filter(has_text="Active").first
    address = running.locator("th a").get_attribute("href")
    page.add_init_script(NOTE_SHIFTS)
    page.goto(str(address), wait_until="networkidle")
    expect(page.locator("#found")).to_be_visible()
    age = page.locator("#freshness time[data-ago]")
    moment = "time => { time.dateTime = new Date(Date.parse(time.dateTime) - %d * 60000).toISOString(); }"
    up_since = page.locator("#summary [data-uptime]")
    up_since.evaluate("time => { time.dateTime = new Date().toISOString(); }")
    up_since.evaluate(moment % 125)
    age.evaluate(moment % 50)
    expect(up_since).to_have_text("2 hours")
    expect(age).to_have_text("50 minutes ago")
    expect(page.locator("#freshness")).to_contain_text("stale")
    page.wait_for_timeout(200)
    assert sum_shifts(page) < SHIFT_OF_NOTHING, page.evaluate("() => window.shifts")


def test_an_instance_is_light(visits: Visits) -> None:
    page = visits.sign_in("ada")
    address = page.locator("[data-instance-id] th a").first.get_attribute("href")
    fresh = open_anew(visits, "ada")
    with open_line(fresh) as line:
        fresh.goto(str(address), wait_until="load")
    expect(fresh.locator("#found")).to_be_visible()
    assert len(line.total) <= 12
    assert sum(line.total.values()) <= 60 * KB
