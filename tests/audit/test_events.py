"""Events are complete, sanitized, written once and never changed."""

from typing import Any

import pytest
import structlog
from django.core.management import call_command
from django.db import models
from django.test import RequestFactory
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import NOT_A_NAME, Action, AppendOnlyError, Event
from portal.audit.services import record_event


@pytest.fixture
def event(vera: Member) -> Event:
    record_event(Action.SIGNED_IN, member=vera)
    return Event.objects.get()


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.save(),
        lambda event: event.save(update_fields=["name"]),
        lambda event: event.delete(),
        lambda event: Event.objects.update(name="x"),
        lambda event: Event.objects.filter(pk=event.pk).update(name="x"),
        lambda event: Event.objects.all().delete(),
        lambda event: Event.objects.filter(pk=event.pk)._raw_delete("default"),
        lambda event: Event.objects.bulk_update([event], ["name"]),
        lambda event: Event.objects.bulk_create([Event(act=Action.SIGNED_IN)]),
        lambda event: Event.objects.update_or_create(pk=event.pk, defaults={"name": "x"}),
        lambda event: Event._base_manager.update(name="x"),
        lambda event: Event._base_manager.all().delete(),
    ],
)
def test_nothing_changes_or_deletes_an_event(event: Event, change: Any) -> None:
    before = list(Event.objects.values())
    event.name = "mallory"
    with pytest.raises(AppendOnlyError):
        change(event)
    assert list(Event.objects.values()) == before


def test_an_id_that_is_taken_is_not_overwritten(event: Event) -> None:
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        Event(pk=event.pk, act=Action.SIGNED_OUT).save()


def test_a_deleted_member_leaves_their_events_as_they_were(event: Event, vera: Member) -> None:
    pk = vera.pk
    vera.delete()
    kept = Event.objects.get()
    assert (kept.member_id, kept.name) == (pk, "vera")


def test_where_from_and_which_request_are_kept(rf: RequestFactory, vera: Member, settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    request = rf.get("/", headers={"x-forwarded-for": "6.6.6.6, 203.0.113.9", "user-agent": "Lynx/2.9"})
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        record_event(Action.ROLE_CHANGED, request=request, member=vera, subject="otto: viewer → admin")
    event = Event.objects.get()
    assert (event.address, event.user_agent, event.request_id) == ("203.0.113.9", "Lynx/2.9", "req-1")
    assert (event.member_id, event.name, event.subject) == (vera.pk, "vera", "otto: viewer → admin")
    assert event.at.utcoffset() is not None


def test_without_a_request_there_is_no_address(db: None) -> None:
    record_event(Action.MEMBER_ADDED, subject="eve")
    event = Event.objects.get()
    assert (event.address, event.user_agent, event.request_id, event.member_id) == ("", "", "", None)
    assert (event.name, event.is_from_command_line) == ("command line", True)


def test_a_failed_sign_in_is_never_taken_for_the_command_line(rf: RequestFactory, db: None) -> None:
    record_event(Action.SIGN_IN_FAILED, request=rf.get("/"), name="")
    record_event(Action.SIGN_IN_FAILED, request=rf.get("/"), name="command line")
    assert [(event.name, event.is_from_command_line) for event in Event.objects.order_by("id")] == [
        ("", False),
        (NOT_A_NAME, False),
    ]


def test_hostile_text_is_cut_and_stripped_of_what_cannot_be_seen(rf: RequestFactory, db: None) -> None:
    request = rf.get("/", headers={"user-agent": "A" * 1000})
    hostile = "eve\r\n2026-01-01 ada\x00\u202e\u200b" + "x" * 300
    record_event(Action.SIGN_IN_FAILED, request=request, name=hostile, subject=hostile)
    event = Event.objects.get()
    assert event.name == NOT_A_NAME
    assert event.subject.startswith("eve 2026-01-01 ada x")
    assert (len(event.subject), len(event.user_agent)) == (255, 200)


def test_an_event_reads_as_a_line(event: Event) -> None:
    assert str(event).endswith(" signed-in vera")


def test_every_act_fits_its_column() -> None:
    field = Event._meta.get_field("act")
    assert isinstance(field, models.CharField)
    assert max(len(act) for act in Action.values) <= int(field.max_length or 0)


def test_models_and_migrations_agree(db: None) -> None:
    call_command("makemigrations", "accounts", "audit", check=True, dry_run=True, verbosity=0)
