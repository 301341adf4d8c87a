"""A stored credential for the sandbox, and walks with it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.fleet.feed import find_fleet
from portal.fleet.models import IndexedFleet, Outcome, Pass
from portal.fleet.walk import make_step
from portal.gateway import ApiSession
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep

Walk = Callable[..., Pass]


@pytest.fixture
def acme(sandbox: Sandbox, ada: Member) -> ApiSession:
    """What ada uses to see the organization with 150 instances."""
    return open_session(ada, "sandbox-acme-token")


@pytest.fixture
def globex(sandbox: Sandbox, vera: Member) -> ApiSession:
    """What vera uses to see the one with 12 instances."""
    return open_session(vera, "sandbox-globex-token")


def open_session(member: Member, token: str) -> ApiSession:
    keep(member, BearerToken(token))
    return ApiSession(settings.BYCLOUD_REGIONS["spo1"], BearerToken(token), member_id=str(member.pk))


def fleet_of(session: ApiSession) -> IndexedFleet:
    fleet = find_fleet(session)
    assert fleet
    return fleet


@pytest.fixture
def walk(clock: time_machine.Traveller) -> Walk:
    """Walks once through the whole list, some hours after what was before. Returns the pass."""

    def walk_once(session: ApiSession) -> Pass:
        clock.shift(timedelta(hours=2))
        for _ in range(200):
            make_step(session, is_urgent=True)
            latest = fleet_of(session).passes.order_by("-number").first()
            assert latest
            if latest.outcome != Outcome.WALKING:
                return latest
            clock.shift(timedelta(seconds=40))
        raise AssertionError("The walk does not end")

    return walk_once
