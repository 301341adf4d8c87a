"""Admins must confirm access before they manage other members; a session alone is not enough."""

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from portal.accounts.models import Invitation, Member, MemberSession
from portal.audit.models import Action, Event
from portal.bycloud import BearerToken
from portal.credentials.models import Credential
from portal.sandbox.server import Sandbox
from tests.conftest import PASSWORD
from tests.credentials.rows import keep

AGAIN = "/second-factor/again/"
EDIT, REMOVE = "/team/credentials/spo1/", "/team/credentials/spo1/remove/"
TOKEN = {"kind": "bearer", "token": "sandbox-globex-token"}
ACTS: list[tuple[str, dict[str, str]]] = [
    ("/team/invitations/", {"name": "Eve", "role": "viewer"}),
    ("/team/{vera}/role/", {"role": "operator"}),
    ("/team/{vera}/deactivate/", {}),
    ("/team/{gone}/activate-again/", {}),
    ("/team/{vera}/password/", {}),
    ("/team/{vera}/sessions/end/", {}),
    (REMOVE, {}),
]


@pytest.fixture
def gone(db: None) -> Member:
    return Member.objects.create_user("gone", is_active=False)


@pytest.fixture
def as_ada(client: Client, ada: Member) -> Client:
    client.force_login(ada)
    return client


def take_stock() -> Any:
    """All that these acts change."""
    members = list(Member.objects.order_by("pk").values("pk", "role", "is_active"))
    counts = [model.objects.count() for model in (Invitation, Credential)]
    links = Event.objects.filter(act=Action.PASSWORD_LINK_MADE).count()
    return members, counts, links, MemberSession.objects.filter(member__username="vera").count()


@pytest.mark.parametrize(("path", "data"), ACTS)
def test_it_waits_for_the_proof_and_is_done_right_after(
    as_ada: Client, vera: Member, gone: Member, path: str, data: dict[str, str]
) -> None:
    keep(None, BearerToken("sandbox-acme-token"))
    Client().force_login(vera)
    path = path.format(vera=vera.pk, gone=gone.pk)
    before = take_stock()
    asked = as_ada.post(path, data)
    assert asked["Location"] == f"{AGAIN}?next={path.replace('/', '%2F')}"
    assert take_stock() == before
    assert as_ada.post(asked["Location"], {"password": "wrong"}).status_code == 200
    assert take_stock() == before
    as_ada.post(asked["Location"], {"password": PASSWORD})
    assert take_stock() != before


@pytest.mark.parametrize(("path", "data"), ACTS)
def test_a_member_who_lost_their_role_meanwhile_is_refused(
    as_ada: Client, vera: Member, gone: Member, path: str, data: dict[str, str]
) -> None:
    keep(None, BearerToken("sandbox-acme-token"))
    Client().force_login(vera)
    asked = as_ada.post(path.format(vera=vera.pk, gone=gone.pk), data)
    Member.objects.filter(username="ada").update(role="operator")
    before = take_stock()
    assert as_ada.post(asked["Location"], {"password": PASSWORD}).status_code == 403
    assert take_stock() == before
    assert Event.objects.filter(act=Action.ACCESS_REFUSED, name="ada").count() == 1


def test_an_invitation_asks_before_its_form_is_filled_in(as_ada: Client) -> None:
    asked = as_ada.get("/team/invitations/")
    assert asked["Location"] == f"{AGAIN}?next=%2Fteam%2Finvitations%2F"
    form = as_ada.post(asked["Location"], {"password": PASSWORD}, follow=True)
    assert 'name="email"' in form.content.decode()
    assert as_ada.get("/team/invitations/").status_code == 200


def test_cancelling_leads_back_to_the_team(as_ada: Client, vera: Member) -> None:
    page = as_ada.post(f"/team/{vera.pk}/password/", follow=True).content.decode()
    assert '<a href="/team/">Cancel</a>' in page
    assert '<a href="/second-factor/">Cancel</a>' in as_ada.get(AGAIN).content.decode()
    assert '<a href="/second-factor/">Cancel</a>' in as_ada.get(f"{AGAIN}?next=/nothing/").content.decode()


def test_who_has_nothing_to_prove_with_is_not_asked(as_ada: Client, ada: Member, vera: Member) -> None:
    """The member signed in by single sign-on."""
    ada.set_unusable_password()
    ada.save()
    as_ada.force_login(ada)
    assert as_ada.post(f"/team/{vera.pk}/role/", {"role": "operator"})["Location"] == "/team/"


class TestTheTeamsCredential:
    def test_the_proof_comes_before_the_form(self, as_ada: Client, sandbox: Sandbox) -> None:
        asked = as_ada.get(f"{EDIT}?next=/spo1/instances/")
        assert asked["Location"].startswith(AGAIN)
        back = as_ada.post(asked["Location"], {"password": PASSWORD})
        assert back["Location"] == f"{EDIT}?next=/spo1/instances/"
        assert as_ada.get(back["Location"]).status_code == 200
        assert as_ada.post(EDIT, TOKEN).status_code == 302
        assert Credential.objects.count() == 1

    def test_what_is_sent_without_one_is_kept_nowhere(self, as_ada: Client, ada: Member, sandbox: Sandbox) -> None:
        asked = as_ada.post(EDIT, TOKEN)
        assert asked["Location"].startswith(AGAIN)
        kept = json.dumps(dict(as_ada.session.items())) + "".join(as_ada.cookies.output())
        assert TOKEN["token"] not in kept
        page = as_ada.post(asked["Location"], {"password": PASSWORD}, follow=True)
        assert page.redirect_chain == [(EDIT, 302)]
        assert "Nothing was saved" in page.content.decode()
        assert not Credential.objects.exists()

    def test_it_is_asked_for_with_the_second_factor_where_there_is_one(self, as_ada: Client, ada: Member) -> None:
        Authenticator.objects.create(user=ada, type="totp", data={"secret": "x"})
        assert as_ada.get(EDIT)["Location"].startswith(f"{AGAIN}code/")
