"""Runs the accessibility checker axe on a rendered page. Independent of the portal's pages."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def find_violations(page: Page, *rules: str) -> list[str]:
    """What axe finds, by all of its rules or by these: the rule, the element, and what is wrong with it."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]}: {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in violations
        for node in violation["nodes"]
    ]
