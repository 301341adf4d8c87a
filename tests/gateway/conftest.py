"""API sessions for the sandbox."""

import pytest

from portal.bycloud import BearerToken, Region
from portal.gateway import ApiSession
from portal.sandbox.server import Sandbox


@pytest.fixture
def acme(sandbox: Sandbox) -> ApiSession:
    """The organization with 150 instances."""
    return ApiSession(Region("spo1", sandbox.url), BearerToken("sandbox-acme-token"))


@pytest.fixture
def globex(sandbox: Sandbox) -> ApiSession:
    """The organization with 12 instances, at the same address."""
    return ApiSession(Region("spo1", sandbox.url), BearerToken("sandbox-globex-token"))
