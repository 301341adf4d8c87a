"""The first requests of a process may come at once, in many threads."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Each fork of this process is one that has just started. In it, threads take turns after every few instructions.
FIRST_REQUESTS = """
import os, sys, threading
from datetime import UTC, datetime
import django
django.setup()
from portal import gateway
from portal.bycloud import BearerToken, InstanceQuery, Region
from portal.credentials import vault
from portal.gateway import cache
from portal.gateway.results import FetchError
from portal.instances import services

session = gateway.ApiSession(Region("spo1", "http://127.0.0.1:1"), BearerToken("a-token"))
encrypted = vault.encrypt(BearerToken("a-token"), member_id=1, region="spo1")
query = InstanceQuery()
cache.set_cached(session, cache.error_name(query), FetchError("busy", datetime.now(UTC), "Busy"))
cache.set_cached(session, "known-values", services.KnownValues(statuses=("ACTIVE",)))
reads = (
    lambda: vault.decrypt(encrypted, member_id=1, region="spo1"),
    lambda: cache.load_page(session, query),
    lambda: services.read_known_values(session),
)

def ask(read):
    together.wait()
    read()

codes = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        sys.setswitchinterval(1e-6)
        for read in reads:
            together = threading.Barrier(16)
            threads = [threading.Thread(target=ask, args=[read]) for _ in range(16)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        os._exit(0)
    codes.append(os.waitpid(child, 0)[1])
print([code for code in codes if code])
"""


def test_no_process_ends_because_its_first_requests_come_together() -> None:
    """A thread that decodes a type while another one decodes it for the first time can crash msgspec."""
    answer = subprocess.run(
        [sys.executable, "-c", FIRST_REQUESTS, "200"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
