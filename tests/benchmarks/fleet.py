"""The index: what its pages cost, compared with live ones, and with Django's admin over the same rows."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

from tests.benchmarks.figures import Aim, format_table
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
            f"{region} search": of(f"search of any text, {of_these}", f"/{region}/instances/?q=b-14"),
            f"{region} address": of(f"search of an address, {of_these}", f"/{region}/instances/?q=10.16.0.147"),
            f"{region} last": of(f"last page, {of_these}", f"/{region}/instances/?sort=name&page={count // 20}"),
            f"{region} overview": of(f"overview, {of_these}", f"/{region}/"),
        }
    pages = LARGE // 20
    return targets | {
        "admin": of(f"Django's admin, 20 rows of {LARGE:,}", "/admin/machines/machine/", server=admin),
        "admin search": of("Django's admin, search", "/admin/machines/machine/?q=b-14", server=admin),
        "admin last": of("Django's admin, last page", f"/admin/machines/machine/?p={pages}", server=admin),
    }


def list_aims(targets: dict[str, Target], disk: float) -> list[Aim]:
    def ms(name: str) -> float:
        return targets[name].cpu_ms

    aims = []
    for region, count, pages, search, overview in (
        ("middle", MIDDLE, 1.2, 40, 60),
        ("large", LARGE, 1.5, 250, 300),
    ):
        of_these = f", {count:,}"
        ratio = ms(f"{region} sorted") / ms(f"{region} live")
        dearest = max(ms(f"{region} search"), ms(f"{region} address")) - ms(f"{region} sorted")
        aims += [
            Aim("list", f"sorted page: CPU of a live page's{of_these}", ratio, pages, "×"),
            Aim("search", f"search: CPU beyond a page's without one{of_these}", dearest, search, "ms"),
            Aim("overview", f"overview: CPU{of_these}", ms(f"{region} overview"), overview, "ms"),
        ]
    aims += [
        Aim("peer", "search: CPU of the admin's", ms("large search") / ms("admin search"), 1.0, "×"),
        Aim("peer", "last page: CPU of the admin's", ms("large last") / ms("admin last"), 1.0, "×"),
        Aim("disk", f"{LARGE:,} instances on disk", disk, 250, "MB"),
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
        aims = list_aims(targets, disk)
        say(format_table(("line", "what", "aim", "measured", "met"), [aim.cells() for aim in aims]) + "\n")
