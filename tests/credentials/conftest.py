"""A signed-in client for the credential pages."""

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.sandbox.server import Sandbox


@pytest.fixture
def viewer_client(client: Client, vera: Member, sandbox: Sandbox) -> Client:
    """Vera, signed in, with the sandbox behind `spo1`. A viewer keeps a credential like everyone else."""
    client.force_login(vera)
    return client
