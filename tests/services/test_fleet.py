"""The index of the fleet on PostgreSQL: the very same tests, and writers that really write at once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.fleet import test_processes

# The very same tests, on the deployment of this folder.
from tests.fleet.test_processes import (  # noqa: F401
    test_a_page_needs_no_index_that_can_be_written,
    test_walkers_and_viewers_at_once_lose_nothing,
)
from tests.services.portals import Deployment
from tests.services.servers import PostgreSQL
from tests.unmeasured import leave_out_coverage

ROOT = Path(__file__).parent.parent.parent
TESTS = {
    "fleet": "feed walk trouble simulated privacy command search changes counts lookup",
    "journeys": "search filters selection",
}


@contextmanager
def locked_index(deployment: Deployment) -> Iterator[None]:
    with psycopg.connect(deployment.database_url) as writer:
        writer.execute("LOCK TABLE fleet_indexedfleet IN EXCLUSIVE MODE")
        yield


@pytest.fixture(autouse=True)
def _on_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_processes, "locked_index", locked_index)


@pytest.mark.slow
@pytest.mark.parametrize("folder", TESTS)
def test_the_index_is_the_same_on_postgresql(postgresql: PostgreSQL, folder: str) -> None:
    clean = {name: value for name, value in leave_out_coverage().items() if not name.startswith(("PYTEST_", "DJANGO_"))}
    files = [f"tests/{folder}/test_{name}.py" for name in TESTS[folder].split()]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "-m", "not slow", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=ROOT,
        env=clean | {"TEST_DATABASE_URL": postgresql.url(f"index_{folder}")},
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )
    assert answer.returncode == 0, answer.stdout[-20_000:] + answer.stderr
