"""All pages in all states: no axe violations in either theme, nothing too wide, clipped or too small to hit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.boxes import find_faults
from tests.browser.portal import Portal
from tests.browser.states import STATES, StateRunner, run_state_portal
from tests.browser.violations import find_violations

pytestmark = pytest.mark.browser

# 720 is a window of 1440 at 200 %; 320 one of 1280 at 400 %.
WIDTHS_TO_MEASURE = (1440, 720, 360, 320)
# Two pairs. axe looks at each state in one of these, in turn, and in `make test-all` in the other one of its pair.
# It is `make test-all`, too, that measures the contrast in each state, in both; `make test` does so on the page of all
# components (`test_components.py`) and where a test of its own asks for it.
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (1440, "light"),
    (360, "dark"),
    (1440, "dark"),
    (360, "light"),
)
EACH_STATE = pytest.mark.parametrize("number", range(len(STATES)), ids=lambda number: STATES[number].name)


@pytest.fixture(scope="session")
def state_portal(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with run_state_portal(tmp_path_factory.mktemp("runner") / "state", template) as portal:
        yield portal


@pytest.fixture(scope="session")
def runners(state_portal: Portal) -> dict[Browser, StateRunner]:
    """One for all states, and another one after a browser that had to be killed."""
    return {}


@pytest.fixture
def runner(runners: dict[Browser, StateRunner], state_portal: Portal, browser: Browser) -> Iterator[StateRunner]:
    runner = runners.setdefault(browser, StateRunner(state_portal, browser))
    yield runner
    runner.leave()


def find_with_axe(page: Page, turn: int, *, contrast: bool) -> list[str]:
    width, scheme = LOOKS[turn % len(LOOKS)]
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    return [f"{width} px, {scheme}: {violation}" for violation in find_violations(page, contrast=contrast)]


def find_boxes(page: Page) -> Iterator[str]:
    for width in WIDTHS_TO_MEASURE:
        page.set_viewport_size({"width": width, "height": 900})
        yield from (f"{width} px: {fault}" for fault in find_faults(page))


@EACH_STATE
def test_axe_finds_nothing_and_every_box_is_in_its_place(runner: StateRunner, number: int) -> None:
    page = runner.open(STATES[number])
    found = "\n".join([*find_boxes(page), *find_with_axe(page, number, contrast=False), *runner.problems])
    assert not found, f"{STATES[number].name}:\n{found}"


@pytest.mark.slow
@EACH_STATE
def test_axe_finds_nothing_at_the_other_width_and_contrast_is_enough_in_both_themes(
    runner: StateRunner, number: int
) -> None:
    page = runner.open(STATES[number])
    found = "\n".join(
        violation for turn in (number, number ^ 1) for violation in find_with_axe(page, turn, contrast=True)
    )
    assert not found, f"{STATES[number].name}:\n{found}"
