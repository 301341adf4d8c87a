"""Extra fields in forms are ignored: no one gains permissions, and nothing changes its owner."""

from typing import Any

import pytest
from django.forms import model_to_dict
from django.test import Client

from portal.accounts.models import Invitation, Member
from portal.accounts.services import make_invitation
from portal.audit.models import Event
from portal.core.permissions import Role
from portal.credentials.models import Credential
from portal.sandbox.server import Sandbox
from portal.saved_views.models import DefaultView, SavedView
from tests.conftest import PASSWORD, enter
from tests.conventions.test_access import ROUTES

ALLOWED_TO_CHANGE = {
    "theme",
    "time_zone",
    "language",
    "density",
    "first_page",
    "refresh_seconds",
    "shortcuts",
    "columns",
}
EVIL = {
    "role": "admin",
    "is_superuser": "on",
    "is_staff": "on",
    "is_active": "on",
    "groups": "1",
    "user_permissions": "1",
    "username": "mallory",
    "email": "mallory@example.com",
    "password": PASSWORD,
    "new_password1": "another-long-password",
    "new_password2": "another-long-password",
    "last_login": "2000-01-01",
    "date_joined": "2000-01-01",
    "capability": "manage-team",
    "is_default": "on",
    "created_at": "2000-01-01",
    "used_at": "",
    "expires_at": "2100-01-01",
    "token_hash": "0" * 64,
    "fingerprint": "0",
    "encrypted": "0",
}
# What fills a form of a route rightly. A route that is not here gets the evil fields alone.
RIGHT: dict[str, dict[str, str]] = {
    "accounts:preferences": {
        "theme": "dark",
        "time_zone": "UTC",
        "language": "en",
        "density": "compact",
        "first_page": "overview",
        "refresh_seconds": "60",
    },
    "accounts:change_theme": {"theme": "light"},
    "credentials:edit": {"kind": "bearer", "token": "sandbox-globex-token"},
    "instances:change_layout": {"how": "keep", "density": "compact", "columns": "name"},
    "instances:save_view": {"name": "mine", "query_string": ""},
    "instances:export": {"format": "csv"},
    "saved_views:edit": {"name": "renamed"},
}


@pytest.fixture
def view(vera: Member) -> SavedView:
    return SavedView.objects.create(owner=vera, region="spo1", name="old", query="name=web")


def freeze(member: Member) -> dict[str, Any]:
    """All of a member's row but what they may choose for themselves, and what signing in changes."""
    row = model_to_dict(Member.objects.get(pk=member.pk))
    return {name: value for name, value in row.items() if name not in ALLOWED_TO_CHANGE | {"last_login"}}


def aim_at(target: Member) -> dict[str, str]:
    """Every name by which a form could be told whose row it is about."""
    names = ("id", "pk", "member", "member_id", "user", "user_id", "owner", "owner_id", "created_by", "instance")
    return dict.fromkeys(names, str(target.pk))


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if "POST" in route.methods])
def test_a_viewer_gains_nothing_by_any_form(
    ada: Member, vera: Member, view: SavedView, sandbox: Sandbox, name: str
) -> None:
    client = Client()
    client.force_login(vera)
    before = {member.pk: freeze(member) for member in (ada, vera)}
    path = ROUTES[name].path.replace("/views/1/", f"/views/{view.pk}/")
    for where in ("", "?" + "&".join(f"{field}={value}" for field, value in EVIL.items() if value)):
        client.post(path + where, EVIL | aim_at(ada) | RIGHT.get(name, {}))
        client.force_login(vera)
    assert {member.pk: freeze(member) for member in (ada, vera)} == before
    assert Member.objects.count() == 2
    assert not Invitation.objects.exists()
    assert set(Credential.objects.values_list("member", flat=True)) <= {vera.pk}
    assert set(SavedView.objects.values_list("owner", flat=True)) <= {vera.pk}
    assert not Event.objects.exclude(member__in=[vera.pk]).exclude(member=None).exists()
    assert client.get("/team/").status_code == client.get("/audit/").status_code == 403


def test_the_forms_above_were_really_taken(vera: Member, view: SavedView, sandbox: Sandbox) -> None:
    """Else they could not have done any harm in the first place."""
    client = Client()
    client.force_login(vera)
    for name, fields in RIGHT.items():
        path = ROUTES[name].path.replace("/views/1/", f"/views/{view.pk}/")
        assert client.post(path, EVIL | fields).status_code in {200, 302, 303}, name
    vera.refresh_from_db()
    assert (vera.theme, vera.refresh_seconds, vera.columns) == ("light", 60, "name")
    assert set(SavedView.objects.values_list("name", flat=True)) == {"mine", "renamed"}
    assert Credential.objects.get().member == vera


def test_a_guest_takes_the_role_and_address_of_the_invitation_and_no_other(ada: Member) -> None:
    invitation = Invitation(name="Eve", email="eve@example.com", role=Role.VIEWER)
    token = make_invitation(invitation, by=ada, request=Client().get("/sign-in/").wsgi_request)
    fields = EVIL | aim_at(ada) | {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    assert Client().post(f"/invitations/{token}/?role=admin&email=mallory@example.com", fields).status_code == 302
    eve = Member.objects.get(username="eve")
    assert eve.pk != ada.pk
    assert (eve.role, eve.email) == (Role.VIEWER, "eve@example.com")
    assert not eve.is_superuser
    assert not eve.is_staff
    assert freeze(ada)["username"] == "ada"


def test_an_invitation_is_made_by_who_makes_it_and_for_its_time(ada: Member, otto: Member) -> None:
    client = Client()
    enter(client, ada)
    client.post("/team/invitations/", EVIL | aim_at(otto) | {"name": "Eve", "role": "viewer", "email": ""})
    invitation = Invitation.objects.get()
    assert (invitation.created_by, invitation.role, invitation.used_at) == (ada, Role.VIEWER, None)
    assert invitation.token_hash != "0" * 64
    assert invitation.expires_at.year < 2100


def test_the_form_of_a_role_changes_the_role_of_that_member_alone(ada: Member, otto: Member, vera: Member) -> None:
    client = Client()
    enter(client, ada)
    before = {member.pk: freeze(member) for member in (ada, otto)}
    kept = freeze(vera)
    client.post(f"/team/{vera.pk}/role/", EVIL | aim_at(otto) | {"role": "operator"})
    assert {member.pk: freeze(member) for member in (ada, otto)} == before
    assert freeze(vera) == kept | {"role": Role.OPERATOR}


def test_signing_in_changes_nothing_of_the_member(vera: Member) -> None:
    before = freeze(vera)
    client = Client()
    client.post("/sign-in/", EVIL | {"login": "vera", "password": PASSWORD, "remember": "on"})
    assert freeze(vera) == before
    assert client.get("/team/").status_code == 403
    assert not client.cookies["sessionid"]["max-age"]


@pytest.mark.parametrize("path", ["", "default/", "remove/"])
def test_the_view_of_another_member_is_not_there(ada: Member, otto: Member, view: SavedView, path: str) -> None:
    client = Client()
    client.force_login(otto)
    assert client.post(f"/spo1/views/{view.pk}/{path}", EVIL | {"name": "taken"}).status_code == 404
    view.refresh_from_db()
    assert view.name == "old"
    assert not DefaultView.objects.exists()
