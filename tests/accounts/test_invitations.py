import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts import services
from portal.accounts.models import Invitation, Member
from portal.audit.models import Action, Event
from portal.core.permissions import Role
from tests.conftest import PASSWORD, enter

EVE = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}


def text_of(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def as_ada(client: Client, ada: Member) -> Client:
    enter(client, ada)
    return client


@pytest.fixture
def link(as_ada: Client) -> str:
    """The path of Eve's link, as operator."""
    return make_link(as_ada)


def make_link(client: Client, **fields: str) -> str:
    data = {"name": "Eve Adams", "email": "Eve@Example.com", "role": "operator"} | fields
    found = re.search(
        r'id="invitation-link">http://testserver(/invitations/[\w-]+/)<',
        text_of(client.post("/team/invitations/", data)),
    )
    assert found
    return found[1]


def test_the_link_is_shown_once_and_kept_nowhere(as_ada: Client, link: str) -> None:
    token = link.split("/")[2]
    assert len(token) == 43
    assert token not in text_of(as_ada.get("/team/"))
    assert token not in repr(list(Invitation.objects.values()))
    assert token not in repr(list(Event.objects.values()))
    assert token not in repr(as_ada.cookies)
    assert token not in repr(dict(as_ada.session))


def test_the_page_with_the_link_has_a_copy_button_and_says_until_when(as_ada: Client) -> None:
    text = text_of(as_ada.post("/team/invitations/", {"name": "Eve", "role": "viewer"}))
    assert "data-copy=" in text
    assert "It is shown only once" in text
    assert "Expires" in text


def test_the_page_behind_the_link_names_the_address_that_an_admin_typed_in(link: str) -> None:
    """An admin who types their own could have a link for the new member's password sent there."""
    assert "Links for a forgotten password will go to eve@example.com." in text_of(Client().get(link))
    Invitation.objects.update(email="")
    assert "Links for a forgotten password" not in text_of(Client().get(link))


def test_a_person_who_has_the_link_chooses_name_and_password_and_joins(link: str) -> None:
    browser = Client()
    assert "ada invites Eve Adams as Operator" in text_of(browser.get(link))
    response = browser.post(link, EVE, follow=True)
    assert response.redirect_chain == [("/sign-in/", 302)]
    assert "Welcome, eve." in text_of(response)
    eve = Member.objects.get(username="eve")
    assert (eve.role, eve.email, eve.is_active) == (Role.OPERATOR, "eve@example.com", True)
    assert browser.post("/sign-in/", {"login": "eve", "password": PASSWORD}).status_code == 302
    acts = list(Event.objects.exclude(act=Action.SIGNED_IN).order_by("id").values_list("act", "name", "subject"))
    assert acts == [
        (Action.MEMBER_INVITED, "ada", "Eve Adams (operator)"),
        (Action.MEMBER_ACTIVATED, "eve", "Eve Adams (operator)"),
    ]


def test_a_link_works_once(link: str) -> None:
    Client().post(link, EVE)
    assert Client().get(link).status_code == 404
    again = Client().post(link, EVE | {"username": "mallory"})
    assert again.status_code == 404
    assert "This invitation is not valid" in text_of(again)
    assert not Member.objects.filter(username="mallory").exists()


def test_a_link_expires(link: str, settings: Settings) -> None:
    late = timezone.now() + settings.INVITATION_LIFETIME + timedelta(seconds=1)
    with time_machine.travel(late):
        assert Client().get(link).status_code == 404
        assert Client().post(link, EVE).status_code == 404
    assert not Member.objects.filter(username="eve").exists()


def test_a_revoked_link_is_worth_nothing(as_ada: Client, link: str) -> None:
    pk = Invitation.objects.get().pk
    assert "Eve Adams" in text_of(as_ada.get("/team/"))
    response = as_ada.post(f"/team/invitations/{pk}/revoke/", follow=True)
    assert "Invitation for Eve Adams revoked." in text_of(response)
    assert Client().get(link).status_code == 404
    assert Event.objects.filter(act=Action.INVITATION_REVOKED, subject="Eve Adams", name="ada").count() == 1
    assert "no longer pending" in text_of(as_ada.post(f"/team/invitations/{pk}/revoke/", follow=True))
    assert Event.objects.filter(act=Action.INVITATION_REVOKED).count() == 1


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": Role.OPERATOR}])
def test_the_links_of_someone_who_may_not_invite_any_more_are_worth_nothing(
    link: str, ada: Member, change: dict[str, Any]
) -> None:
    Member.objects.filter(pk=ada.pk).update(**change)
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("token", ["x", "x" * 43, "%00", "a b", "é"])
def test_a_link_no_one_made_is_the_same_page(client: Client, db: None, token: str) -> None:
    response = client.get(f"/invitations/{token}/")
    assert response.status_code == 404
    assert "This invitation is not valid" in text_of(response)


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"username": "ada"}, "username", "This user name is taken."),
        ({"username": "ADA"}, "__all__", "This user name is taken."),
        ({"username": "eve@example.com"}, "username", "Use letters a to z, digits and . + - _ only."),
        ({"username": ""}, "username", "This field is required."),
        ({"password1": "short", "password2": "short"}, "password1", "at least 12 characters"),
        ({"password1": "password1234", "password2": "password1234"}, "password1", "too common"),
        ({"password2": PASSWORD + "x"}, "password2", "match"),
        ({"username": PASSWORD}, "password1", "too similar"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(link: str, change: dict[str, str], field: str, sentence: str) -> None:
    response = Client().post(link, EVE | change)
    assert response.status_code == 422
    assert sentence in text_of(response)
    where = "nonfield" if field == "__all__" else f'id="id_{field}_error'
    beside = re.search(rf'{where}">(.*?)</ul>', text_of(response), re.DOTALL)
    assert beside
    assert sentence in beside[1]
    assert PASSWORD not in text_of(response).replace(f'value="{PASSWORD}"', "") or change.get("username") == PASSWORD
    assert Member.objects.count() == 1
    assert Client().get(link).status_code == 200


def test_a_person_who_is_signed_in_is_asked_to_sign_out_first(as_ada: Client, link: str) -> None:
    text = text_of(as_ada.get(link))
    assert "you are signed in as ada" in text
    as_ada.post(link, EVE)
    assert Member.objects.count() == 1


def test_an_email_address_that_came_to_belong_to_another_is_refused(link: str, vera: Member) -> None:
    Member.objects.filter(pk=vera.pk).update(email="eve@example.com")
    response = Client().post(link, EVE)
    assert response.status_code == 422
    assert "This user name or e-mail address is already in use" in text_of(response)
    assert Invitation.objects.get().used_at is None


def test_an_invitation_that_goes_while_the_form_is_checked_is_gone(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    accept = services.accept_invitation

    def take_first(token: str, member: Member, **rest: Any) -> Member:
        Invitation.objects.all().delete()
        return accept(token, member, **rest)

    monkeypatch.setattr(services, "accept_invitation", take_first)
    response = Client().post(link, EVE)
    assert response.status_code == 404
    assert not Member.objects.filter(username="eve").exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"email": "no"}, "email"),
        ({"role": "owner"}, "role"),
        ({"email": "ADA@example.com"}, "email"),
    ],
)
def test_an_invitation_that_cannot_be_is_refused_beside_its_field(
    as_ada: Client, fields: dict[str, str], field: str
) -> None:
    response = as_ada.post("/team/invitations/", {"name": "Eve", "email": "", "role": "viewer"} | fields)
    assert response.status_code == 422
    assert f"id_{field}_error" in text_of(response)
    assert not Invitation.objects.exists()


def test_an_address_with_a_pending_invitation_is_not_invited_again(as_ada: Client, link: str) -> None:
    again = {"name": "Eve", "email": "EVE@example.com", "role": "viewer"}
    response = as_ada.post("/team/invitations/", again)
    assert response.status_code == 422
    assert "An invitation for this address is pending until" in text_of(response)
    assert 'value="EVE@example.com"' in text_of(response)
    as_ada.post(f"/team/invitations/{Invitation.objects.get().pk}/revoke/")
    assert as_ada.post("/team/invitations/", again).status_code == 200


def test_the_form_for_an_invitation_starts_with_the_smallest_role(as_ada: Client) -> None:
    assert '<option value="viewer" selected>' in text_of(as_ada.get("/team/invitations/"))


def test_an_invitation_is_called_by_whom_it_is_for() -> None:
    assert str(Invitation(name="Eve")) == "Eve"
