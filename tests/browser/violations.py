"""Runs the accessibility checker axe on a rendered page. Independent of the portal's pages."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Only what is wrong leaves the page: a whole report is as long as the page.
_RUN = """async rules => {
    const {violations} = await axe.run({resultTypes: ['violations'], rules});
    return violations.flatMap(({id, nodes}) => nodes.map(node =>
        `${id}: ${node.html.slice(0, 120)}: ${node.failureSummary.split('\\n').at(-1).trim()}`));
}"""


def find_violations(page: Page, *, contrast: bool = True) -> list[str]:
    """What axe finds: the rule, the element, and what is wrong with it. Contrast takes four fifths of its time."""
    page.wait_for_load_state()
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(_RUN, {"color-contrast": {"enabled": contrast}})
    return found
