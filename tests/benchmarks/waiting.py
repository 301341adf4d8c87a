"""Cached pages while other members wait for a hanging ByCloud: are they as fast as on an idle portal?"""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

from tests.benchmarks.figures import format_table, middle, percentile
from tests.benchmarks.servers import Server, control, run_servers, say

WAITERS = (0, 4, 12, 24, 60)
HANGS_SECONDS = 9.0
# So few that they are all answered before the first of those who wait.
ASKED = 50
ROUNDS = 2


def wait_for_upstream(portal: Server, path: str) -> tuple[int, float]:
    with portal.connect() as wire:
        reply = wire.ask(portal.request(path))
        return reply.status, reply.first_byte_seconds


def time_warm(portal: Server) -> list[float]:
    """Milliseconds to the first byte of warm pages, on new connections, as they would come from other people."""
    figures = []
    for _ in range(ASKED):
        with portal.connect() as wire:
            reply = wire.ask(portal.request("/spo1/instances/"))
            assert reply.status == 200, reply.head
            figures.append(reply.first_byte_seconds * 1000)
    return figures


def main() -> None:
    say("## Warm pages while others wait for a ByCloud that hangs, milliseconds to the first byte\n")
    with run_servers() as servers:
        redis = servers.start_redis()
        several = {"CACHE_URL": redis, "WEB_CONCURRENCY": "2"} if redis else {}
        sandbox = servers.start_sandbox()
        servers.prepare({"spo1": sandbox}, **several)
        portal = servers.start_portal()
        time_warm(portal)
        warm: dict[int, list[float]] = {waiters: [] for waiters in WAITERS}
        outcomes: dict[int, list[int]] = {waiters: [] for waiters in WAITERS}
        for turn in range(ROUNDS):
            for waiters in WAITERS:
                control(sandbox, "DELETE", "faults")
                control(sandbox, "POST", "faults", {"times": None, "delay": HANGS_SECONDS, "match": "hangs"})
                with ThreadPoolExecutor(max(1, waiters)) as pool:
                    paths = [f"/spo1/instances/?name=hangs-{turn}-{waiters}-{one}%2A" for one in range(waiters)]
                    waiting = [pool.submit(wait_for_upstream, portal, path) for path in paths]
                    sleep(0.5)
                    warm[waiters] += time_warm(portal)
                    outcomes[waiters].append(sum(not one.done() for one in waiting))
        idle = percentile(warm[0], 0.95)
        rows = [
            [
                waiters,
                middle(outcomes[waiters]),
                middle(warm[waiters]),
                percentile(warm[waiters], 0.95),
                percentile(warm[waiters], 0.95) / idle,
            ]
            for waiters in WAITERS
        ]
        processes = f"{len(portal.workers)} processes of 32 threads"
        say(f"{processes}. Whoever finds no place among those who wait is told so at once.\n")
        say(
            format_table(
                ("asked a hanging page", "still waited at the end", "p50", "p95", "p95 of an idle portal's"), rows
            )
        )
        say("")
