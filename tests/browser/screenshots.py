"""Takes the screenshots for README and docs, from a real portal with its sandbox: `make screenshots`.

They are WebP images, encoded by Chromium: a list is a third of its size as PNG.
"""

import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import QUIET, find_chromium
from tests.browser.portal import LIST, ROOT, Portal, fill_sign_in, list_ids, run_portal
from tests.browser.states import press_refresh

PICTURES = ROOT / "docs" / "img"
LARGEST_BYTES = 100 * 1024
QUALITY = 82
SEARCH = f"{LIST}?q=meta.team:storefront+status:ACTIVE,BUILD&sort=age&limit=7"
# As it is with the standard tier; nothing is so old that it refreshes itself while its picture is taken.
SETTINGS = {"PAGE_FRESH_SECONDS": "30", "BYCLOUD_RATE_PER_MINUTE": "60", "BYCLOUD_RATE_PER_HOUR": "1000"}
# What happens to instances, by name, in two steps.
CHANGES: tuple[dict[str, dict[str, object]], ...] = (
    {
        "web-14": {"action": "set", "fields": {"tags": ["web", "frontend", "production", "spot"]}},
        "worker-21": {"action": "rename", "name": "batch-01"},
        "db-06": {"action": "stop", "seconds": 0},
        "cache-06": {"action": "set", "fields": {"metadata": {"team": "platform", "environment": "staging"}}},
    },
    {
        "web-14": {"action": "reboot", "seconds": 600},
        "api-12": {"action": "delete", "seconds": 600},
        "web-12": {"action": "rename", "name": "web-12-old"},
    },
)
# The one of two changes.
CHANGED = "web-14"


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        run_portal(Path(folder) / "state", settings=SETTINGS) as portal,
        sync_playwright() as api,
    ):
        browser = api.chromium.launch(executable_path=find_chromium(), args=QUIET, chromium_sandbox=os.geteuid() != 0)
        page = sign_in(browser, portal, width=1440, height=900)
        changed = let_something_happen(page, portal)
        page.goto("/spo1/")
        take(page, "overview")
        page.goto(SEARCH)
        take(page, "list")
        page.goto(f"{LIST}{changed}/")
        history = page.locator("#history").bounding_box()
        assert history
        page.set_viewport_size({"width": 1440, "height": round(history["y"] + history["height"]) + 16})
        take(page, "instance")
        page = sign_in(browser, portal, width=1280, height=800, scheme="dark")
        page.goto("/spo1/changes/")
        take(page, "changes")
        page = sign_in(browser, portal, width=390, height=844)
        page.goto("/spo1/")
        take(page, "mobile")
        browser.close()


def sign_in(
    browser: Browser, portal: Portal, *, width: int, height: int, scheme: Literal["light", "dark"] = "light"
) -> Page:
    page = browser.new_page(
        base_url=portal.url,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en",
    )
    page.goto("/sign-in/")
    fill_sign_in(page, "otto", portal.passwords["otto"])
    return page


def let_something_happen(page: Page, portal: Portal) -> str:
    """After the fleet has been read, so that it is a change. Returns the ID of an instance that has changed."""
    page.goto(f"{LIST}?page=1&limit=100")
    press_refresh(page)
    expect(page.locator("#walk")).to_have_count(0, timeout=30_000)
    page.goto(f"{LIST}?limit=100")
    ids = dict(zip(page.locator("[data-instance-id] th a").all_inner_texts(), list_ids(page), strict=True))
    for changes in CHANGES:
        for name, change in changes.items():
            portal.change(ids[name], **change)
        press_refresh(page)
    return ids[CHANGED]


def take(page: Page, name: str) -> None:
    """A picture of what is in the window, kept small."""
    page.wait_for_load_state("networkidle")
    line = page.context.new_cdp_session(page)
    picture = line.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path = PICTURES / f"{name}.webp"
    path.write_bytes(base64.b64decode(picture["data"]))
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size / 1024:.0f} KB\n")
    assert size <= LARGEST_BYTES, path


if __name__ == "__main__":
    main()
