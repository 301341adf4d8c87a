"""Takes the screenshots for README and docs, from a real portal with its sandbox: `make screenshots`.

They are WebP images, encoded by Chromium: a list is a third of its size as PNG.
"""

import base64
import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import QUIET, find_chromium
from tests.browser.portal import ROOT, fill_sign_in, run_portal

PICTURES = ROOT / "docs" / "img"
LARGEST_BYTES = 100 * 1024
QUALITY = 82
LIST = "/spo1/instances/?name=web-*"
# As it is with the standard tier; nothing is so old that it refreshes itself while its picture is taken.
SETTINGS = {"PAGE_FRESH_SECONDS": "30", "BYCLOUD_RATE_PER_MINUTE": "60", "BYCLOUD_RATE_PER_HOUR": "1000"}


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        run_portal(Path(folder) / "state", settings=SETTINGS) as portal,
        sync_playwright() as api,
    ):
        browser = api.chromium.launch(executable_path=find_chromium(), args=QUIET, chromium_sandbox=os.geteuid() != 0)
        for name, dark, width in (("list", False, 1280), ("dark", True, 1280), ("mobile", False, 390)):
            page = open_list(browser, portal.url, portal.passwords["otto"], dark=dark, width=width)
            if name == "mobile":
                page.locator("#results").evaluate("results => results.scrollIntoView()")
            take(page, name)
            if name == "list":
                # The newest are still being built.
                page.locator("[data-instance-id] th a").nth(2).click()
                page.locator("#found").wait_for()
                take(page, "instance")
        browser.close()


def open_list(browser: Browser, url: str, password: str, *, dark: bool, width: int) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": 844 if width < 1000 else 800},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en",
    )
    page.goto(f"{url}/sign-in/")
    fill_sign_in(page, "otto", password)
    page.goto(url + LIST)
    page.locator("[data-instance-id]").first.wait_for()
    return page


def take(page: Page, name: str) -> None:
    """A picture of what is in the window, kept small."""
    line = page.context.new_cdp_session(page)
    picture = line.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path = PICTURES / f"{name}.webp"
    path.write_bytes(base64.b64decode(picture["data"]))
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size / 1024:.0f} KB\n")
    assert size <= LARGEST_BYTES, path


if __name__ == "__main__":
    main()
