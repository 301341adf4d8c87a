"""The command that deletes old events, prints the number and logs an event of its own."""

from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from portal.audit import services
from portal.audit.models import Action, Event
from tests.audit.rows import write

pytestmark = pytest.mark.django_db


def prune() -> str:
    out = StringIO()
    call_command("prune_audit", stdout=out)
    return out.getvalue().strip()


def test_what_was_kept_long_enough_goes_and_the_rest_stays() -> None:
    write(days_ago=91)
    kept = write(days_ago=89)
    assert prune() == "1 event was older than 90 days and is deleted."
    assert list(Event.objects.exclude(act=Action.AUDIT_PRUNED)) == [kept]


def test_pruning_is_on_record_with_its_number_and_as_the_command_lines() -> None:
    write(days_ago=100)
    write(days_ago=101)
    prune()
    event = Event.objects.get()
    assert event.act == Action.AUDIT_PRUNED
    assert event.subject.startswith("2 events before ")
    assert event.is_from_command_line


def test_a_second_run_does_nothing_and_says_so() -> None:
    write(days_ago=100)
    prune()
    before = list(Event.objects.values())
    assert prune() == "0 events were older than 90 days and are deleted."
    assert list(Event.objects.values()) == before


def test_the_time_is_a_setting(settings: Settings) -> None:
    settings.AUDIT_DAYS = 365
    write(days_ago=100)
    prune()
    assert Event.objects.count() == 1


def test_many_go_in_batches_each_with_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "DELETED_AT_ONCE", 2)
    for _ in range(5):
        write(days_ago=100)
    assert prune().startswith("5 events")
    assert [event.subject.split(" before ")[0] for event in Event.objects.order_by("id")] == [
        "2 events",
        "2 events",
        "1 events",
    ]
