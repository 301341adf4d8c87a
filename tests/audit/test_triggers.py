"""The database itself rejects changes to events, from any program. (PostgreSQL: tests/services/test_audit.py.)"""

import pytest
from django.conf import settings as portal_settings
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.audit.services import record_event
from portal.audit.triggers import FLOOR_DAYS
from tests.audit.rows import write

CHANGES = [
    "UPDATE audit_event SET name = 'mallory'",
    "UPDATE audit_event SET at = '2001-01-01 00:00:00'",
    "DELETE FROM audit_event",
    (
        "INSERT OR REPLACE INTO audit_event (id, at, act, name, subject, address, user_agent, request_id)"
        " SELECT id, at, act, 'mallory', '', '', '', '' FROM audit_event"
    ),
    (
        "REPLACE INTO audit_event (id, at, act, name, subject, address, user_agent, request_id)"
        " SELECT id, at, act, 'mallory', '', '', '', '' FROM audit_event"
    ),
    "UPDATE OR REPLACE audit_event SET id = id + 1",
]


@pytest.mark.parametrize("statement", CHANGES)
def test_sqlite_refuses_what_would_change_an_event(vera: Member, statement: str) -> None:
    record_event(Action.SIGNED_IN, member=vera)
    before = list(Event.objects.values())
    with pytest.raises(DatabaseError, match="audit events are"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(Event.objects.values()) == before


@pytest.mark.parametrize(("days", "is_deleted"), [(FLOOR_DAYS - 1, False), (FLOOR_DAYS + 1, True)])
def test_only_what_is_older_than_the_floor_can_be_deleted(db: None, days: int, *, is_deleted: bool) -> None:
    write(days_ago=days)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM audit_event")
    except DatabaseError:
        assert not is_deleted
    assert Event.objects.exists() is not is_deleted


def test_new_events_are_taken_as_ever(vera: Member) -> None:
    for _ in range(3):
        record_event(Action.SIGNED_IN, member=vera)
    assert Event.objects.count() == 3


def test_events_are_kept_for_ninety_days_unless_told_otherwise_and_never_below_the_floor(settings: Settings) -> None:
    assert portal_settings.AUDIT_DAYS == 90
    assert FLOOR_DAYS <= 30
