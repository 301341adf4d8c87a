"""The index: what its pages, files and writes cost, compared with live pages and Django's admin over the same rows."""

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import requests

from tests.benchmarks.figures import Aim, format_table, middle
from tests.benchmarks.processes import cpu_seconds, peak_megabytes, reset_peak
from tests.benchmarks.servers import NAME, Server, Servers, run_servers, say
from tests.benchmarks.views import HEADINGS, Target

ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
MIDDLE, LARGE = 10_000, int(os.environ.get("BENCHMARK_INSTANCES", "100000"))
MEGABYTE = 1_000_000


def bring_up(servers: Servers) -> tuple[Server, Server, float]:
    """A portal whose index has both fleets, the admin with the large one, and the megabytes that this takes in the
    index.
    """
    regions = {"middle": servers.start_sandbox(instances=MIDDLE), "large": servers.start_sandbox(instances=LARGE)}
    redis = servers.start_redis()
    several = {"CACHE_URL": redis, "WEB_CONCURRENCY": "1"} if redis else {}
    servers.prepare(regions, settings="tests.benchmarks.settings", **several)
    before = measure_disk(servers.folder)
    began_at = monotonic()
    servers.command("walk_fleets")
    say(f"Both fleets were read in {monotonic() - began_at:.0f} s.\n")
    disk = (measure_disk(servers.folder) - before) * LARGE / (LARGE + MIDDLE)
    servers.command("fill_machines", regions["large"], NAME)
    portal = servers.start_portal()
    admin = servers.start_portal(DJANGO_SETTINGS_MODULE="tests.benchmarks.admin_settings", cookie=portal.cookie)
    return portal, admin, disk


def measure_disk(folder: Path) -> float:
    """What the database takes, in megabytes, with its write-ahead log written back."""
    path = folder / "portal.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size / MEGABYTE


def list_targets(portal: Server, admin: Server) -> dict[str, Target]:
    def of(name: str, path: str, *, server: Server = portal) -> Target:
        return Target(name, server, server.request(path))

    targets = {"empty": of("empty view", "/empty/")}
    for region, count in (("middle", MIDDLE), ("large", LARGE)):
        of_these = f"of {count:,}"
        targets |= {
            f"{region} live": of(f"live list, 20 rows {of_these}", f"/{region}/instances/"),
            f"{region} sorted": of(f"list by name from the index, {of_these}", f"/{region}/instances/?sort=name"),
            f"{region} by flavor": of(f"list by flavor, {of_these}", f"/{region}/instances/?sort=flavor"),
            f"{region} by age": of(f"list by age, {of_these}", f"/{region}/instances/?sort=-age"),
            f"{region} by network": of(f"list by network, no index, {of_these}", f"/{region}/instances/?sort=networks"),
            f"{region} search": of(f"search of any text, {of_these}", f"/{region}/instances/?q=b-14"),
            f"{region} address": of(f"search of an address, {of_these}", f"/{region}/instances/?q=10.16.0.147"),
            f"{region} last": of(f"last page, {of_these}", f"/{region}/instances/?sort=name&page={count // 20}"),
            f"{region} overview": of(f"overview, {of_these}", f"/{region}/"),
        }
    pages = LARGE // 20
    return targets | {
        "admin": of(f"Django's admin, 20 rows of {LARGE:,}", "/admin/machines/machine/", server=admin),
        "admin search": of(
            "Django's admin, search of all texts", "/admin/machines/searchedmachine/?q=b-14", server=admin
        ),
        "admin names": of("Django's admin, search of names", "/admin/machines/machine/?q=b-14", server=admin),
        "admin last": of("Django's admin, last page", f"/admin/machines/machine/?p={pages}", server=admin),
    }


class File(NamedTuple):
    """An export: its rows, the server's CPU seconds, the seconds until its end, and the megabytes that it took."""

    rows: int
    cpu: float
    seconds: float
    memory: float


def export(portal: Server, form: str) -> File:
    """All instances of the large fleet, as a member exports them."""
    (worker,) = portal.workers
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"Cookie": portal.cookie, "Accept-Encoding": "identity"})
        url = f"{portal.url}/large/instances/export-all/"
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', session.get(url, timeout=30).text)
        assert token, "The page of the export has no form"
        before, cpu, began_at = reset_peak(worker), cpu_seconds([worker]), monotonic()
        fields = {"query": "", "format": form, "csrfmiddlewaretoken": token[1]}
        with session.post(url, data=fields, stream=True, allow_redirects=False, timeout=60) as answer:
            assert answer.status_code == 200, f"The export was answered {answer.status_code}"
            named = re.search(r"-(\d+)-of-", answer.headers["Content-Disposition"])
            for _ in answer.iter_content(65536):
                pass
    assert named, "The file's name does not say how many rows it has"
    return File(int(named[1]), cpu_seconds([worker]) - cpu, monotonic() - began_at, peak_megabytes(worker) - before)


def measure_feeding(servers: Servers) -> dict[str, float]:
    """CPU milliseconds of a page of 100 that is written into the index: `new`, and `unchanged`."""
    file = servers.folder / "feeding.json"
    servers.command("measure_feeding", "large", "middle", str(file))
    found: dict[str, float] = json.loads(file.read_text(encoding="ascii"))
    return found


def list_aims(targets: dict[str, Target], disk: float) -> list[Aim]:
    def ms(name: str) -> float:
        return targets[name].cpu_ms

    aims = []
    for region, count, pages, search, overview in (
        ("middle", MIDDLE, 1.2, 40, 60),
        ("large", LARGE, 1.5, 250, 300),
    ):
        of_these = f", {count:,}"
        dearest_order = max(ms(f"{region} {name}") for name in ("sorted", "by flavor", "by age"))
        ratio = dearest_order / ms(f"{region} live")
        dearest = max(ms(f"{region} search"), ms(f"{region} address")) - ms(f"{region} sorted")
        aims += [
            Aim("list", f"sorted page: CPU of a live page's{of_these}", ratio, pages, "×"),
            Aim("search", f"search: CPU beyond a page's without one{of_these}", dearest, search, "ms"),
            Aim("overview", f"overview: CPU{of_these}", ms(f"{region} overview"), overview, "ms"),
        ]
    aims += [
        Aim("peer", "search: CPU of the admin's of all texts", ms("large search") / ms("admin search"), 1.0, "×"),
        Aim("peer", "last page: CPU of the admin's", ms("large last") / ms("admin last"), 1.0, "×"),
        Aim("disk", f"{LARGE:,} instances on disk", disk, 250, "MB"),
    ]
    return aims


def list_write_aims(files: dict[str, list[File]], feeding: dict[str, float]) -> list[Aim]:
    aims = [
        Aim("feeding", "a page of 100, all new: CPU", feeding["new"], 60, "ms"),
        Aim("feeding", "a page of 100, unchanged: CPU", feeding["unchanged"], 3, "ms"),
    ]
    for form, found in files.items():
        rates = [file.rows / file.cpu for file in found]
        aims += [
            Aim("export", f"{found[0].rows:,} rows as {form}, by CPU", middle(rates), 20_000, "rows/s", at_least=True),
            Aim("export", f"{form}: memory", max(file.memory for file in found), 30, "MB"),
        ]
    return aims


def main() -> None:
    with run_servers() as servers:
        portal, admin, disk = bring_up(servers)
        say(f"## The index: 1 process, SQLite, {ROUNDS} rounds\n")
        targets = list_targets(portal, admin)
        for _ in range(ROUNDS):
            for target in targets.values():
                target.measure()
        say(format_table(HEADINGS, [one.row(targets["empty"], targets["admin"]) for one in targets.values()]) + "\n")
        # A member may export ten times in a minute.
        files = {form: [export(portal, form) for _ in range(ROUNDS)] for form in ("csv", "jsonl")}
        seconds = ", ".join(f"{form} {min(file.seconds for file in found):.1f} s" for form, found in files.items())
        say(f"Exports of {LARGE:,} over HTTP, the fastest: {seconds}.\n")
        aims = [*list_aims(targets, disk), *list_write_aims(files, measure_feeding(servers))]
        say(format_table(("line", "what", "aim", "measured", "met"), [aim.cells() for aim in aims]) + "\n")
