"""All pages in all states: no axe violations in either theme, nothing too wide, clipped or too small to hit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.boxes import find_faults
from tests.browser.portal import Portal
from tests.browser.states import STATES, Stage, State, run_stage_portal
from tests.browser.violations import find_violations

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# 720 is a window of 1440 at 200 %; 320 one of 1280 at 400 %.
WIDTHS_TO_MEASURE = (1440, 720, 360, 320)
WIDTHS_FOR_AXE = (1440, 360)
# The dark theme changes colours and nothing else. (axe cannot run where scripts are off.)
RULES_ON_COLOUR = ["color-contrast", "link-in-text-block"]


@pytest.fixture(scope="session")
def stage_portal(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with run_stage_portal(tmp_path_factory.mktemp("stage") / "state", template) as portal:
        yield portal


@pytest.fixture
def stage(stage_portal: Portal, browser: Browser) -> Iterator[Stage]:
    stage = Stage(stage_portal, browser)
    yield stage
    stage.close()


def look(page: Page) -> Iterator[str]:
    """What is wrong with a page, at which width."""
    for width in WIDTHS_TO_MEASURE:
        page.set_viewport_size({"width": width, "height": 900})
        yield from (f"{width} px: {fault}" for fault in find_faults(page))
        if width in WIDTHS_FOR_AXE:
            page.emulate_media(color_scheme="light")
            yield from (f"{width} px: {violation}" for violation in find_violations(page))
            page.emulate_media(color_scheme="dark")
            yield from (f"{width} px, dark: {violation}" for violation in find_violations(page, *RULES_ON_COLOUR))


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_axe_finds_nothing_and_every_box_is_in_its_place(stage: Stage, state: State) -> None:
    page = stage.open(state)
    found = "\n".join([*look(page), *stage.trouble])
    assert not found, f"{state.name}:\n{found}"
