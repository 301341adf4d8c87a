"""After a password link, a reset of two-factor authentication or a new single sign-on link, stored credentials are
paused until they are entered again.
"""

import re
import threading
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member, PauseReason
from portal.audit.models import Action, Event
from portal.bycloud import BearerToken, Region
from portal.core.crypto import CryptoError
from portal.credentials import vault
from portal.credentials.models import Credential
from tests.accounts.test_passwords import NEW, choose, make_link, wait_for_mail
from tests.accounts.test_sessions import enter_as_ada, sign_in, text_of
from tests.conftest import PASSWORD
from tests.credentials.rows import keep
from tests.upstream import Upstream

TOKEN = BearerToken("sandbox-acme-token")
LIST = "/spo1/instances/"
EDIT = "/credentials/spo1/"


@pytest.fixture
def kept(vera: Member, ada: Member) -> Credential:
    """Vera's, and others that are not used here."""
    keep(ada, TOKEN)
    keep(None, TOKEN)
    return keep(vera, TOKEN)


def become(name: str) -> Client:
    client = Client()
    assert client.post("/sign-in/", {"login": name, "password": NEW}).status_code == 302
    return client


def list_paused() -> dict[str, str]:
    return {str(row.member): row.pause for row in Credential.objects.exclude(pause="")}


def list_notices() -> list[str]:
    for thread in threading.enumerate():
        if thread.name == "mail":
            thread.join(10)
    return [str(message.body) for message in mail.outbox]


class TestAnAdminWhoMakesALink:
    def test_gets_no_rows_with_the_members_credential(
        self, ada: Member, vera: Member, kept: Credential, upstream: Upstream
    ) -> None:
        link = make_link(vera, enter_as_ada())
        assert list_paused() == {}
        choose(Client(), link)
        client = become("vera")
        page = text_of(client.get(LIST))
        assert "Your credential for spo1 is paused: your password was set through a link." in page
        assert 'name="token"' in client.get(LIST).content.decode()
        assert "data-instance-id" not in client.get(LIST).content.decode()
        for address in (f"{LIST}export/", f"{LIST}refresh/", "/credentials/spo1/check/"):
            client.post(address, {"format": "csv"})
        assert upstream.requests() == []
        assert list_paused() == {"vera": PauseReason.PASSWORD}

    def test_leaves_what_is_paused_until_it_is_entered_again(
        self, ada: Member, vera: Member, kept: Credential, upstream: Upstream
    ) -> None:
        choose(Client(), make_link(vera, enter_as_ada()))
        client = become("vera")
        listed = text_of(client.get("/credentials/"))
        assert "Paused; enter it again" in listed
        assert "Check again" not in listed
        assert "Your credential for spo1 is paused" in text_of(client.get(EDIT))
        assert "It is used until you replace it. It can't be shown again" not in text_of(client.get(EDIT))
        client.post(EDIT, {"kind": "bearer", "token": "sandbox-acme-token"})
        assert list_paused() == {}
        assert "data-instance-id" in client.get(LIST).content.decode()

    def test_is_on_record_with_what_was_paused_and_why(self, ada: Member, vera: Member, kept: Credential) -> None:
        keep(vera, TOKEN, "sao2")
        choose(Client(), make_link(vera, enter_as_ada()))
        (event,) = Event.objects.filter(act=Action.CREDENTIAL_PAUSED)
        assert (event.name, event.subject) == ("vera", "vera: sao2, spo1 (a password set through a link)")
        assert event.address

    def test_does_so_in_the_sight_of_the_other_admins(self, ada: Member, vera: Member, kept: Credential) -> None:
        admin = enter_as_ada()
        choose(Client(), make_link(vera, admin))
        assert "Paused; enter it again" in text_of(admin.get("/team/"))

    def test_is_told_of_to_the_member_by_mail(
        self, ada: Member, vera: Member, kept: Credential, settings: Settings
    ) -> None:
        settings.EMAIL_URL = "submission://mail.example.com"
        Member.objects.filter(pk=vera.pk).update(language="pt-br")
        link = make_link(vera, enter_as_ada())
        (text,) = list_notices()
        assert mail.outbox[0].to == ["vera@example.com"]
        assert "ada" in text
        assert link not in text
        assert "/password/new/" not in text

    def test_sends_nothing_where_there_is_no_server_or_no_address(
        self, ada: Member, vera: Member, otto: Member, settings: Settings
    ) -> None:
        make_link(vera, enter_as_ada())
        settings.EMAIL_URL = "submission://mail.example.com"
        Member.objects.filter(pk=otto.pk).update(email="")
        make_link(otto, enter_as_ada())
        assert list_notices() == []

    def test_with_nothing_to_pause_there_is_nothing_on_record(self, ada: Member, vera: Member) -> None:
        choose(Client(), make_link(vera, enter_as_ada()))
        assert not Event.objects.filter(act=Action.CREDENTIAL_PAUSED).exists()


class TestTheSameOfOtherWays:
    def test_a_link_that_is_mailed_pauses_too_as_no_one_has_confirmed_the_address(
        self, vera: Member, kept: Credential, settings: Settings
    ) -> None:
        """An admin who invites someone types the address in."""
        settings.EMAIL_URL = "submission://mail.example.com"
        Client().post("/password/forgotten/", {"login": "vera"})
        found = re.search(r"http://testserver(/password/new/\S+)", str(wait_for_mail().body))
        assert found
        choose(Client(), found[1])
        assert list_paused() == {"vera": PauseReason.PASSWORD}

    def test_a_second_factor_that_is_reset_pauses_and_is_told(
        self,
        vera: Member,
        kept: Credential,
        settings: Settings,
        upstream: Upstream,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        settings.EMAIL_URL = "submission://mail.example.com"
        Authenticator.objects.create(user=vera, type="totp", data={"secret": "x"})
        admin = enter_as_ada()
        with django_capture_on_commit_callbacks(execute=True):
            admin.post(f"/team/{vera.pk}/second-factor/")
        assert list_paused() == {"vera": PauseReason.SECOND_FACTOR}
        page = text_of(sign_in("vera").get(LIST))
        assert "Your credential for spo1 is paused: your second factor was reset." in page
        assert upstream.requests() == []
        assert "ada" in list_notices()[0]

    def test_a_reset_that_finds_nothing_changes_nothing(self, ada: Member, vera: Member, kept: Credential) -> None:
        enter_as_ada().post(f"/team/{vera.pk}/second-factor/")
        assert list_paused() == {}

    def test_from_the_command_line_it_pauses_too(self, vera: Member, kept: Credential) -> None:
        Authenticator.objects.create(user=vera, type="totp", data={"secret": "x"})
        call_command("reset_second_factor", "vera", stdout=StringIO())
        assert list_paused() == {"vera": PauseReason.SECOND_FACTOR}
        event = Event.objects.get(act=Action.CREDENTIAL_PAUSED)
        assert (event.name, event.subject) == ("command line", "vera: spo1 (a second factor reset)")

    def test_an_account_at_the_provider_that_is_linked_by_hand_pauses_and_is_told(
        self, vera: Member, kept: Credential, settings: Settings, django_capture_on_commit_callbacks: Any
    ) -> None:
        settings.OIDC_ISSUER, settings.OIDC_NAME = "https://login.example.com", "Acme ID"
        settings.EMAIL_URL = "submission://mail.example.com"
        with django_capture_on_commit_callbacks(execute=True):
            call_command("link_single_sign_on", "vera", "s-1", stdout=StringIO())
        assert "The people who run ByCloud Portal" in list_notices()[0]
        assert list_paused() == {"vera": PauseReason.SINGLE_SIGN_ON}
        client = Client()
        client.force_login(Member.objects.get(pk=vera.pk))
        assert "is paused: your account was linked to single sign-on." in text_of(client.get(LIST))


class TestWhatPausesNothing:
    def test_a_password_that_the_member_changes(self, vera: Member, kept: Credential) -> None:
        given = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert sign_in("vera").post("/password/", given).status_code == 302
        assert list_paused() == {}

    def test_deactivation_and_activation(self, ada: Member, vera: Member, kept: Credential) -> None:
        admin = enter_as_ada()
        admin.post(f"/team/{vera.pk}/deactivate/")
        admin.post(f"/team/{vera.pk}/activate-again/")
        assert list_paused() == {}


def test_neither_key_rotation_nor_the_teams_credential_wakes_it(vera: Member, kept: Credential) -> None:
    Credential.objects.filter(pk=kept.pk).update(pause=PauseReason.PASSWORD)
    call_command("rotate_credential_keys", stdout=StringIO())
    with pytest.raises(CryptoError, match="is paused"):
        vault.resolve_credential(vera, Region("spo1", ""))


def test_one_that_is_set_from_the_command_line_is_in_use(
    vera: Member, kept: Credential, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    Credential.objects.filter(pk=kept.pk).update(pause=PauseReason.PASSWORD)
    monkeypatch.setattr("sys.stdin", StringIO("sandbox-acme-token\n"))
    call_command("set_credential", "vera", "--region", "spo1", "--kind", "bearer", stdout=StringIO())
    held: Any = vault.resolve_credential(vera, Region("spo1", ""))
    assert held.credential == TOKEN
