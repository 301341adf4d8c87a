"""Clients without scripts, each for a member with a stored credential."""

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep


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
