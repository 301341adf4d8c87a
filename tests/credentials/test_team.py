"""The team's credential: set by an admin, used by members without their own, and labelled wherever it is used."""

import io
import logging
import re
from html import unescape
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.bycloud import BearerToken, Region
from portal.core.crypto import CryptoError
from portal.credentials import vault
from portal.credentials.models import Credential
from portal.credentials.status import read_status
from portal.sandbox.server import Sandbox
from tests.conftest import PASSWORD, enter
from tests.credentials.rows import keep
from tests.journeys.pages import detail_url, refresh
from tests.upstream import Upstream

LIST, EDIT, REMOVE = "/team/credentials/", "/team/credentials/spo1/", "/team/credentials/spo1/remove/"
INSTANCES = "/spo1/instances/"
ACME, GLOBEX = BearerToken("sandbox-acme-token"), BearerToken("sandbox-globex-token")
TOKEN = {"kind": "bearer", "token": "sandbox-globex-token"}
SPO1 = Region("spo1", "http://127.0.0.1:1")
MARK = "You are using your team's credential for spo1"


def words_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", unescape(response.content.decode())).split())


@pytest.fixture
def as_ada(ada: Member, sandbox: Sandbox) -> Client:
    client = Client()
    enter(client, ada)
    return client


def test_an_admin_sets_it_and_that_is_on_record_as_the_teams(as_ada: Client, ada: Member) -> None:
    response = as_ada.post(EDIT, TOKEN, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    row = Credential.objects.get()
    assert row.is_team
    assert "12 instances" in words_of(response)
    event = Event.objects.get(act=Action.TEAM_CREDENTIAL_SET)
    assert (event.member, event.subject) == (ada, f"spo1 {row.fingerprint} (team)")
    assert not Event.objects.filter(act=Action.CREDENTIAL_SET).exists()


def test_the_admins_own_password_is_refused_before_anything_is_sent_or_stored(
    as_ada: Client, upstream: Upstream
) -> None:
    response = as_ada.post(EDIT, {**TOKEN, "token": PASSWORD})
    assert "your password for the portal" in words_of(response)
    assert upstream.requests() == []
    assert not Credential.objects.exists()


def test_replacing_keeps_one_row_and_removing_is_on_record(as_ada: Client, ada: Member) -> None:
    as_ada.post(EDIT, TOKEN)
    as_ada.post(EDIT, {**TOKEN, "token": "sandbox-acme-token"})
    row = Credential.objects.get()
    assert "150 instances" in words_of(as_ada.get(LIST))
    as_ada.post(REMOVE)
    assert not Credential.objects.exists()
    event = Event.objects.get(act=Action.TEAM_CREDENTIAL_REMOVED)
    assert (event.member, event.subject) == (ada, f"spo1 {row.fingerprint} (team)")


def test_checking_it_again_stays_on_its_own_page(as_ada: Client) -> None:
    keep(None, GLOBEX)
    response = as_ada.post(f"{EDIT}check/", follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert "The credential for spo1 is valid" in words_of(response)


def test_who_has_none_of_their_own_sees_with_it_and_is_told_so(viewer_client: Client, vera: Member) -> None:
    keep(None, GLOBEX)
    response = viewer_client.get(INSTANCES)
    assert "of 12" in words_of(response)
    assert MARK in words_of(response)
    assert 'href="/credentials/spo1/"' in response.content.decode()
    found = re.search(r'<tr data-instance-id="([^"]*)"', response.content.decode())
    assert found
    assert MARK in words_of(viewer_client.get(f"{INSTANCES}{found[1]}/"))
    assert "None (team credential is used)" in words_of(viewer_client.get("/credentials/"))


def test_their_own_goes_before_it_and_no_mark_is_left(viewer_client: Client, vera: Member) -> None:
    keep(None, GLOBEX)
    keep(vera, ACME)
    response = viewer_client.get(INSTANCES)
    assert "of 150" in words_of(response)
    assert MARK not in words_of(response)


def test_log_lines_say_whose_it_was(viewer_client: Client, vera: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = next(handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    monkeypatch.setattr(handler, "stream", lines := io.StringIO())
    keep(None, GLOBEX)
    viewer_client.get(INSTANCES)
    assert '"key_owner": "team"' in lines.getvalue()
    keep(vera, ACME)
    viewer_client.get(INSTANCES)
    assert '"key_owner": "member"' in lines.getvalue()


def test_it_never_steps_in_for_one_that_is_refused_or_cannot_be_opened(
    viewer_client: Client, vera: Member, settings: Settings
) -> None:
    keep(vera, BearerToken("a-token-nobody-gave-out"))
    keep(None, GLOBEX)
    assert viewer_client.get(INSTANCES).status_code == 403
    key = settings.CREDENTIAL_KEYS[0]
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    Credential.objects.filter(member=None).delete()
    keep(None, GLOBEX)
    assert viewer_client.get(INSTANCES).status_code == 409
    settings.CREDENTIAL_KEYS = [key]


@pytest.mark.parametrize(
    ("token", "words", "way_on"),
    [
        ("a-token-nobody-gave-out", "ByCloud rejected your team's token", "Add your own"),
        ("sandbox-forbidden-token", "Your team's ByCloud token isn't allowed to list instances", "Retry"),
    ],
)
def test_when_it_is_refused_the_page_says_whose_it_is_and_whom_to_ask(
    viewer_client: Client, token: str, words: str, way_on: str
) -> None:
    keep(None, BearerToken(token))
    response = viewer_client.get(INSTANCES)
    assert response.status_code == 403
    notice = words_of(response).split(words)[-1]
    assert "An admin can replace it" in notice
    assert way_on in notice
    assert "Your ByCloud token" not in words_of(response)


def test_its_expiry_is_said_as_the_teams(viewer_client: Client) -> None:
    keep(None, GLOBEX, expires_on="2020-01-31")
    words = words_of(viewer_client.get(INSTANCES))
    assert "The team's credential for spo1 expired on 31 Jan 2020" in words
    assert "of 12" in words


def test_an_open_page_that_refreshes_itself_says_so_when_another_credential_is_used(
    viewer_client: Client, vera: Member
) -> None:
    keep(None, GLOBEX)
    instance = detail_url(viewer_client.get(INSTANCES))
    for address in (INSTANCES, instance):
        page = viewer_client.get(address)
        assert refresh(viewer_client, page).status_code == 204
        own = keep(vera, GLOBEX)
        assert refresh(viewer_client, page).status_code == 200
        own.delete()


def test_its_pages_are_those_of_the_same_credential_entered_by_a_member(
    viewer_client: Client, ada: Member, upstream: Upstream
) -> None:
    keep(None, GLOBEX)
    keep(ada, GLOBEX)
    viewer_client.get(INSTANCES)
    asked = len(upstream.requests())
    client = Client()
    enter(client, ada)
    client.get(INSTANCES)
    assert len(upstream.requests()) == asked


def test_an_export_with_it_is_on_record_as_such(viewer_client: Client, vera: Member) -> None:
    row = keep(None, GLOBEX)
    viewer_client.post(f"{INSTANCES}export/", {"format": "csv"})
    subject = Event.objects.get(act=Action.INSTANCES_EXPORTED).subject
    assert f"csv with the team's credential {row.fingerprint}" in subject
    keep(vera, ACME)
    viewer_client.post(f"{INSTANCES}export/", {"format": "csv"})
    assert "team" not in Event.objects.filter(act=Action.INSTANCES_EXPORTED)[0].subject


@pytest.mark.parametrize("path", [LIST, EDIT, REMOVE, f"{EDIT}check/"])
def test_no_one_but_an_admin_comes_near_it(viewer_client: Client, otto: Member, path: str) -> None:
    row = keep(None, GLOBEX)
    for member in (None, otto):
        if member:
            viewer_client.force_login(member)
        assert viewer_client.get(path).status_code == 403
        assert viewer_client.post(path, TOKEN).status_code == 403
    assert Credential.objects.get() == row


def test_a_members_own_pages_never_touch_it(viewer_client: Client, vera: Member) -> None:
    row = keep(None, GLOBEX)
    viewer_client.post("/credentials/spo1/remove/")
    viewer_client.post("/credentials/spo1/", {"kind": "bearer", "token": "sandbox-acme-token", "member": ""})
    assert Credential.objects.get(member=None).fingerprint == row.fingerprint
    assert Credential.objects.get(member=vera).fingerprint != row.fingerprint
    assert row.fingerprint not in viewer_client.get("/credentials/").content.decode()


def test_an_admins_page_of_the_team_never_touches_their_own(as_ada: Client, ada: Member) -> None:
    own = keep(ada, ACME)
    as_ada.post(EDIT, TOKEN)
    as_ada.post(REMOVE)
    assert Credential.objects.get() == own


def test_what_is_encrypted_for_the_team_opens_for_no_member_and_the_other_way_round(vera: Member) -> None:
    for member_id, other in ((None, vera.pk), (vera.pk, None)):
        encrypted = vault.encrypt(ACME, member_id=member_id, region="spo1")
        assert vault.decrypt(encrypted, member_id=member_id, region="spo1") == ACME
        with pytest.raises(CryptoError):
            vault.decrypt(encrypted, member_id=other, region="spo1")
    with pytest.raises(CryptoError):
        vault.decrypt(vault.encrypt(ACME, member_id=None, region="spo1"), member_id=None, region="sao2")


def test_a_members_row_that_is_made_the_teams_in_the_database_does_not_open(vera: Member, otto: Member) -> None:
    keep(vera, ACME)
    Credential.objects.update(member=None)
    with pytest.raises(CryptoError):
        vault.resolve_credential(otto, SPO1)


def test_there_is_one_for_each_region(db: None) -> None:
    keep(None, ACME)
    keep(None, ACME, region="sao2")
    with pytest.raises(IntegrityError), transaction.atomic():
        keep(None, GLOBEX)


def test_the_team_page_says_who_uses_it(as_ada: Client, vera: Member) -> None:
    keep(None, GLOBEX)
    cell = as_ada.get("/team/").content.decode().split('data-member="vera"')[1].split("</tr>")[0]
    assert "The team's" in unescape(cell)


def test_it_can_be_set_on_the_command_line(db: None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("sandbox-globex-token"))
    out = io.StringIO()
    given = ["--team", "--region", "spo1", "--kind", "bearer", "--expires", "2099-01-31"]
    call_command("set_credential", *given, stdout=out)
    row = Credential.objects.get()
    assert (row.is_team, str(row.expires_on)) == (True, "2099-01-31")
    event = Event.objects.get(act=Action.TEAM_CREDENTIAL_SET)
    assert (event.name, event.subject) == ("command line", str(row))


@pytest.mark.parametrize("given", [["vera", "--team"], []])
def test_the_command_wants_a_member_or_the_team(vera: Member, given: list[str]) -> None:
    with pytest.raises(CommandError, match="Specify a member or --team"):
        call_command("set_credential", *given, "--region", "spo1", "--kind", "bearer")


def test_rotation_seals_it_anew_and_names_it_when_it_cannot(db: None, settings: Settings) -> None:
    keep(None, ACME)
    newest = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [newest, *settings.CREDENTIAL_KEYS]
    out = io.StringIO()
    call_command("rotate_credential_keys", stdout=out)
    assert "Re-encrypted: 1" in out.getvalue()
    settings.CREDENTIAL_KEYS = [newest]
    assert read_status(Credential.objects.get()).can_open
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError):
        call_command("rotate_credential_keys", stdout=out)
    assert "the team, spo1" in out.getvalue()
