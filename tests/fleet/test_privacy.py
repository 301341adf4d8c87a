"""What the index holds goes with the last credential that could see it, and with disuse."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken, InstanceQuery
from portal.credentials.models import Credential
from portal.credentials.services import take_credential
from portal.fleet.feed import find_fleet
from portal.fleet.models import Body, Facet, IndexedFleet, IndexedInstance, ObservedChange, Pass, Term, Text
from portal.fleet.privacy import delete_unused
from portal.gateway import ApiSession, FetchPolicy, read_page
from tests.credentials.rows import keep
from tests.fleet.conftest import Walk, fleet_of
from tests.upstream import Upstream

Commits = Callable[..., AbstractContextManager[Any]]
TABLES = (IndexedFleet, IndexedInstance, Text, Body, Term, Facet, ObservedChange, Pass)


def look(session: ApiSession) -> None:
    read_page(session, InstanceQuery(limit=20), policy=FetchPolicy.FORCE)


def is_empty() -> bool:
    return not any(table.objects.exists() for table in TABLES)


def test_everything_goes_with_the_credential(
    acme: ApiSession, upstream: Upstream, walk: Walk, django_capture_on_commit_callbacks: Commits
) -> None:
    walk(acme)
    victim = IndexedInstance.objects.all()[0].instance_id
    upstream.change(victim, action="rename", name="other")
    walk(acme)
    assert all(table.objects.exists() for table in TABLES)
    with django_capture_on_commit_callbacks(execute=True):
        Credential.objects.get().delete()
    assert is_empty()


def test_it_goes_with_a_member_who_is_deleted(
    acme: ApiSession, ada: Member, django_capture_on_commit_callbacks: Commits
) -> None:
    look(acme)
    with django_capture_on_commit_callbacks(execute=True):
        ada.delete()
    assert is_empty()


def test_it_goes_when_the_credential_is_replaced(
    acme: ApiSession, ada: Member, django_capture_on_commit_callbacks: Commits
) -> None:
    look(acme)
    with django_capture_on_commit_callbacks(execute=True):
        take_credential(BearerToken("sandbox-globex-token"), member=ada, region=acme.region)
    assert is_empty()


def test_it_stays_as_long_as_another_member_has_the_same_credential(
    acme: ApiSession, ada: Member, otto: Member, django_capture_on_commit_callbacks: Commits
) -> None:
    keep(otto, BearerToken("sandbox-acme-token"))
    look(acme)
    with django_capture_on_commit_callbacks(execute=True):
        Credential.objects.get(member=ada).delete()
    assert find_fleet(acme)
    with django_capture_on_commit_callbacks(execute=True):
        Credential.objects.get(member=otto).delete()
    assert is_empty()


def test_only_that_credentials_rows_go(
    acme: ApiSession, globex: ApiSession, ada: Member, django_capture_on_commit_callbacks: Commits
) -> None:
    look(acme)
    look(globex)
    with django_capture_on_commit_callbacks(execute=True):
        Credential.objects.get(member=ada).delete()
    assert find_fleet(acme) is None
    rows = IndexedInstance.objects.all()
    assert {row.fleet_id for row in rows} == {fleet_of(globex).pk}
    assert len(rows) == Text.objects.count() == Body.objects.count() == 12
    assert Facet.objects.exists()


def test_it_goes_after_a_time_without_use(acme: ApiSession, settings: Settings, clock: time_machine.Traveller) -> None:
    look(acme)
    settings.FLEET_KEEP_DAYS = 3
    clock.shift(timedelta(days=2, hours=23))
    assert delete_unused() == 0
    clock.shift(timedelta(hours=2))
    assert delete_unused() == 1
    assert is_empty()


def test_it_goes_when_there_is_to_be_no_index(
    acme: ApiSession, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    look(acme)
    settings.FLEET_INDEX = False
    call_command("walk_fleets")
    assert is_empty()
    assert "FLEET_INDEX" in capsys.readouterr().out


def test_no_secret_is_in_the_index(acme: ApiSession) -> None:
    look(acme)
    for table in TABLES:
        for row in table.objects.values():
            assert "sandbox-acme-token" not in repr(row)
