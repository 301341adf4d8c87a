"""Takes the pictures of the README anew, from a real portal on its sandbox: `make screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import QUIET, find_chromium
from tests.browser.portal import ROOT, fill_sign_in, run_portal

PICTURES = ROOT / "docs" / "img"


def main() -> None:
    with tempfile.TemporaryDirectory() as state, run_portal(Path(state) / "state") as portal, sync_playwright() as api:
        browser = api.chromium.launch(executable_path=find_chromium(), args=QUIET, chromium_sandbox=False)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto(f"{portal.url}/sign-in/")
        fill_sign_in(page, "otto", portal.passwords["otto"])
        page.goto(f"{portal.url}/spo1/instances/?name=web-*")
        page.locator("[data-instance-id]").first.wait_for()
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / "list.png")
        browser.close()


if __name__ == "__main__":
    main()
