"""Repeated denials create a few events with a count, and actions are rate limited."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from tests.conventions.test_access import ROUTES


def list_subjects(act: Action) -> list[str]:
    return list(Event.objects.filter(act=act).order_by("id").values_list("subject", flat=True))


def test_a_viewer_who_is_refused_all_the_time_makes_a_few_events(
    client: Client, vera: Member, clock: time_machine.Traveller
) -> None:
    client.force_login(vera)
    for number in range(130):
        assert client.get(f"/team/{number}/sessions/").status_code == 403
    subjects = list_subjects(Action.ACCESS_REFUSED)
    assert subjects[:2] == ["GET /team/0/sessions/", "GET /team/1/sessions/"]
    assert subjects[30:] == [
        "number 60 within 10 minutes: GET /team/59/sessions/",
        "number 120 within 10 minutes: GET /team/119/sessions/",
    ]
    clock.shift(timedelta(minutes=11))
    client.get("/audit/")
    assert list_subjects(Action.ACCESS_REFUSED)[32:] == ["GET /audit/"]


def test_each_member_is_counted_alone(client: Client, vera: Member, otto: Member) -> None:
    client.force_login(vera)
    for _ in range(40):
        client.get("/audit/")
    client.force_login(otto)
    client.get("/audit/")
    assert Event.objects.filter(act=Action.ACCESS_REFUSED, member=otto).count() == 1


@pytest.mark.parametrize(
    "name",
    [name for name, route in ROUTES.items() if "POST" in route.methods and route.capability != "public"],
)
def test_every_act_of_a_member_has_a_bound(client: Client, ada: Member, settings: Settings, name: str) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"act": "3/m/user"}
    client.force_login(ada)
    for _ in range(3):
        client.post("/preferences/theme/", {"theme": "dark"})
    refused = client.post(ROUTES[name].path)
    if name == "instances:revalidate":
        # Pages ask it by themselves; it changes nothing, and the rate limit bounds it.
        assert refused.status_code != 429
        return
    assert refused.status_code == 429
    assert refused["Retry-After"] == "60"
    assert "Too many attempts" in refused.content.decode()
    assert client.get("/preferences/").status_code == 200


def test_nothing_of_another_kind_is_hidden_behind_what_repeats(client: Client, vera: Member) -> None:
    client.force_login(vera)
    for number in range(35):
        client.get(f"/team/{number}/sessions/")
    client.get("/audit/")
    client.get("/audit/")
    events = Event.objects.filter(act="access-refused", subject__endswith="GET /audit/")
    assert [event.subject for event in events] == ["number 36 within 10 minutes: GET /audit/"]
