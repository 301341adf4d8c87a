"""How many of 100 concurrent requests for an uncached page go upstream, with two processes and a shared Redis."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter

from tests.benchmarks.figures import format_table
from tests.benchmarks.servers import Server, control, count_requests, run_servers, say
from tests.benchmarks.wire import Wire

AT_ONCE = 100
TURNS = 4
UPSTREAM_SECONDS = 0.2


def ask_at_once(portal: Server, path: str, *, at_once: int = AT_ONCE) -> tuple[list[int], float]:
    """Send that many requests in the same moment, each on a connection of its own. Statuses, and when all were in."""
    start = Barrier(at_once + 1)
    wires = [Wire(portal.url) for _ in range(at_once)]
    request = portal.request(path)

    def ask(wire: Wire) -> int:
        start.wait()
        with wire:
            return wire.ask(request).status

    with ThreadPoolExecutor(at_once) as pool:
        answers = [pool.submit(ask, wire) for wire in wires]
        start.wait()
        began_at = perf_counter()
        statuses = [answer.result() for answer in answers]
    return statuses, perf_counter() - began_at


def count_outages(portal: Server) -> int:
    """How often a process has found that Redis did not answer in time. Each then fetches for itself for a while."""
    return portal.log.read_text(encoding="utf-8").count("cache_server_away")


def main() -> None:
    say(f"## {AT_ONCE} requests at once for one cold page, two processes over Redis, upstream 200 ms\n")
    with run_servers() as servers:
        redis = servers.start_redis()
        if redis is None:
            say("No Redis is installed, so there is nothing that two processes could share.\n")
            return
        sandbox = servers.start_sandbox(instances=10_000, latency=UPSTREAM_SECONDS)
        servers.prepare({"spo1": sandbox}, CACHE_URL=redis, WEB_CONCURRENCY="2")
        rows = []
        for threads in (32, 128):
            portal = servers.start_portal(WEB_THREADS=str(threads))
            for turn in range(TURNS):
                control(sandbox, "DELETE", "requests")
                away = count_outages(portal)
                statuses, seconds = ask_at_once(portal, f"/spo1/instances/?name=cold-{threads}-{turn}%2A")
                told = ", ".join(f"{statuses.count(status)} × {status}" for status in sorted(set(statuses)))
                rows.append(
                    [
                        f"2 × {threads}",
                        turn + 1,
                        count_requests(sandbox),
                        told,
                        f"{seconds * 1000:.0f} ms",
                        count_outages(portal) - away,
                    ]
                )
        say(
            format_table(
                ("threads", "turn", "requests upstream", "answers", "the last after", "Redis taken for away"), rows
            )
            + "\n"
        )
