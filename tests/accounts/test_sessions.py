"""How long a session lasts, who can see it, and what ends it."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.accounts.models import Member, MemberSession
from portal.audit.models import Action, Event
from tests.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Version/17.5 Safari/604.1"


def sign_in(name: str, user_agent: str = FIREFOX) -> Client:
    client = Client(headers={"User-Agent": user_agent})
    answer = client.post("/sign-in/", {"login": name, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def enter_as_ada() -> Client:
    """Who acts on others, and so has confirmed who they are."""
    client = sign_in("ada")
    client.post("/second-factor/again/", {"password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get("/preferences/").status_code == 200


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def list_handles(client: Client, path: str = "/sessions/") -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]{32})"', client.get(path).content.decode())


def test_a_session_ends_after_half_an_hour_without_its_person(vera: Member, clock: time_machine.Traveller) -> None:
    client = sign_in("vera")
    for _ in range(3):
        clock.shift(timedelta(minutes=29))
        assert is_in(client)
    # A second more: what is added to a moment is rounded.
    clock.shift(timedelta(minutes=30, seconds=1))
    answer = client.get("/preferences/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/preferences/")
    assert "signed out after 30 minutes of inactivity" in text_of(client.get(answer["Location"]))
    assert not MemberSession.objects.filter(member=vera).exists()
    event = Event.objects.filter(act=Action.SESSION_ENDED).get()
    assert (event.member_id, event.subject) == (vera.pk, "vera: idle")


def test_the_end_of_a_session_is_on_no_record_of_someone_who_is_gone(
    vera: Member, clock: time_machine.Traveller
) -> None:
    client = sign_in("vera")
    Member.objects.filter(pk=vera.pk).update(is_active=False)
    clock.shift(timedelta(minutes=31))
    answer = client.get("/preferences/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/preferences/")
    assert not MemberSession.objects.filter(member=vera).exists()
    assert not Event.objects.filter(act=Action.SESSION_ENDED).exists()


def test_a_session_ends_when_its_password_is_no_longer_the_members(vera: Member) -> None:
    client = sign_in("vera")
    assert is_in(client)
    vera.set_password("another-long-password")
    vera.save()
    assert not is_in(client)
    assert not MemberSession.objects.filter(member=vera).exists()


def test_a_session_ends_after_eight_hours_however_busy_its_person_is(
    vera: Member, clock: time_machine.Traveller
) -> None:
    client = sign_in("vera")
    for _ in range(8 * 3 - 1):
        clock.shift(timedelta(minutes=20))
        assert is_in(client)
    clock.shift(timedelta(minutes=20, seconds=1))
    answer = client.get("/preferences/")
    assert answer.status_code == 302
    assert "Sessions last 8 hours" in text_of(client.get(answer["Location"]))


def test_both_times_are_settings(vera: Member, clock: time_machine.Traveller, settings: Settings) -> None:
    settings.SESSION_IDLE = timedelta(minutes=5)
    client = sign_in("vera")
    clock.shift(timedelta(minutes=5, seconds=1))
    assert not is_in(client)


def test_an_open_page_that_refreshes_itself_keeps_no_session_alive(vera: Member, clock: time_machine.Traveller) -> None:
    client = sign_in("vera")
    refresh = {"Portal-Refresh": "1", "HX-Request": "true", "HX-Target": "results"}
    for _ in range(3):
        clock.shift(timedelta(minutes=10))
        answer = client.get("/spo1/instances/", headers=refresh)
    assert answer.status_code == 200
    assert answer["HX-Redirect"].startswith("/sign-in/")


def test_a_person_who_is_warned_can_stay(vera: Member, clock: time_machine.Traveller) -> None:
    client = sign_in("vera")
    clock.shift(timedelta(minutes=28))
    assert client.post("/sessions/stay/").status_code == 204
    clock.shift(timedelta(minutes=28))
    assert is_in(client)


def test_presence_is_noted_once_a_minute_and_costs_nothing_else(vera: Member, clock: time_machine.Traveller) -> None:
    client = sign_in("vera")
    clock.shift(timedelta(seconds=59))
    with CaptureQueriesContext(connection) as queries:
        client.get("/preferences/")
    assert not [query for query in queries if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
    clock.shift(timedelta(seconds=2))
    with CaptureQueriesContext(connection) as queries:
        client.get("/preferences/")
    written = [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
    assert len(written) == 1
    assert "membersession" in written[0]


def test_a_member_sees_their_sessions_with_device_address_and_when(vera: Member, clock: time_machine.Traveller) -> None:
    phone = sign_in("vera", PHONE)
    clock.shift(timedelta(minutes=5))
    client = sign_in("vera")
    told = text_of(client.get("/sessions/"))
    assert "Your sessions (2)" in told
    assert "Firefox 128 on Linux This session 127.0.0.1" in told
    assert "Safari 17 on iPhone 127.0.0.1 5 minutes ago" in told
    page = client.get("/sessions/").content.decode()
    assert str(client.session.session_key) not in page
    assert str(phone.session.session_key) not in page


def test_an_unknown_device_is_called_that(vera: Member) -> None:
    client = sign_in("vera", "Mozilla/5.0")
    assert "Unknown browser" in text_of(client.get("/sessions/"))


def test_a_member_ends_one_of_them(vera: Member) -> None:
    phone, client = sign_in("vera", PHONE), sign_in("vera")
    (handle,) = list_handles(client)
    answer = client.post("/sessions/end/", {"session": handle}, follow=True)
    assert "1 session ended." in text_of(answer)
    assert not is_in(phone)
    assert is_in(client)
    assert "Your session has ended." in text_of(phone.get("/sign-in/"))
    assert Event.objects.filter(act=Action.SESSION_ENDED, member=vera).count() == 1


def test_a_member_ends_all_others_at_once(vera: Member) -> None:
    others = [sign_in("vera", PHONE) for _ in range(3)]
    client = sign_in("vera")
    assert "3 sessions ended." in text_of(client.post("/sessions/end/", follow=True))
    assert [is_in(other) for other in others] == [False] * 3
    assert is_in(client)
    assert "There was no session to end." in text_of(client.post("/sessions/end/", follow=True))


def test_no_one_ends_anothers_session_but_an_admin(ada: Member, otto: Member, vera: Member) -> None:
    victim, ottos = sign_in("vera", PHONE), sign_in("otto")
    client = enter_as_ada()
    (handle,) = list_handles(client, f"/team/{vera.pk}/sessions/")
    assert "There was no session to end." in text_of(ottos.post("/sessions/end/", {"session": handle}, follow=True))
    assert ottos.post(f"/team/{vera.pk}/sessions/end/", {"session": handle}).status_code == 403
    assert is_in(victim)
    assert "1 session ended." in text_of(
        client.post(f"/team/{vera.pk}/sessions/end/", {"session": handle}, follow=True)
    )
    assert not is_in(victim)
    assert "No sessions" in text_of(client.get(f"/team/{vera.pk}/sessions/"))


def test_a_change_of_role_ends_the_sessions_of_whom_it_concerns(ada: Member, otto: Member, vera: Member) -> None:
    vera_client, admin = sign_in("vera"), enter_as_ada()
    admin.post(f"/team/{vera.pk}/role/", {"role": "operator"})
    assert not is_in(vera_client)
    assert is_in(admin)


def test_a_session_that_ends_in_mid_work_leads_back_to_the_same_page(vera: Member) -> None:
    client = sign_in("vera")
    MemberSession.objects.all().delete()
    htmx = {
        "HX-Request": "true",
        "HX-Target": "results",
        "HX-Current-URL": "http://testserver/spo1/instances/?name=web",
    }
    answer = client.get("/spo1/instances/?name=web", headers=htmx)
    assert answer["HX-Redirect"] == "/sign-in/?next=/spo1/instances/%3Fname%3Dweb"
    page = client.get(answer["HX-Redirect"])
    assert "Your session has ended. Sign in to continue where you left off." in text_of(page)
    back = client.post("/sign-in/", {"login": "vera", "password": PASSWORD, "next": "/spo1/instances/?name=web"})
    assert (back.status_code, back["Location"]) == (302, "/spo1/instances/?name=web")


def test_a_session_that_is_ended_while_a_request_is_at_work_leads_to_sign_in(
    vera: Member, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_args: Any, **_rest: Any) -> HttpResponse:
        MemberSession.objects.filter(member=vera).delete()
        return HttpResponse("what was asked for")

    client = sign_in("vera")
    clock.shift(timedelta(minutes=2))
    monkeypatch.setattr("portal.accounts.views.render", end)
    answer = client.get("/preferences/")
    assert (answer.status_code, answer["Location"]) == (302, "/preferences/")
    assert b"what was asked for" not in answer.content
    answer = client.get("/preferences/")
    assert answer["Location"] == "/sign-in/?next=/preferences/"
    assert "Your session has ended" in text_of(client.get(answer["Location"]))


def test_a_person_who_never_signed_in_is_told_nothing_of_a_session(client: Client, db: None) -> None:
    assert "session" not in text_of(client.get("/preferences/", follow=True))


@pytest.mark.parametrize("key", ["session_key", "session_data"])
def test_what_opens_a_session_is_on_no_page(ada: Member, key: str) -> None:
    client = enter_as_ada()
    row = MemberSession.objects.get(member=ada)
    for path in ("/sessions/", f"/team/{ada.pk}/sessions/", "/team/", "/audit/", "/preferences/"):
        assert getattr(row, key) not in client.get(path).content.decode()
