"""PostgreSQL, Redis, and portals that use them. Tests are skipped if one is not installed, or fail if CI=true."""

import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from pytest_django import Settings

from tests.services.portals import Deployment, Portal, open_deployment
from tests.services.servers import NotInstalledError, PostgreSQL, Redis, run_postgresql, run_redis
from tests.upstream import Upstream

ROOT = Path(__file__).parent.parent.parent


def give_up(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    try:
        with run_postgresql() as running:
            yield running
    except NotInstalledError as error:
        give_up(str(error))


@pytest.fixture(scope="session")
def running_redis() -> Iterator[Redis]:
    yield from start_redis()


@pytest.fixture
def shared_redis(running_redis: Redis) -> Redis:
    """For tests that leave it running. Nothing is cached in it yet."""
    running_redis.clear()
    return running_redis


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """For tests that stop it."""
    yield from start_redis()


def start_redis() -> Iterator[Redis]:
    try:
        with run_redis() as running:
            yield running
    except NotInstalledError as error:
        give_up(str(error))


@pytest.fixture(scope="session")
def deployment(
    postgresql: PostgreSQL, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A database with members in it, a sandbox, and room for portals."""
    with open_deployment(
        postgresql.make_database(), tmp_path_factory.mktemp("deployment"), template / "static"
    ) as deployment:
        yield deployment


@pytest.fixture
def upstream(deployment: Deployment) -> Upstream:
    """The sandbox as at its start. (Nor has anyone tried to sign in.)"""
    deployment.sandbox.reset()
    deployment.forget_throttles()
    return Upstream(deployment.sandbox.url)


@pytest.fixture(scope="session")
def two_portals(deployment: Deployment, running_redis: Redis) -> Iterator[tuple[Portal, Portal]]:
    with deployment.open_portals(2, CACHE_URL=running_redis.url) as (first, second):
        yield first, second


@pytest.fixture
def pair(two_portals: tuple[Portal, Portal], shared_redis: Redis, upstream: Upstream) -> tuple[Portal, Portal]:
    """Two processes that have nothing in common but PostgreSQL, an empty Redis and ByCloud.

    For tests that leave no backoff behind: each process remembers its own.
    """
    del shared_redis, upstream
    return two_portals


@pytest.fixture
def own_pair(deployment: Deployment, shared_redis: Redis, upstream: Upstream) -> Iterator[tuple[Portal, Portal]]:
    """The same, for tests that leave a backoff behind."""
    del upstream
    with deployment.open_portals(2, CACHE_URL=shared_redis.url) as (first, second):
        yield first, second


def use_redis(settings: Settings, redis: Redis, *, counters: Redis | None = None) -> None:
    """Keep what is cached where the portal's own settings keep it, given this `CACHE_URL` and `COUNTERS_URL`."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CACHE_URL", redis.url)
        environment.setenv("COUNTERS_URL", (counters or redis).url)
        settings.CACHES = runpy.run_path(str(ROOT / "portal/settings.py"), run_name="portal.settings")["CACHES"]
