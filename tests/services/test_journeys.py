"""The journey tests and the sign-in throttles, on PostgreSQL and Redis, without an index: no more differs.

The index has tests of its own on PostgreSQL, in `test_fleet.py`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.servers import PostgreSQL, Redis
from tests.unmeasured import leave_out_coverage

ROOT = Path(__file__).parent.parent.parent
# test_faults.py holds upstream's faults to tenths of a second, which is no business of where things are kept.
# The others need an index.
OTHERS = (
    *("faults", "search", "suggestions", "changes", "overview", "indexed_instance", "export_all", "known_values"),
    *("filters", "neighbors", "selection", "titles"),
)
JOURNEYS = (
    *("tests/journeys", *(f"--ignore=tests/journeys/test_{name}.py" for name in OTHERS)),
    *("tests/accounts/test_sign_in.py", "tests/accounts/test_names.py"),
)


@pytest.mark.slow
def test_every_journey_goes_the_same_way(postgresql: PostgreSQL, shared_redis: Redis) -> None:
    where = {"TEST_DATABASE_URL": postgresql.url("journeys"), "TEST_CACHE_URL": shared_redis.url}
    clean = {name: value for name, value in leave_out_coverage().items() if not name.startswith(("PYTEST_", "DJANGO_"))}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *JOURNEYS, "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=ROOT,
        env=clean | where | {"FLEET_INDEX": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )
    assert answer.returncode == 0, answer.stdout[-20_000:] + answer.stderr
    assert " skipped" not in answer.stdout
