"""`manage.py walk_fleets`."""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from portal.accounts.models import Member, PauseReason
from portal.bycloud import BearerToken
from portal.credentials.models import Credential
from portal.fleet.models import IndexedFleet, IndexedInstance, Outcome
from portal.gateway import ApiSession
from tests.credentials.rows import keep
from tests.fleet.conftest import fleet_of
from tests.upstream import Upstream


def test_it_walks_every_fleet_once(
    acme: ApiSession, globex: ApiSession, otto: Member, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(otto, BearerToken("sandbox-acme-token"))
    call_command("walk_fleets")
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "spo1: 12 instances on 1 pages, complete.",
        "spo1: 150 instances on 3 pages, complete.",
    ]
    assert IndexedInstance.objects.count() == 162
    assert len(upstream.requests()) == 4
    # Too early for the next one: what there is counts.
    call_command("walk_fleets")
    assert len(upstream.requests()) == 4


def test_it_says_what_has_stopped_it(acme: ApiSession, upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    upstream.script(times=None, status=401)
    call_command("walk_fleets")
    assert capsys.readouterr().out == "spo1: not walked (rejected).\n"


def test_paused_credentials_are_not_used(acme: ApiSession, upstream: Upstream) -> None:
    Credential.objects.update(pause=PauseReason.PASSWORD)
    call_command("walk_fleets")
    assert not upstream.requests()
    assert not IndexedFleet.objects.exists()


class StoppedError(Exception):
    pass


def test_forever_it_goes_on_at_the_pace_of_the_budget(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_at = timezone.now()

    def sleep(seconds: float) -> None:
        clock.shift(timedelta(seconds=seconds))
        if timezone.now() - began_at > timedelta(minutes=10):
            raise StoppedError

    monkeypatch.setattr("portal.fleet.management.commands.walk_fleets.sleep", sleep)
    with pytest.raises(StoppedError):
        call_command("walk_fleets", "--forever")
    passes = fleet_of(acme).passes.order_by("number")
    assert {one.outcome for one in passes} <= {Outcome.COMPLETE, Outcome.WALKING}
    assert 9 <= passes.last().number <= 11  # type: ignore[union-attr]
    assert len(upstream.requests()) <= 33


def test_forever_it_leaves_fleets_alone_that_nobody_looks_at(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("walk_fleets")
    clock.shift(timedelta(days=3))
    upstream.clear_log()

    def stop(_seconds: float) -> None:
        raise StoppedError

    monkeypatch.setattr("portal.fleet.management.commands.walk_fleets.sleep", stop)
    with pytest.raises(StoppedError):
        call_command("walk_fleets", "--forever")
    assert not upstream.requests()
