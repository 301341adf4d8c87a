"""Clients without scripts, each for a member with a stored credential."""

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.fleet.snapshots import Snapshot
from tests.journeys.pages import LIST, press, words


@pytest.fixture
def operator_client(client: Client, otto: Member, sandbox: Sandbox) -> Client:
    """Otto, who operates the 150 instances of acme."""
    keep(otto, BearerToken("sandbox-acme-token"))
    client.force_login(otto)
    return client


@pytest.fixture
def viewing(vera: Member, sandbox: Sandbox) -> Client:
    """Vera, who views the 12 instances of globex."""
    keep(vera, BearerToken("sandbox-globex-token"))
    client = Client()
    client.force_login(vera)
    return client


@pytest.fixture(scope="session")
def read_fleet() -> Snapshot:
    return Snapshot()


@pytest.fixture
def reader(operator_client: Client, sandbox: Sandbox, read_fleet: Snapshot) -> Client:
    """Otto, whose fleet of 150 has been read to its end."""
    read_fleet.restore(lambda: read_on(operator_client))
    sandbox.reset()
    return operator_client


def read_on(client: Client) -> None:
    """Read the fleet to its end, by a page that is open."""
    page = client.get(f"{LIST}?page=1")
    while "Reading the fleet" in words(page) or "Index · 0" in words(page):
        page = press(client, page, "Refresh")
    assert "Index · " in words(page)
