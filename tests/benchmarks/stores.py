"""The gateway's cost for a cached page: microseconds per read, by cache backend."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

from django.core.cache import caches
from django.core.management import call_command
from django.test import override_settings

from portal.bycloud import BearerToken, InstanceQuery, Region, decode_instance_page
from portal.gateway import ApiSession, read_page
from portal.sandbox.server import Sandbox
from tests.benchmarks.figures import format_table, middle
from tests.benchmarks.servers import TOKEN, run_servers, say

ROUNDS = 11
READS = 200
MEMORY = {"BACKEND": "portal.gateway.memory_cache.MemoryCache", "OPTIONS": {"MAX_BYTES": 64 * 1024 * 1024}}
DATABASE = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "pages"}
QUERIES = {"20 rows": InstanceQuery(limit=20), "100 rows": InstanceQuery(limit=100)}


def list_stores(redis_url: str | None) -> dict[str, Mapping[str, object]]:
    stores: dict[str, Mapping[str, object]] = {"in the process": MEMORY, "database (SQLite)": DATABASE}
    if redis_url:
        options = {
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        }
        stores["Redis"] = {
            "BACKEND": "portal.gateway.failover_cache.FailoverCache",
            "LOCATION": redis_url,
            "OPTIONS": options,
        }
    return stores


@contextmanager
def keeping_pages_in(store: Mapping[str, object]) -> Iterator[None]:
    local = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    roomy = {"PAGE_FRESH_SECONDS": 3600, "BYCLOUD_RATE_PER_MINUTE": 1_000_000, "BYCLOUD_RATE_PER_HOUR": 1_000_000}
    with override_settings(CACHES={"default": local, "pages": store, "counters": local}, **roomy):
        if store is DATABASE:
            call_command("createcachetable", verbosity=0)
        caches["pages"].clear()
        yield


def time_reads(access: ApiSession, query: InstanceQuery) -> float:
    """Microseconds of one read of a page that is stored and fresh."""
    began_at = perf_counter()
    for _ in range(READS):
        read_page(access, query)
    return (perf_counter() - began_at) / READS * 1_000_000


def measure(access: ApiSession, stores: dict[str, Mapping[str, object]]) -> dict[tuple[str, str], float]:
    """All stores in turn, round after round; medians."""
    figures: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, store in stores.items():
            with keeping_pages_in(store):
                for rows, query in QUERIES.items():
                    read_page(access, query)
                    figures.setdefault((name, rows), []).append(time_reads(access, query))
    return {which: middle(several) for which, several in figures.items()}


def time_decoding(access: ApiSession, query: InstanceQuery) -> float:
    from portal.gateway.cache import RESPONSE_DECODER, get_cached, page_name  # noqa: PLC0415

    answer = get_cached(access, page_name(query), RESPONSE_DECODER)
    assert answer
    began_at = perf_counter()
    for _ in range(READS):
        decode_instance_page(answer.body)
    return (perf_counter() - began_at) / READS * 1_000_000


def main() -> None:
    say(f"## The gateway on a warm page: microseconds a read, median of {ROUNDS} rounds of {READS}\n")
    with run_servers() as servers, Sandbox() as sandbox:
        stores = list_stores(servers.start_redis())
        access = ApiSession(Region("spo1", sandbox.url), BearerToken(TOKEN))
        figures = measure(access, stores)
        with keeping_pages_in(MEMORY):
            decoding = []
            for query in QUERIES.values():
                read_page(access, query)
                decoding.append(middle(time_decoding(access, query) for _ in range(ROUNDS)))
        rows: list[list[object]] = [[name, *(figures[name, rows] for rows in QUERIES)] for name in stores]
        rows.append(["of it: decoding the body", *decoding])
        say(format_table(("store", *QUERIES), rows) + "\n")
