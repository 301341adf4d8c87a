"""PostgreSQL, Redis, and portals that use them. Tests are skipped if one is not installed, or fail if CI=true."""

import os
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from pytest_django import Settings

from portal.gateway.backoff import Backoff
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
    start_anew(running_redis)
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
    """The sandbox as at its start. (Nor has anybody tried to sign in.)"""
    deployment.sandbox.reset()
    deployment.forget_throttles()
    return Upstream(deployment.sandbox.url)


@pytest.fixture(scope="session")
def two_portals(deployment: Deployment, running_redis: Redis) -> Iterator[tuple[Portal, Portal]]:
    with deployment.open_portals(2, CACHE_URL=running_redis.url) as (first, second):
        yield first, second


@pytest.fixture
def pair(two_portals: tuple[Portal, Portal], shared_redis: Redis, upstream: Upstream) -> tuple[Portal, Portal]:
    """Two processes that have nothing in common but PostgreSQL, an empty Redis and ByCloud."""
    del shared_redis, upstream
    return two_portals


def start_anew(redis: Redis) -> None:
    """Nothing is kept but that each pause has ended: of those, processes remember what they have seen."""
    with redis.connect() as client:
        ended = {key: end(client.get(key)) for key in client.scan_iter("*backoff:*") if not key.endswith(b":lock")}
        client.flushall()
        if ended:
            client.mset(ended)


def end(kept: bytes) -> bytes:
    """A pause as a process would keep it whose request was answered just now."""
    pause = msgspec.msgpack.decode(kept, type=Backoff)
    return msgspec.msgpack.encode(msgspec.structs.replace(pause, is_ended=True, recorded_at=datetime.now(UTC)))


def use_redis(settings: Settings, redis: Redis, *, counters: Redis | None = None) -> None:
    """Keep what is cached where the portal's own settings keep it, given this `CACHE_URL` and `COUNTERS_URL`."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CACHE_URL", redis.url)
        environment.setenv("COUNTERS_URL", (counters or redis).url)
        settings.CACHES = runpy.run_path(str(ROOT / "portal/settings.py"), run_name="portal.settings")["CACHES"]
