"""The scripted server, and a client for it."""

from collections.abc import Iterator

import pytest

from portal.bycloud import BearerToken, Client, Limits, Region
from tests.bycloud.wire import Wire

TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as server:
        yield server


@pytest.fixture
def client(wire: Wire) -> Client:
    """Waits two seconds at most: enough for all tries with their pauses, and short when something hangs."""
    return Client(Region("spo1", wire.url), BearerToken(TOKEN), limits=Limits(deadline_seconds=2.0))
