"""Measures the list and an instance's page with Lighthouse: `make lighthouse`. The reports are in
test-results/lighthouse, the scores in docs/quality.md.

The portal runs as in production, but without TLS: gunicorn, DEBUG off, compressed files and pages.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import QUIET, find_chromium
from tests.browser.portal import ROOT, fill_sign_in, run_portal

REPORTS = ROOT / "test-results" / "lighthouse"
SCORES = ROOT / "docs" / "quality.md"
NODE = ROOT / ".node" / "node_modules"
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100}
# Reads the page once more, which a browser does not keep of an answer with `no-store`. The HTML checker sees to it.
SKIPPED = "charset"
# The best of so many runs counts: what else the machine does meanwhile only takes away.
RUNS = 3
MARKS = ("<!-- scores -->\n", "<!-- end of scores -->\n")


def main() -> int:
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    # Nothing refreshes itself meanwhile.
    settings = {"PAGE_FRESH_SECONDS": "3600"}
    with tempfile.TemporaryDirectory() as state, run_portal(Path(state) / "state", settings=settings) as portal:
        cookie, paths = sign_in(portal.url, portal.passwords["ada"])
        scores: dict[tuple[str, str], list[int]] = {}
        for page, path in paths.items():
            for form in ("mobile", "desktop"):
                reports = [measure(f"{portal.url}{path}", cookie, f"{page}-{form}-{run}", form) for run in range(RUNS)]
                scores[page, form] = [round(read_score(reports, category)) for category in LEAST]
                sys.stdout.write(f"{page}, {form}: {scores[page, form]}\n")
                sys.stdout.writelines(f"    {audit}\n" for audit in list_failures(reports[0]))
    write_scores(scores)
    return any(score < least for row in scores.values() for score, least in zip(row, LEAST.values(), strict=True))


def sign_in(url: str, password: str) -> tuple[str, dict[str, str]]:
    """Ada's session as a header, and the pages to measure."""
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=find_chromium(), args=QUIET, chromium_sandbox=os.geteuid() != 0)
        page = browser.new_page()
        page.goto(url)
        fill_sign_in(page, "ada", password)
        page.goto(f"{url}/spo1/instances/?name=web-*")
        instance = page.locator("[data-instance-id] th a").first.get_attribute("href")
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
        browser.close()
    return cookies, {"list": "/spo1/instances/", "instance": str(instance)}


def measure(url: str, cookie: str, name: str, form: str) -> Mapping[str, Any]:
    """One run of Lighthouse, its report as JSON."""
    report = REPORTS / f"{name}.json"
    flags = ["--headless=new", *QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    command = [
        "node",
        str(NODE / "lighthouse" / "cli" / "index.js"),
        url,
        "--quiet",
        "--no-enable-error-reporting",
        f"--only-categories={','.join(LEAST)}",
        f"--skip-audits={SKIPPED}",
        f"--extra-headers={json.dumps({'Cookie': cookie})}",
        f"--chrome-flags={' '.join(flags)}",
        "--output=json",
        f"--output-path={report}",
        *(["--preset=desktop"] if form == "desktop" else []),
    ]
    environment = os.environ | {"CHROME_PATH": str(find_chromium()), "CI": "1"}
    subprocess.run(command, env=environment, check=True, timeout=240)
    read: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    # The session has ended with its portal, and still it has no business in a file.
    report.write_text(report.read_text(encoding="utf-8").replace(json.dumps(cookie)[1:-1], "…"), encoding="utf-8")
    assert read["finalDisplayedUrl"].startswith(url.partition("?")[0]), f"not signed in: {read['finalDisplayedUrl']}"
    return read


def read_score(reports: list[Mapping[str, Any]], category: str) -> float:
    return float(max(100 * report["categories"][category]["score"] for report in reports))


def list_failures(report: Mapping[str, Any]) -> list[str]:
    """The audits that cost points, or that Lighthouse could not make."""
    weighed = {ref["id"] for name in LEAST for ref in report["categories"][name]["auditRefs"] if ref["weight"]}
    audits = [audit for name, audit in report["audits"].items() if name in weighed]
    return [
        f"{audit['id']}: {audit['score']} {audit.get('displayValue', '')} {audit.get('errorMessage', '')}".strip()
        for audit in audits
        if audit["scoreDisplayMode"] == "error" or (audit["score"] is not None and audit["score"] < 1)
    ]


def write_scores(scores: Mapping[tuple[str, str], list[int]]) -> None:
    version = json.loads((NODE / "lighthouse" / "package.json").read_text(encoding="utf-8"))["version"]
    today = datetime.now(UTC).date()
    lines = [
        f"{today}, Lighthouse {version}, the best of {RUNS} runs:\n\n",
        "| Page | As | Performance | Accessibility | Best practices |\n|---|---|---|---|---|\n",
        *(f"| {page} | {form} | {' | '.join(map(str, row))} |\n" for (page, form), row in scores.items()),
    ]
    text = SCORES.read_text(encoding="utf-8")
    first, last = map(re.escape, MARKS)
    inner = MARKS[0] + "".join(lines) + MARKS[1]
    SCORES.write_text(re.sub(f"{first}.*?{last}", lambda _: inner, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
