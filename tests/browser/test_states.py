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
# Two pairs. axe looks at a state in one of these, in turn, and in `make test-all` in the other one of its pair.
# It is `make test-all`, too, that measures the contrast in each state, in both; `make test` does so on the page of all
# components (`test_components.py`) and where a test of its own asks for it.
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (1440, "light"),
    (360, "dark"),
    (1440, "dark"),
    (360, "light"),
)
# What is made of the same parts as another state, with other words in them: `make test-all` looks at these.
VARIANTS = {
    *("sign-out", "link for a password gone", "invitation gone"),
    *("403", "403, form", "404, not signed in", "405", "500"),
    *("overview, nothing needs attention", "overview, empty organization", "overview, token refused"),
    *("list, as a viewer", "list, after swaps", "search, nothing read yet", "search, fleet being read"),
    *("search, nothing found", "comparison, only differences", "comparison, not found", "empty organization"),
    *("export of all, fleet being read", "changes, filtered", "changes, no matches", "changes, fleet being read"),
    *("bad parameters, corrected", "session ended", "marker gone", "failed, nothing seen", "failed, with rows"),
    *("isn't allowed to list instances", "rate limited, nothing seen", "token refused, nothing seen"),
    *("filters, keys", "filters, one changed", "saved views, none", "saved view, one", "remove saved view"),
    *("instance with a fault", "instance, failed, nothing seen", "instance, gone", "instance, searching"),
    *("credentials, none", "preferences, saved", "change password", "choose a new password", "accept invitation"),
    *("link for a password made", "second factor, an app", "second factor, a passkey", "team credential"),
    *("team, somebody deactivated", "deactivate", "audit, no matches", "changes, bad parameters"),
}
BY_NAME = {state.name: number for number, state in enumerate(STATES)}
ALL = [pytest.param(number, id=name) for name, number in BY_NAME.items()]
DISTINCT = [pytest.param(number, id=name) for name, number in BY_NAME.items() if name not in VARIANTS]


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


def test_every_variant_is_a_state() -> None:
    assert VARIANTS - BY_NAME.keys() == set()


@pytest.mark.parametrize("number", DISTINCT)
def test_axe_finds_nothing_and_every_box_is_in_its_place(runner: StateRunner, number: int) -> None:
    page = runner.open(STATES[number])
    found = "\n".join([*find_boxes(page), *find_with_axe(page, number, contrast=False), *runner.problems])
    assert not found, f"{STATES[number].name}:\n{found}"


@pytest.mark.slow
@pytest.mark.parametrize("number", ALL)
def test_axe_finds_nothing_at_either_width_and_contrast_is_enough_in_both_themes(
    runner: StateRunner, number: int
) -> None:
    page = runner.open(STATES[number])
    boxes = find_boxes(page) if STATES[number].name in VARIANTS else ()
    axe = (violation for turn in (number, number ^ 1) for violation in find_with_axe(page, turn, contrast=True))
    found = "\n".join([*boxes, *axe, *runner.problems])
    assert not found, f"{STATES[number].name}:\n{found}"
