"""The members and the sandbox that most tests use."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy
from typing import Any

import hypothesis
import pytest
import time_machine
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from portal.accounts.models import Member
from portal.bycloud import Region
from portal.core.permissions import Role
from portal.sandbox.server import Sandbox
from tests.memory import forget_everything
from tests.services.portals import Deployment, open_deployment
from tests.template import set_up_once
from tests.ticking import all_clocks_agree
from tests.upstream import Upstream

PASSWORD = "a-long-enough-password"

# Slow examples are not failures: the machine may be busy. `make test-all` takes more of them.
hypothesis.settings.register_profile(
    "portal",
    deadline=None,
    max_examples=25,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("portal"), max_examples=50)
hypothesis.settings.load_profile("portal")


# Tests that share servers of their own run together on one worker, and first. (The portal and the browser of most
# browser tests exist on each worker.)
TOGETHER = {
    "tests/services/test_fleet.py": "index",
    "tests/services/test_races.py": "races",
    "tests/services/": "services",
    "tests/accounts/test_flood.py": "portals",
    "tests/accounts/test_races.py": "portals",
    "tests/accounts/test_throttles.py": "portals",
    "tests/gateway/test_slow_upstream.py": "portals",
    "tests/instances/test_download.py": "portals",
    "tests/browser/test_autofill.py": "saved password",
    "tests/browser/test_components.py": "states",
    "tests/browser/test_passkeys.py": "states",
    "tests/browser/test_single_sign_on.py": "states",
    "tests/browser/test_states.py": "states",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Schedule test by test, except for the groups in `TOGETHER`. (`xdist_group` has no effect with pytest 9.2.)"""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 -- only if xdist is used

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return next((worker for place, worker in TOGETHER.items() if nodeid.startswith(place)), nodeid)

    return Scheduling(config, log)


def enter(client: Client, member: Member) -> None:
    """Sign a member in and confirm access, as the management of other members requires. Valid for 5 minutes."""
    client.force_login(member)
    client.post("/second-factor/again/", {"password": PASSWORD})


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    forget_everything()


@pytest.fixture
def ada(db: None) -> Member:
    """An admin."""
    return Member.objects.create_user("ada", "ada@example.com", PASSWORD, role=Role.ADMIN)


@pytest.fixture
def otto(db: None) -> Member:
    """An operator."""
    return Member.objects.create_user("otto", "otto@example.com", PASSWORD, role=Role.OPERATOR)


@pytest.fixture
def vera(db: None) -> Member:
    """A viewer."""
    return Member.objects.create_user("vera", "vera@example.com", PASSWORD, role=Role.VIEWER)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    with Sandbox(instances=150) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_server: Sandbox, settings: Settings) -> Sandbox:
    """The sandbox over real HTTP, in its initial state, as the region `spo1`."""
    sandbox_server.reset()
    settings.BYCLOUD_REGIONS = {
        "spo1": Region("spo1", sandbox_server.url),
        "sao2": Region("sao2", "http://127.0.0.1:1"),
    }
    return sandbox_server


@pytest.fixture
def upstream(sandbox: Sandbox) -> Upstream:
    """A client for the sandbox's control API."""
    return Upstream(sandbox.url)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make run` leaves: a database with three members, their credentials, and static files. To be copied."""
    folder = tmp_path_factory.getbasetemp()
    return set_up_once(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def empty_database(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What `migrate` leaves, as a file of SQLite. To be copied."""
    path = tmp_path_factory.mktemp("empty") / "portal.sqlite3"
    with django_db_blocker.unblock(), closing(sqlite3.connect(path)) as file:
        connection.ensure_connection()
        connection.connection.backup(file)
    path.chmod(0o600)
    return path


@pytest.fixture(scope="session")
def deployment(empty_database: Path, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Members in a database of SQLite, a sandbox, and room for portals. (`tests/services` have one on PostgreSQL.)"""
    folder = tmp_path_factory.mktemp("deployment")
    copy(empty_database, folder / "portal.sqlite3")
    with open_deployment(f"sqlite:///{folder / 'portal.sqlite3'}", folder, template / "static") as deployment:
        yield deployment


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Time that advances only when a test says so."""
    with time_machine.travel(datetime.now(UTC), tick=False) as coordinates, all_clocks_agree():
        yield coordinates
