"""Checks all pages in all states with the Nu HTML checker: `make validate`. The pages are saved in test-results/html.

Each state is checked twice: as served, and after the script and htmx have changed it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import QUIET, find_chromium
from tests.browser.portal import ROOT
from tests.browser.states import STATES, State, StateRunner, run_state_portal

PAGES = ROOT / "test-results" / "html"
CHECKER = ROOT / ".node" / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
# What is no fault, with the reason. Everything else counts, warnings too.
LET_PASS = (
    # htmx's own. It takes `data-hx-` as well, which the checker knows; a list of twenty has a hundred of them.
    "Attribute “hx-",
    # What was typed into a field comes back as it was typed, so that it can be mended.
    "Bad value “never” for attribute “value” on element “input”: The literal did not satisfy the date format.",
)


def main() -> int:
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as api:
        browser = api.chromium.launch(executable_path=find_chromium(), args=QUIET, chromium_sandbox=os.geteuid() != 0)
        with run_state_portal(Path(folder) / "state") as portal:
            runner = StateRunner(portal, browser)
            for state in STATES:
                save(runner, state)
            runner.leave()
        browser.close()
    found = check()
    for path, message in found:
        sys.stdout.write(f"{path.name}:{message.get('lastLine', '')}: {message['type']}: {message['message']}\n")
        sys.stdout.write(f"    {message.get('extract', '').strip()}\n")
    sys.stdout.write(f"{len(list(PAGES.iterdir()))} pages, {len(found)} messages\n")
    return bool(found)


def save(runner: StateRunner, state: State) -> None:
    page = runner.open(state)
    name = "".join(letter if letter.isalnum() else "-" for letter in state.name)
    (PAGES / f"{name}.html").write_text(runner.answers[page].text(), encoding="utf-8")
    (PAGES / f"{name}.after.html").write_text(page.content(), encoding="utf-8")


def check() -> list[tuple[Path, dict[str, Any]]]:
    """What the checker says of each page."""
    command = [
        "java",
        "-jar",
        str(CHECKER),
        "--format",
        "json",
        "--exit-zero-always",
        *map(str, sorted(PAGES.iterdir())),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    messages = json.loads(answer.stderr or answer.stdout)["messages"]
    return [
        (Path(message["url"]), message)
        for message in messages
        if not any(text in message["message"] for text in LET_PASS)
    ]


if __name__ == "__main__":
    sys.exit(main())
