import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from portal.accounts import services as team
from portal.accounts.models import Member, MemberSession
from portal.accounts.services import LastAdminError, change_role
from portal.accounts.sessions.services import end_sessions
from portal.audit.models import Action, Event
from portal.core.permissions import Role
from portal.credentials.models import Credential
from tests.conftest import PASSWORD, enter


@pytest.fixture
def as_ada(client: Client, ada: Member) -> Client:
    enter(client, ada)
    return client


def text_of(response: Any) -> str:
    return str(response.content.decode())


def row_of(text: str, name: str) -> str:
    return text.split(f'data-member="{name}"')[1].split("</tr>", maxsplit=1)[0]


def words_of(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_members_are_listed_with_role_state_sign_in_and_credentials(as_ada: Client, otto: Member, vera: Member) -> None:
    Member.objects.filter(pk=vera.pk).update(is_active=False)
    Credential.objects.create(
        member=otto,
        region="sao2",
        kind="bearer",
        encrypted=b"ENCRYPTED-BYTES",
        fingerprint="f1n9e7p71n7",
        created_at=timezone.now(),
    )
    text = text_of(as_ada.get("/team/"))
    assert "Deactivated" in row_of(text, "vera")
    assert "Reactivate" in row_of(text, "vera")
    assert "Operator" in row_of(text, "otto")
    assert "Never" in row_of(text, "otto")
    assert "spo1: None" in words_of(row_of(text, "otto"))
    assert "sao2: Can't be decrypted" in unescape(words_of(row_of(text, "otto")))
    assert "<time" in row_of(text, "ada")
    assert "(you)" in row_of(text, "ada")
    assert "ENCRYPTED-BYTES" not in text
    assert "f1n9e7p71n7" not in text


def test_the_last_admin_is_not_offered_what_they_cannot_do(as_ada: Client, ada: Member, otto: Member) -> None:
    assert "Last admin" in row_of(text_of(as_ada.get("/team/")), "ada")
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN)
    text = text_of(as_ada.get("/team/"))
    assert "Last admin" not in text
    assert f"/team/{ada.pk}/deactivate/" in text


def test_an_admin_changes_a_role_and_it_is_on_record(as_ada: Client, ada: Member, vera: Member) -> None:
    page = text_of(as_ada.get(f"/team/{vera.pk}/role/"))
    assert 'value="viewer"' in page
    response = as_ada.post(f"/team/{vera.pk}/role/", {"role": "operator"}, follow=True)
    vera.refresh_from_db()
    assert vera.role == Role.OPERATOR
    assert "vera is now Operator." in text_of(response)
    event = Event.objects.get(act=Action.ROLE_CHANGED)
    assert (event.name, event.subject) == ("ada", "vera: viewer → operator")


def test_the_same_role_again_changes_nothing_and_is_not_on_record(as_ada: Client, vera: Member) -> None:
    as_ada.post(f"/team/{vera.pk}/role/", {"role": "viewer"})
    assert not Event.objects.filter(act=Action.ROLE_CHANGED).exists()


@pytest.mark.parametrize("data", [{}, {"role": "owner"}, {"role": ""}])
def test_a_role_that_is_none_is_named_beside_the_field(as_ada: Client, vera: Member, data: dict[str, str]) -> None:
    response = as_ada.post(f"/team/{vera.pk}/role/", data)
    assert response.status_code == 422
    assert "id_role_error" in text_of(response)
    vera.refresh_from_db()
    assert vera.role == Role.VIEWER


def test_the_last_admin_cannot_be_demoted(as_ada: Client, ada: Member) -> None:
    response = as_ada.post(f"/team/{ada.pk}/role/", {"role": "viewer"})
    assert response.status_code == 422
    assert "ada is the last admin" in text_of(response)
    ada.refresh_from_db()
    assert ada.role == Role.ADMIN


def test_the_last_admin_cannot_be_deactivated(as_ada: Client, ada: Member) -> None:
    response = as_ada.post(f"/team/{ada.pk}/deactivate/")
    assert response.status_code == 422
    assert "ada is the last admin" in text_of(response)
    ada.refresh_from_db()
    assert ada.is_active


def test_a_deactivated_admin_does_not_count_as_one(as_ada: Client, ada: Member, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN, is_active=False)
    assert as_ada.post(f"/team/{ada.pk}/role/", {"role": "viewer"}).status_code == 422


def test_an_admin_who_steps_down_lands_where_they_may_be(as_ada: Client, ada: Member, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN)
    response = as_ada.post(f"/team/{ada.pk}/role/", {"role": "operator"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert as_ada.get("/team/").status_code == 403


def test_deactivation_asks_first(as_ada: Client, vera: Member) -> None:
    page = text_of(as_ada.get(f"/team/{vera.pk}/deactivate/"))
    assert "Deactivate vera?" in page
    vera.refresh_from_db()
    assert vera.is_active


def test_deactivation_ends_every_session_of_that_member_and_no_other(as_ada: Client, ada: Member, vera: Member) -> None:
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.force_login(vera)
    keys = [str(browser.session.session_key) for browser in browsers]
    as_ada.post(f"/team/{vera.pk}/deactivate/")
    assert not any(as_ada.session.exists(key) for key in keys)
    assert as_ada.get("/team/").status_code == 200
    as_ada.post(f"/team/{vera.pk}/activate-again/")
    assert browsers[0].get("/preferences/").status_code == 302
    acts = list(Event.objects.filter(subject="vera").order_by("id").values_list("act", "name"))
    assert acts == [(Action.MEMBER_DEACTIVATED, "ada"), (Action.MEMBER_ACTIVATED_AGAIN, "ada")]


def test_deactivating_twice_is_on_record_once(as_ada: Client, vera: Member) -> None:
    for _ in range(2):
        assert as_ada.post(f"/team/{vera.pk}/deactivate/").status_code == 302
    assert Event.objects.filter(act=Action.MEMBER_DEACTIVATED).count() == 1
    for _ in range(2):
        assert as_ada.post(f"/team/{vera.pk}/activate-again/").status_code == 302
    assert Event.objects.filter(act=Action.MEMBER_ACTIVATED_AGAIN).count() == 1


def test_an_admin_who_deactivates_themselves_is_signed_out(as_ada: Client, ada: Member, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN)
    response = as_ada.post(f"/team/{ada.pk}/deactivate/", follow=True)
    assert response.redirect_chain[-1][0] == "/sign-in/"
    assert as_ada.get("/team/").status_code == 302


def test_so_they_are_when_they_took_their_time(
    client: Client, ada: Member, otto: Member, clock: time_machine.Traveller
) -> None:
    Member.objects.filter(pk=otto.pk).update(role=Role.ADMIN)
    client.post("/sign-in/", {"login": "ada", "password": PASSWORD})
    clock.shift(timedelta(minutes=2))
    client.post("/second-factor/again/", {"password": PASSWORD})
    response = client.post(f"/team/{ada.pk}/deactivate/", follow=True)
    assert response.redirect_chain[-1][0] == "/sign-in/"
    assert "ada was deactivated" in text_of(response)


@pytest.mark.parametrize("path", ["role", "deactivate", "activate-again"])
def test_a_member_who_is_not_there_is_not_found(as_ada: Client, path: str) -> None:
    assert as_ada.post(f"/team/999/{path}/", {"role": "viewer"}).status_code == 404


def test_a_member_who_lost_their_rights_while_waiting_is_refused(
    ada: Member, otto: Member, vera: Member, rf: Any
) -> None:
    with pytest.raises(PermissionDenied):
        change_role(vera.pk, Role.ADMIN, by=otto, request=rf.post("/"))
    with pytest.raises(LastAdminError):
        change_role(ada.pk, Role.VIEWER, by=ada, request=rf.post("/"))


def test_that_is_on_record_as_any_refusal(as_ada: Client, vera: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lose them after the middleware has let them through."""
    view = team.change_role

    def lose_first(*args: Any, **options: Any) -> Member:
        Member.objects.filter(username="ada").update(role=Role.OPERATOR)
        return view(*args, **options)

    monkeypatch.setattr(team, "change_role", lose_first)
    assert as_ada.post(f"/team/{vera.pk}/role/", {"role": "admin"}).status_code == 403
    event = Event.objects.get(act=Action.ACCESS_REFUSED)
    assert (event.name, event.subject) == ("ada", f"POST /team/{vera.pk}/role/")


def test_sessions_that_cannot_be_read_are_left_alone(client: Client, vera: Member) -> None:
    client.force_login(vera)
    MemberSession.objects.create(session_key="broken", session_data="x", expire_date=timezone.now().replace(year=2100))
    assert end_sessions(vera) == 1
    assert MemberSession.objects.filter(session_key="broken").exists()


@pytest.mark.parametrize("name", ["ada", "ADA", "Ada"])
def test_names_differ_in_more_than_case(ada: Member, name: str) -> None:
    member = Member(username=name, password="x")
    with pytest.raises(ValidationError, match="This user name is taken"):
        member.full_clean()


def test_email_addresses_are_kept_in_lower_case(db: None) -> None:
    assert Member.objects.create_user("Eve", "Eve@Example.COM").email == "eve@example.com"
