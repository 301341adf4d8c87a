"""Forks processes that have just started, whose first requests come at once: `python -m tests.first_requests 200`.

Prints the exit codes of those that did not end well.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Barrier, Thread

import django

django.setup()

from portal import gateway  # noqa: E402
from portal.bycloud import BearerToken, InstanceQuery, Region  # noqa: E402
from portal.credentials import vault  # noqa: E402
from portal.gateway import cache  # noqa: E402
from portal.gateway.results import FetchError  # noqa: E402

THREADS = 16


def main(count: int) -> None:
    session = gateway.ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))
    encrypted = vault.encrypt(BearerToken("a-token"), member_id=1, region="spo1")
    query = InstanceQuery()
    cache.set_cached(session, cache.error_name(query), FetchError("busy", datetime.now(UTC), "Busy"))
    reads = (
        lambda: vault.decrypt(encrypted, member_id=1, region="spo1"),
        lambda: cache.find_page(session, query),
    )
    codes = []
    for _ in range(count):
        child = os.fork()
        if not child:
            for read in reads:
                read_at_once(read)
            os._exit(0)
        codes.append(os.waitpid(child, 0)[1])
    sys.stdout.write(f"{[code for code in codes if code]}\n")


def read_at_once(read: Callable[[], object]) -> None:
    # Threads take turns after every few instructions.
    sys.setswitchinterval(1e-6)
    together = Barrier(THREADS)

    def read_together() -> None:
        together.wait()
        read()

    threads = [Thread(target=read_together) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]))
