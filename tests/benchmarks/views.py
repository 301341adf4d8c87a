"""The portal's pages compared with an empty view and Django's admin: time to first byte, throughput, CPU, memory."""

import os
import re
from dataclasses import dataclass, field
from time import sleep

import requests

from tests.benchmarks.figures import Aim, format_table, middle, percentile
from tests.benchmarks.processes import cpu_seconds, pss_megabytes
from tests.benchmarks.servers import NAME, TOKEN, Server, Servers, control, count_requests, run_servers, say
from tests.benchmarks.wire import Reply, Wire, load, write_request

ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "4"))
LOAD_SECONDS = 2.0
ASKED_A_ROUND = 50
COLD_PAGES = 60
UPSTREAM_SECONDS = 0.05
WHOLE: dict[str, str] = {}
FRAGMENT = {"HX_Request": "true", "HX_Target": "results"}


@dataclass
class Target:
    """Something that is measured, and what was measured of it so far. One figure a round, but for `first_bytes`."""

    name: str
    server: Server
    request: bytes
    first_bytes: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    answer: Reply | None = None

    def measure(self) -> None:
        with self.server.connect() as wire:
            self.answer = wire.ask(self.request)
            self.first_bytes += [wire.ask(self.request).first_byte_seconds * 1000 for _ in range(ASKED_A_ROUND)]
        workers = self.server.workers
        before = cpu_seconds(workers)
        loaded = load(self.server.url, self.request, seconds=LOAD_SECONDS)
        self.cpu.append((cpu_seconds(workers) - before) * 1000 / loaded.answers)
        self.rates.append(loaded.answers / loaded.seconds)
        wanted = {self.answer.status}
        assert loaded.statuses == wanted, f"{self.name} was answered {sorted(loaded.statuses)}, not {wanted}"

    @property
    def cpu_ms(self) -> float:
        return middle(self.cpu)

    @property
    def rate(self) -> float:
        return middle(self.rates)

    def row(self, empty: "Target", admin: "Target") -> list[object]:
        assert self.answer
        return [
            self.name,
            self.answer.status,
            f"{percentile(self.first_bytes, 0.5):.2f}",
            f"{percentile(self.first_bytes, 0.95):.2f}",
            f"{self.rate:,.0f} ({min(self.rates):,.0f}–{max(self.rates):,.0f})",
            f"{self.cpu_ms:.2f}",
            f"{self.answer.size:,}",
            f"{self.cpu_ms / empty.cpu_ms:.2f}",
            f"{self.rate / empty.rate:.0%}",
            f"1/{admin.cpu_ms / self.cpu_ms:.1f}"
            if self.cpu_ms < admin.cpu_ms
            else f"{self.cpu_ms / admin.cpu_ms:.1f}",
        ]


HEADINGS = (
    "what",
    "status",
    "TTFB p50 ms",
    "p95",
    "requests/s at 8 (least–most)",
    "CPU ms",
    "bytes",
    "CPU of the empty view's",
    "requests/s of it",
    "CPU of the admin's",
)


@dataclass(frozen=True)
class Cold:
    """Pages that no one has seen yet, and the API call behind them by itself; milliseconds to the first byte."""

    pages: list[float]
    call: list[float]
    upstream_requests: int


def write_refresh(server: Server, path: str) -> bytes:
    """What the open page sends by itself: it carries the version of the rows that it shows."""
    with server.connect() as wire:
        shown = wire.ask(write_request(server.url, path, cookie=server.cookie, headers={"Accept-Encoding": "identity"}))
    version = re.search(rb'"Portal-Version": ?"([^"]+)"|data-version="([^"]+)"', shown.body)
    headers = {"Portal_Version": (version[1] or version[2]).decode()} if version else {}
    return server.request(path, **FRAGMENT, Portal_Refresh="1", **headers)


def list_targets(portal: Server, admin: Server) -> dict[str, Target]:
    def of(name: str, path: str, headers: dict[str, str] = WHOLE, *, server: Server = portal) -> Target:
        return Target(name, server, server.request(path, **headers))

    return {
        "empty": of("empty view", "/empty/"),
        "page": of("list page, 20 rows of 150", "/small/instances/"),
        "middle": of("list page, 20 rows of 10,000", "/middle/instances/"),
        "large": of("list page, 20 rows of 100,000", "/large/instances/"),
        # The address that the page itself asks for.
        "part": of("`#results`, 20 rows", "/small/instances/?limit=20", FRAGMENT),
        "part100": of("`#results`, 100 rows", "/small/instances/?limit=100", FRAGMENT),
        "page100": of("list page, 100 rows", "/small/instances/?limit=100"),
        "unchanged": Target("refresh, nothing changed", portal, write_refresh(portal, "/small/instances/?limit=20")),
        "admin": Target("Django's admin, 20 rows of 10,000", admin, admin.request("/admin/machines/machine/")),
    }


def measure_cold(portal: Server, sandbox_url: str) -> Cold:
    """Open pages that begin at markers never asked for; each makes one request upstream, which takes 50 ms."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        rows = session.get(f"{sandbox_url}/v1/instances", params={"limit": "100"}, timeout=10).json()["instances"]
    markers = [row["id"] for row in rows[:COLD_PAGES]]
    direct = write_request(
        sandbox_url,
        "/v1/instances?limit=20",
        headers={"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"},
    )
    pages, calls = [], []
    control(sandbox_url, "DELETE", "requests")
    with Wire(sandbox_url) as upstream, portal.connect() as wire:
        for marker in markers:
            calls.append(upstream.ask(direct).first_byte_seconds * 1000)
            reply = wire.ask(portal.request(f"/cold/instances/?marker={marker}"))
            assert reply.status == 200, reply.head
            pages.append(reply.first_byte_seconds * 1000)
    return Cold(pages, calls, count_requests(sandbox_url) - len(calls))


def count_warm_requests(portal: Server, sandbox_url: str) -> int:
    """How many requests upstream a warm page and the page of one of its instances make together."""
    control(sandbox_url, "DELETE", "requests")
    with portal.connect() as wire:
        plain = {"Accept-Encoding": "identity"}
        page = wire.ask(write_request(portal.url, "/small/instances/", cookie=portal.cookie, headers=plain))
        link = re.search(rb'href="(/small/instances/[0-9a-f-]{36}/[^"]*)"', page.body)
        assert link, "The list has no link to an instance"
        path = link[1].decode().replace("&amp;", "&")
        detail = wire.ask(portal.request(path))
        assert detail.status == 200, detail.head
    return count_requests(sandbox_url)


def list_aims(targets: dict[str, Target], cold: Cold, memory: tuple[float, float], warm_requests: int) -> list[Aim]:
    empty, page, part, admin = (targets[name] for name in ("empty", "page", "part", "admin"))
    fleets = [targets[name].cpu_ms for name in ("page", "middle", "large")]
    unchanged, part100 = targets["unchanged"], targets["part100"]
    assert unchanged.answer
    aims = [
        Aim("1", "`#results`: requests/s of the empty view's", 100 * part.rate / empty.rate, 75, "%", at_least=True),
        Aim("1", "`#results`: CPU of the empty view's", part.cpu_ms / empty.cpu_ms, 3.0, "×"),
        Aim("3", "list page: CPU of the admin's", page.cpu_ms / admin.cpu_ms, 0.6, "×"),
    ]
    for name, target in (("list page", page), ("`#results`", part)):
        for share, bound in ((0.5, 1.5), (0.95, 2.0)):
            ratio = percentile(target.first_bytes, share) / percentile(empty.first_bytes, share)
            aims.append(Aim("6", f"{name}: TTFB p{share * 100:.0f} of the empty view's", ratio, bound, "×"))
    return [
        *aims,
        Aim("7", "cold page: p50 beyond the API call's", middle(cold.pages) - middle(cold.call), 8, "ms"),
        Aim("8", "warm list page and detail page: requests upstream", warm_requests, 0),
        Aim("8", "cold page: requests upstream", cold.upstream_requests / len(cold.pages), 1),
        Aim("10", "150, 10,000, 100,000 instances: dearest CPU of the cheapest's", max(fleets) / min(fleets), 1.1, "×"),
        Aim("11", "`#results`, 100 rows: CPU of 20 rows'", part100.cpu_ms / part.cpu_ms, 2.5, "×"),
        Aim("12", "unchanged refresh: bytes", unchanged.answer.size, 300),
        Aim("12", "unchanged refresh: body bytes", len(unchanged.answer.body), 0),
        Aim("12", "unchanged refresh: CPU of the empty view's", unchanged.cpu_ms / empty.cpu_ms, 1.7, "×"),
        Aim("16", "memory of the largest worker at the end (PSS)", memory[1], 90, "MB"),
        Aim("16", "its growth from the second round on", memory[1] - memory[0], 2, "MB"),
    ]


def bring_up(servers: Servers) -> tuple[Server, Server, str, str, bool]:
    small, medium = servers.start_sandbox(), servers.start_sandbox(instances=10_000)
    large = servers.start_sandbox(instances=100_000)
    cold = servers.start_sandbox(instances=10_000, latency=UPSTREAM_SECONDS)
    redis = servers.start_redis()
    several = {"CACHE_URL": redis, "WEB_CONCURRENCY": "2"} if redis else {}
    regions = {"small": small, "middle": medium, "large": large, "cold": cold}
    servers.prepare(regions, settings="tests.benchmarks.settings", **several)
    servers.command("fill_machines", medium, NAME)
    portal = servers.start_portal()
    admin = servers.start_portal(DJANGO_SETTINGS_MODULE="tests.benchmarks.admin_settings", cookie=portal.cookie)
    return portal, admin, small, cold, bool(redis)


def main() -> None:
    with run_servers() as servers:
        portal, admin, small, cold_url, has_redis = bring_up(servers)
        processes = "2 processes over Redis" if has_redis else "1 process (no Redis is installed)"
        say(f"## Views: {processes}, {ROUNDS} rounds\n")
        targets = list_targets(portal, admin)
        memory = []
        answered = 0
        for _ in range(ROUNDS):
            for target in targets.values():
                target.measure()
                answered += ASKED_A_ROUND + round(target.rates[-1] * LOAD_SECONDS)
            memory.append(max(map(pss_megabytes, portal.workers)))
            sleep(0.2)
        cold = measure_cold(portal, cold_url)
        warm_requests = count_warm_requests(portal, small)
        say(format_table(HEADINGS, [one.row(targets["empty"], targets["admin"]) for one in targets.values()]) + "\n")
        say(
            f"Cold page, upstream 50 ms: p50 {middle(cold.pages):.1f} ms, p95 {percentile(cold.pages, 0.95):.1f} ms; "
            f"the API call by itself {middle(cold.call):.1f} ms. "
            f"Memory after each round: {', '.join(f'{figure:.1f}' for figure in memory)} MB; {answered:,} answers.\n"
        )
        seen = (memory[min(1, len(memory) - 1)], memory[-1])
        aims = list_aims(targets, cold, seen, warm_requests)
        say(format_table(("line", "what", "aim", "measured", "met"), [aim.cells() for aim in aims]) + "\n")
