"""All pages in all states: no axe violations in either theme, nothing too wide, clipped or too small to hit."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.boxes import find_faults
from tests.browser.portal import Portal
from tests.browser.states import STATES, StateRunner, run_state_portal
from tests.browser.violations import find_violations

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# 720 is a window of 1440 at 200 %; 320 one of 1280 at 400 %.
WIDTHS_TO_MEASURE = (1440, 720, 360, 320)
# At which of them axe looks, in which theme. From state to state the themes change places, so that what only one width
# shows is seen in both: the contrast of colours takes most of axe's time.
THEMES: tuple[Mapping[int, Literal["light", "dark"]], ...] = (
    {1440: "light", 360: "dark"},
    {1440: "dark", 360: "light"},
)


@pytest.fixture(scope="session")
def state_portal(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with run_state_portal(tmp_path_factory.mktemp("runner") / "state", template) as portal:
        yield portal


@pytest.fixture
def runner(state_portal: Portal, browser: Browser) -> Iterator[StateRunner]:
    runner = StateRunner(state_portal, browser)
    yield runner
    runner.close()


def look(page: Page, themes: Mapping[int, Literal["light", "dark"]]) -> Iterator[str]:
    """What is wrong with a page, at which width."""
    for width in WIDTHS_TO_MEASURE:
        page.set_viewport_size({"width": width, "height": 900})
        yield from (f"{width} px: {fault}" for fault in find_faults(page))
        if width in themes:
            page.emulate_media(color_scheme=themes[width])
            yield from (f"{width} px, {themes[width]}: {violation}" for violation in find_violations(page))


@pytest.mark.parametrize("number", range(len(STATES)), ids=lambda number: STATES[number].name)
def test_axe_finds_nothing_and_every_box_is_in_its_place(runner: StateRunner, number: int) -> None:
    page = runner.open(STATES[number])
    found = "\n".join([*look(page, THEMES[number % 2]), *runner.problems])
    assert not found, f"{STATES[number].name}:\n{found}"
