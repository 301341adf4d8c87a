"""Two-factor authentication through the pages and forms: setup, sign-in, used codes, removal, loss and reset."""

import re
import time
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from portal.accounts.adapter import FactorAdapter
from portal.accounts.mfa.services import list_recovery_codes
from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.core.crypto import decrypt_text, encrypt_text
from tests.accounts.codes import make_code
from tests.conftest import PASSWORD

PAGE = "/second-factor/"
APP = "/second-factor/app/"
CODES = "/second-factor/recovery-codes/"
ASKED = "/sign-in/second-factor/"
WRONG = "Incorrect code."

pytestmark = pytest.mark.usefixtures("clock")


def sign_in(client: Client, name: str, password: str = PASSWORD, **rest: str) -> Any:
    return client.post("/sign-in/", {"login": name, "password": password, **rest})


def prove(client: Client, address: str) -> None:
    """Go to a page that asks once more who is there, and answer with the password."""
    asked = client.get(address)
    assert asked["Location"].startswith("/second-factor/again/")
    answer = client.post(asked["Location"], {"password": PASSWORD})
    assert answer["Location"] == address


def set_up_app(client: Client) -> str:
    """From the page of second factors to a working app; its secret. Half a minute later, as a code counts once."""
    prove(client, APP)
    secret = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', client.get(APP).content.decode())
    assert secret
    done = client.post(APP, {"code": make_code(secret[1])})
    assert done["Location"] == CODES
    return secret[1]


def read_codes(client: Client) -> list[str]:
    page = client.post(CODES).content.decode()
    return re.findall(r'<code class="mono">(\d{8})</code>', page)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def acts(*wanted: Action) -> list[tuple[str, str, str]]:
    return [(e.act, e.name, e.subject) for e in Event.objects.filter(act__in=wanted).order_by("id")]


@pytest.fixture
def app(client: Client, vera: Member, clock: time_machine.Traveller) -> str:
    """Vera's app. They are signed out again."""
    client.force_login(vera)
    secret = set_up_app(client)
    clock.shift(30)
    client.post("/sign-out/")
    return secret


class TestAnApp:
    def test_it_is_set_up_by_a_picture_or_a_key_and_a_first_code(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        prove(client, APP)
        page = client.get(APP).content.decode()
        assert 'role="img" aria-label="QR code' in page
        assert "style=" not in page
        assert "data:" not in page
        secret = Authenticator.objects.count(), re.search(r'id="totp-secret">([A-Z2-7 ]+)<', page)
        assert secret[0] == 0
        assert secret[1]
        wrong = client.post(APP, {"code": "000000"})
        assert WRONG in wrong.content.decode()
        assert client.post(APP, {"code": make_code(secret[1][1])}).status_code == 302
        assert {row.type for row in Authenticator.objects.filter(user=vera)} == {"totp", "recovery_codes"}
        assert "Set up" in client.get(PAGE).content.decode()

    def test_its_secret_is_not_readable_in_the_session_until_then(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        prove(client, APP)
        found = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', client.get(APP).content.decode())
        assert found
        assert found[1].replace(" ", "") not in repr(dict(client.session.items()))

    def test_after_the_password_its_code_is_asked_for(self, client: Client, app: str) -> None:
        assert sign_in(client, "vera")["Location"] == ASKED
        assert not is_signed_in(client)
        assert client.get("/preferences/")["Location"].startswith("/sign-in/?next=")
        assert client.get("/sign-in/")["Location"] == ASKED
        before = client.session.session_key
        assert client.post(ASKED, {"code": make_code(app)})["Location"] == "/"
        assert is_signed_in(client)
        assert client.session.session_key != before

    def test_it_leads_back_to_where_the_person_was_going(self, client: Client, app: str) -> None:
        sign_in(client, "vera", next="/preferences/")
        assert client.post(ASKED, {"code": make_code(app)})["Location"] == "/preferences/"

    def test_a_wrong_code_opens_nothing_and_is_on_record(self, client: Client, app: str) -> None:
        sign_in(client, "vera")
        assert WRONG in client.post(ASKED, {"code": "000000"}).content.decode()
        assert WRONG in client.post(ASKED, {"code": make_code(app, steps=-1)}).content.decode()
        assert WRONG in client.post(ASKED, {"code": make_code(app, steps=1)}).content.decode()
        assert not is_signed_in(client)
        assert acts(Action.SECOND_FACTOR_FAILED) == [(Action.SECOND_FACTOR_FAILED, "vera", "code")] * 3

    def test_a_code_that_was_read_over_the_shoulder_is_refused(self, client: Client, app: str) -> None:
        code = make_code(app)
        sign_in(client, "vera")
        client.post(ASKED, {"code": code})
        thief = Client()
        sign_in(thief, "vera")
        assert WRONG in thief.post(ASKED, {"code": code}).content.decode()
        assert WRONG in thief.post(ASKED, {"code": f"{code[:3]} {code[3:]}"}).content.decode()
        assert not is_signed_in(thief)

    def test_the_code_that_set_it_up_signs_no_one_in(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        code = make_code(set_up_app(client))
        client.post("/sign-out/")
        sign_in(client, "vera")
        assert WRONG in client.post(ASKED, {"code": code}).content.decode()

    def test_the_sixth_guess_is_refused_even_when_it_is_right(self, client: Client, app: str) -> None:
        sign_in(client, "vera")
        for _number in range(5):
            client.post(ASKED, {"code": "000000"})
        assert "Too many failed attempts" in client.post(ASKED, {"code": make_code(app)}).content.decode()
        assert not is_signed_in(client)

    def test_without_the_password_there_is_nothing_to_enter_a_code_for(self, client: Client, app: str) -> None:
        assert client.get(ASKED)["Location"] == "/sign-in/"
        assert client.post(ASKED, {"code": make_code(app)})["Location"] == "/sign-in/"
        assert not is_signed_in(client)

    def test_a_person_who_cancels_begins_anew(self, client: Client, app: str) -> None:
        sign_in(client, "vera")
        client.post("/sign-out/")
        assert client.get(ASKED)["Location"] == "/sign-in/"

    def test_the_password_counts_for_a_quarter_of_an_hour(
        self, client: Client, app: str, clock: time_machine.Traveller
    ) -> None:
        sign_in(client, "vera")
        clock.shift(15 * 60 + 1)
        assert client.post(ASKED, {"code": make_code(app)})["Location"] == "/sign-in/"

    def test_a_member_who_was_deactivated_in_between_stays_out(self, client: Client, app: str, vera: Member) -> None:
        sign_in(client, "vera")
        Member.objects.update(is_active=False)
        client.post(ASKED, {"code": make_code(app)})
        assert client.get("/preferences/").status_code == 302

    def test_a_password_that_was_changed_in_between_opens_nothing(self, client: Client, app: str, vera: Member) -> None:
        sign_in(client, "vera")
        vera.set_password("an-entirely-other-password")
        vera.save()
        page = client.post(ASKED, {"code": make_code(app)}, follow=True)
        assert page.redirect_chain == [("/sign-in/", 302)]
        assert "You can&#39;t sign in" in page.content.decode()
        assert not is_signed_in(client)
        assert client.get(ASKED)["Location"] == "/sign-in/"
        # The code is not used up.
        sign_in(client, "vera", "an-entirely-other-password")
        client.post(ASKED, {"code": make_code(app)})
        assert is_signed_in(client)

    def test_nor_does_one_of_who_may_come_in_through_the_provider_alone_by_now(
        self, client: Client, app: str, vera: Member, settings: Settings
    ) -> None:
        sign_in(client, "vera")
        settings.OIDC_ISSUER, settings.SSO_ONLY = "https://login.example.com", True
        assert client.post(ASKED, {"code": make_code(app)})["Location"] == "/sign-in/"
        assert not is_signed_in(client)

    def test_there_is_one_per_member(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        set_up_app(client)
        assert client.get(APP)["Location"] == PAGE

    def test_how_one_signed_in_is_on_record(self, client: Client, app: str) -> None:
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        assert acts(Action.SECOND_FACTOR_ADDED, Action.SECOND_FACTOR_USED, Action.SIGNED_IN)[1:] == [
            (Action.SECOND_FACTOR_ADDED, "vera", "authenticator app"),
            (Action.SECOND_FACTOR_ADDED, "vera", "recovery codes"),
            (Action.SECOND_FACTOR_USED, "vera", "authenticator app, to sign in"),
            (Action.SIGNED_IN, "vera", "password, authenticator app"),
        ]


class TestRecoveryCodes:
    def test_they_are_shown_when_asked_for_by_a_form_and_that_is_on_record(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        set_up_app(client)
        assert "recovery-codes" not in re.findall(r'<ul [^>]*id="([^"]+)"', client.get(CODES).content.decode())
        assert len(set(read_codes(client))) == 10
        assert acts(Action.RECOVERY_CODES_SHOWN) == [(Action.RECOVERY_CODES_SHOWN, "vera", "10 left")]

    def test_each_opens_once(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        set_up_app(client)
        codes = read_codes(client)
        client.post("/sign-out/")
        for code in codes[:3]:
            visitor = Client()
            sign_in(visitor, "vera")
            assert visitor.post(ASKED, {"code": code}).status_code == 302
            assert is_signed_in(visitor)
            again = Client()
            sign_in(again, "vera")
            assert WRONG in again.post(ASKED, {"code": code}).content.decode()
            assert not is_signed_in(again)
        assert acts(Action.SECOND_FACTOR_USED)[-1] == (Action.SECOND_FACTOR_USED, "vera", "recovery codes, to sign in")

    def test_one_that_is_used_is_gone_for_good_whatever_the_cache_forgets(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        set_up_app(client)
        code = read_codes(client)[0]
        for wanted in (True, False):
            visitor = Client()
            sign_in(visitor, "vera")
            visitor.post(ASKED, {"code": code})
            assert is_signed_in(visitor) is wanted
            cache.clear()
        assert code not in read_codes(client)

    def test_new_ones_take_the_place_of_the_old_ones(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        set_up_app(client)
        old = read_codes(client)
        page = client.post(f"{CODES}renew/").content.decode()
        new = re.findall(r'<code class="mono">(\d{8})</code>', page)
        assert len(new) == 10
        assert not set(old) & set(new)
        assert acts(Action.RECOVERY_CODES_RENEWED) == [(Action.RECOVERY_CODES_RENEWED, "vera", "")]
        visitor = Client()
        sign_in(visitor, "vera")
        assert WRONG in visitor.post(ASKED, {"code": old[0]}).content.decode()

    def test_without_a_second_factor_there_are_none(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        prove(client, APP)
        assert client.get(CODES).status_code == 404
        assert client.post(CODES).status_code == 404
        assert client.post(f"{CODES}renew/").status_code == 404


class TestProof:
    """Before a change one proves once more who one is."""

    @pytest.mark.parametrize("address", [APP, "/second-factor/passkeys/"])
    def test_a_session_alone_changes_nothing(self, client: Client, vera: Member, address: str) -> None:
        client.force_login(vera)
        assert client.get(address)["Location"] == f"/second-factor/again/?next={address.replace('/', '%2F')}"
        assert client.post(address, {"code": "000000"})["Location"].startswith("/second-factor/again/")

    def test_a_wrong_password_proves_nothing(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        page = client.post(f"/second-factor/again/?next={APP}", {"password": "wrong"})
        assert page.status_code == 200
        assert client.get(APP).status_code == 302

    def test_it_holds_for_five_minutes(self, client: Client, vera: Member, clock: time_machine.Traveller) -> None:
        client.force_login(vera)
        prove(client, APP)
        clock.shift(4 * 60)
        assert client.get(APP).status_code == 200
        clock.shift(2 * 60)
        assert client.get(APP).status_code == 302

    def test_it_leads_to_no_other_origin(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        answer = client.post("/second-factor/again/?next=https://evil.example/", {"password": PASSWORD})
        assert answer["Location"] == "/"

    def test_a_person_who_has_a_second_factor_proves_with_it_and_not_with_the_password(
        self, client: Client, app: str, vera: Member, clock: time_machine.Traveller
    ) -> None:
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        clock.shift(30)
        asked = client.get(CODES + "renew/", follow=False)
        assert asked.status_code == 405
        asked = client.post(CODES)
        assert asked["Location"].startswith("/second-factor/again/code/")
        by_password = client.post(f"/second-factor/again/?next={CODES}", {"password": PASSWORD})
        assert by_password["Location"].startswith("/second-factor/again/code/")
        # The form that had to wait is answered at once.
        page = client.post(asked["Location"], {"code": make_code(app)}).content.decode()
        assert len(re.findall(r'<code class="mono">(\d{8})</code>', page)) == 10
        assert acts(Action.SECOND_FACTOR_USED)[-1][2] == "authenticator app, to confirm a change"

    def test_a_wrong_code_proves_nothing_and_is_on_record(self, client: Client, app: str) -> None:
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        assert WRONG in client.post("/second-factor/again/code/", {"code": "000000"}).content.decode()
        assert acts(Action.SECOND_FACTOR_FAILED) == [(Action.SECOND_FACTOR_FAILED, "vera", "code")]


class TestRemoval:
    def test_it_is_asked_about_done_and_on_record(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        set_up_app(client)
        address = f"/second-factor/{Authenticator.objects.get(type='totp').pk}/remove/"
        assert "Remove your authenticator app?" in client.get(address).content.decode()
        assert Authenticator.objects.count() == 2
        assert client.post(address)["Location"] == PAGE
        assert not Authenticator.objects.exists()
        assert acts(Action.SECOND_FACTOR_REMOVED) == [
            (Action.SECOND_FACTOR_REMOVED, "vera", "authenticator app"),
            (Action.SECOND_FACTOR_REMOVED, "vera", "recovery codes"),
        ]
        assert sign_in(Client(), "vera")["Location"] == "/"

    def test_it_waits_for_a_proof(self, client: Client, app: str) -> None:
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        address = f"/second-factor/{Authenticator.objects.get(type='totp').pk}/remove/"
        assert client.post(address)["Location"].startswith("/second-factor/again/code/")
        assert Authenticator.objects.count() == 2

    def test_the_last_one_stays_where_it_is_required(self, client: Client, vera: Member, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = "everybody"
        client.force_login(vera)
        set_up_app(client)
        refused = client.post(f"/second-factor/{Authenticator.objects.get(type='totp').pk}/remove/")
        assert refused.status_code == 422
        assert "only two-factor method" in refused.content.decode()
        assert Authenticator.objects.count() == 2

    def test_one_of_two_may_go_even_where_it_is_required(
        self, client: Client, vera: Member, settings: Settings
    ) -> None:
        settings.REQUIRE_SECOND_FACTOR = "everybody"
        client.force_login(vera)
        set_up_app(client)
        Authenticator.objects.create(user=vera, type="webauthn", data={"name": "Laptop", "credential": {}})
        app = Authenticator.objects.get(type="totp")
        assert client.post(f"/second-factor/{app.pk}/remove/").status_code == 302
        assert {row.type for row in Authenticator.objects.all()} == {"webauthn", "recovery_codes"}

    def test_no_one_touches_anothers(self, client: Client, app: str, otto: Member) -> None:
        client.force_login(otto)
        prove(client, APP)
        key = Authenticator.objects.get(type="totp").pk
        assert client.get(f"/second-factor/{key}/remove/").status_code == 404
        assert client.post(f"/second-factor/{key}/remove/").status_code == 404
        passkey = Authenticator.objects.create(
            user=Member.objects.get(username="vera"), type="webauthn", data={"name": "Laptop", "credential": {}}
        )
        assert client.post(f"/second-factor/{passkey.pk}/name/", {"name": "Mine"}).status_code == 404
        assert client.post(f"/second-factor/{passkey.pk}/remove/").status_code == 404
        assert Authenticator.objects.count() == 3


class TestRequirement:
    @pytest.mark.parametrize(
        ("rule", "who", "is_led"),
        [
            ("nobody", "ada", False),
            ("admins", "ada", True),
            ("admins", "otto", False),
            ("everybody", "otto", True),
            ("everybody", "vera", True),
        ],
    )
    def test_who_must_and_has_none_is_led_to_set_one_up(  # noqa: PLR0917
        self,
        client: Client,
        ada: Member,
        otto: Member,
        vera: Member,
        settings: Settings,
        rule: str,
        who: str,
        is_led: bool,  # noqa: FBT001
    ) -> None:
        settings.REQUIRE_SECOND_FACTOR = rule
        client.force_login(Member.objects.get(username=who))
        response = client.get("/preferences/")
        assert (response.status_code, response.get("Location")) == ((302, PAGE) if is_led else (200, None))

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        "path", ["/", "/preferences/", "/team/", "/audit/", "/credentials/", "/spo1/instances/", "/team/1/role/"]
    )
    def test_nothing_else_opens(self, client: Client, ada: Member, settings: Settings, path: str, method: str) -> None:
        settings.REQUIRE_SECOND_FACTOR = "admins"
        client.force_login(ada)
        response = client.generic(method, path)
        assert (response.status_code, response["Location"]) == (302, PAGE)

    def test_for_htmx_the_whole_page_goes_there(self, client: Client, ada: Member, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = "admins"
        client.force_login(ada)
        response = client.get("/team/", headers={"HX-Request": "true"})
        assert (response.status_code, response["HX-Redirect"]) == (200, PAGE)

    def test_what_the_role_lacks_is_refused_first(self, client: Client, vera: Member, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = "everybody"
        client.force_login(vera)
        assert client.get("/team/").status_code == 403

    def test_one_may_still_sign_out(self, client: Client, ada: Member, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = "admins"
        client.force_login(ada)
        assert client.post("/sign-out/")["Location"] == "/sign-in/"

    def test_with_one_set_up_all_is_open(self, client: Client, ada: Member, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = "admins"
        client.force_login(ada)
        assert "Set up two-factor authentication to continue" in client.get(PAGE).content.decode()
        set_up_app(client)
        assert client.get("/team/").status_code == 200
        page = client.get(PAGE).content.decode()
        assert "Set up two-factor authentication to continue" not in page
        assert "Two-factor authentication is required" in page

    def test_the_first_one_ends_all_other_sessions(self, client: Client, ada: Member, settings: Settings) -> None:
        """One that was begun with the password alone, and left for later, must not be let in by it."""
        settings.REQUIRE_SECOND_FACTOR = "admins"
        parked = Client()
        for browser in (parked, client):
            sign_in(browser, "ada")
            assert browser.get("/team/")["Location"] == PAGE
        before = client.session.session_key
        set_up_app(client)
        assert parked.get("/team/")["Location"].startswith("/sign-in/")
        assert client.get("/team/").status_code == 200
        assert client.session.session_key != before

    def test_a_further_one_ends_none(self, client: Client, app: str, vera: Member) -> None:
        other = Client()
        for browser in (other, client):
            browser.force_login(vera)
        Authenticator.objects.filter(type="totp").update(type="webauthn", data={"name": "x", "credential": {}})
        client.force_login(vera)
        session = client.session
        session["account_authentication_methods"] = [{"method": "mfa", "at": time.time(), "reauthenticated": True}]
        session["account_authentication_methods_user"] = str(vera.pk)
        session.save()
        secret = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', client.get(APP).content.decode())
        assert secret
        assert client.post(APP, {"code": make_code(secret[1])}).status_code == 302
        assert other.get("/preferences/").status_code == 200

    def test_recovery_codes_alone_are_none(self, client: Client, ada: Member, settings: Settings) -> None:
        settings.REQUIRE_SECOND_FACTOR = "admins"
        Authenticator.objects.create(user=ada, type="recovery_codes", data={"seed": "", "used_mask": 0})
        client.force_login(ada)
        assert client.get("/team/")["Location"] == PAGE

    def test_a_session_that_was_confirmed_with_one_needs_no_query_for_that(
        self, client: Client, app: str, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        settings.REQUIRE_SECOND_FACTOR = "everybody"
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        with django_assert_num_queries(1):
            assert client.get("/preferences/").status_code == 200

    def test_a_new_admin_is_led_there_on_their_next_click(
        self, client: Client, otto: Member, settings: Settings
    ) -> None:
        settings.REQUIRE_SECOND_FACTOR = "admins"
        client.force_login(otto)
        assert client.get("/preferences/").status_code == 200
        Member.objects.filter(pk=otto.pk).update(role="admin")
        assert client.get("/preferences/")["Location"] == PAGE


class TestReset:
    def test_an_admin_resets_it_and_ends_the_sessions(
        self, client: Client, app: str, vera: Member, ada: Member
    ) -> None:
        vera_client = Client()
        sign_in(vera_client, "vera")
        vera_client.post(ASKED, {"code": make_code(app)})
        client.force_login(ada)
        assert "Reset two-factor authentication… vera" in client.get("/team/").content.decode()
        address = f"/team/{vera.pk}/second-factor/"
        assert "Reset two-factor authentication of vera?" in client.get(address).content.decode()
        asked = client.post(address)
        assert asked["Location"].startswith("/second-factor/again/")
        assert client.post(asked["Location"], {"password": PASSWORD})["Location"] == "/team/"
        assert not Authenticator.objects.exists()
        assert vera_client.get("/preferences/").status_code == 302
        assert acts(Action.SECOND_FACTOR_RESET) == [(Action.SECOND_FACTOR_RESET, "ada", "vera")]
        assert sign_in(Client(), "vera")["Location"] == "/"
        assert "vera has no two-factor authentication." in client.post(address, follow=True).content.decode()
        assert Event.objects.filter(act=Action.SECOND_FACTOR_RESET).count() == 1

    def test_admins_remove_their_own_under_the_rules_of_their_own_page(self, client: Client, ada: Member) -> None:
        client.force_login(ada)
        set_up_app(client)
        assert "Reset two-factor authentication…" not in client.get("/team/").content.decode()
        assert client.post(f"/team/{ada.pk}/second-factor/")["Location"] == PAGE
        assert Authenticator.objects.count() == 2

    def test_the_command_line_resets_it_for_the_admin_who_has_no_one_to_ask(self, app: str) -> None:
        said = StringIO()
        call_command("reset_second_factor", "VERA", stdout=said)
        call_command("reset_second_factor", "vera", stdout=said)
        assert said.getvalue() == "Second factor of vera removed.\nvera has no second factor.\n"
        assert acts(Action.SECOND_FACTOR_RESET) == [(Action.SECOND_FACTOR_RESET, "command line", "vera")]
        with pytest.raises(CommandError, match="Member eve does not exist"):
            call_command("reset_second_factor", "eve")


class TestSecrecy:
    def test_what_makes_codes_stands_encrypted_in_the_database(self, app: str) -> None:
        kept = repr(list(Authenticator.objects.values("data")))
        assert app.replace(" ", "") not in kept
        assert kept.count("gAAAA") == 2

    def test_codes_work_under_a_rotated_key(self, client: Client, app: str, settings: Settings) -> None:
        old, new = settings.CREDENTIAL_KEYS[0], Fernet.generate_key().decode()
        settings.CREDENTIAL_KEYS = [new, old]
        call_command("rotate_credential_keys", stdout=StringIO())
        once = list(Authenticator.objects.values("data"))
        call_command("rotate_credential_keys", stdout=StringIO())
        assert list(Authenticator.objects.values("data")) == once
        settings.CREDENTIAL_KEYS = [new]
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        assert is_signed_in(client)

    def test_where_no_key_opens_it_no_one_gets_in_and_they_are_told_whom_to_ask(
        self, client: Client, app: str, vera: Member, settings: Settings
    ) -> None:
        sign_in(client, "vera")
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
        page = client.post(ASKED, {"code": make_code(app)}).content.decode()
        assert "An admin of your team can reset it." in page
        client.force_login(vera)
        assert "0 codes are left" in client.get(PAGE).content.decode()
        page = client.post("/second-factor/again/code/", {"code": make_code(app)}).content.decode()
        assert "An admin of your team can reset it." in page

    def test_rotation_names_whose_cannot_be_opened(self, app: str, settings: Settings) -> None:
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
        said = StringIO()
        with pytest.raises(CommandError, match="reset_second_factor"):
            call_command("rotate_credential_keys", stdout=said)
        assert said.getvalue().count("vera, ") == 2

    def test_no_secret_is_in_the_audit(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        secret = set_up_app(client).replace(" ", "")
        codes = read_codes(client)
        kept = repr(list(Event.objects.values()))
        assert not [code for code in [secret, *codes] if code in kept]


def take_data(member: Member, kind: str) -> dict[str, Any]:
    """What stands in the database for a member's app or recovery codes."""
    data: dict[str, Any] = Authenticator.objects.filter(user=member, type=kind).values_list("data", flat=True).get()
    return data


class TestSeals:
    """Someone who can write to the database copies rows. What is in them opens where it was made and nowhere else."""

    @pytest.fixture
    def ottos(self, app: str, otto: Member, clock: time_machine.Traveller) -> str:
        client = Client()
        client.force_login(otto)
        secret = set_up_app(client)
        clock.shift(30)
        return secret

    def assert_unopened(self, name: str, code: str) -> None:
        client = Client()
        sign_in(client, name)
        page = client.post(ASKED, {"code": code}).content.decode()
        assert "An admin of your team can reset it." in page
        assert not is_signed_in(client)

    def test_an_app_copied_into_another_members_row_opens_nothing(
        self, app: str, ottos: str, vera: Member, otto: Member
    ) -> None:
        Authenticator.objects.filter(user=vera, type="totp").update(data=take_data(otto, "totp"))
        self.assert_unopened("vera", make_code(ottos))

    def test_an_apps_row_that_is_given_to_another_member_opens_nothing(
        self, app: str, ottos: str, vera: Member, otto: Member
    ) -> None:
        Authenticator.objects.filter(user=vera).delete()
        Authenticator.objects.filter(user=otto).update(user=vera)
        self.assert_unopened("vera", make_code(ottos))

    def test_recovery_codes_copied_into_another_members_row_open_nothing(
        self, app: str, ottos: str, vera: Member, otto: Member
    ) -> None:
        code = list_recovery_codes(Authenticator.objects.get(user=otto, type="recovery_codes"))[0]
        Authenticator.objects.filter(user=vera, type="recovery_codes").update(data=take_data(otto, "recovery_codes"))
        assert list_recovery_codes(Authenticator.objects.get(user=vera, type="recovery_codes")) == []
        self.assert_unopened("vera", code)

    def test_what_is_of_one_kind_does_not_open_as_another(self, app: str, vera: Member) -> None:
        """A person who knows an app's secret would know recovery codes that are made of it."""
        seed = {"seed": take_data(vera, "totp")["secret"], "used_mask": 0}
        Authenticator.objects.filter(user=vera, type="recovery_codes").update(data=seed)
        assert list_recovery_codes(Authenticator.objects.get(user=vera, type="recovery_codes")) == []

    def test_what_is_encrypted_for_no_one_opens_nothing(self, app: str, vera: Member) -> None:
        unbound = FactorAdapter().encrypt(app.replace(" ", ""))
        Authenticator.objects.filter(user=vera, type="totp").update(data={"secret": unbound})
        self.assert_unopened("vera", make_code(app))

    def test_a_key_that_is_rotated_does_not_bind_a_copied_row_to_its_new_owner(
        self, app: str, ottos: str, vera: Member, otto: Member, settings: Settings
    ) -> None:
        Authenticator.objects.filter(user=vera, type="totp").update(data=take_data(otto, "totp"))
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
        with pytest.raises(CommandError, match="reset_second_factor"):
            call_command("rotate_credential_keys", stdout=StringIO())
        self.assert_unopened("vera", make_code(ottos))

    def test_what_was_encrypted_before_is_bound_by_the_migration(self, client: Client, app: str, vera: Member) -> None:
        codes = list_recovery_codes(Authenticator.objects.get(user=vera, type="recovery_codes"))
        seed = decrypt_text(take_data(vera, "recovery_codes")["seed"], purpose=f"recovery_codes of {vera.pk}")
        for kind, name, secret in (("totp", "secret", app.replace(" ", "")), ("recovery_codes", "seed", seed)):
            before = take_data(vera, kind) | {name: encrypt_text(secret, purpose="second factor")}
            Authenticator.objects.filter(user=vera, type=kind).update(data=before)
        lost = Authenticator.objects.create(user=Member.objects.create_user("eve"), type="totp", data={"secret": "?"})
        self.assert_unopened("vera", make_code(app))
        bind = import_module("portal.accounts.migrations.0004_bind_second_factors")
        for _twice in range(2):
            bind.bind(apps, None)
        assert take_data(Member.objects.get(pk=lost.user_id), "totp") == {"secret": "?"}
        assert list_recovery_codes(Authenticator.objects.get(user=vera, type="recovery_codes")) == codes
        sign_in(client, "vera")
        client.post(ASKED, {"code": make_code(app)})
        assert is_signed_in(client)
        bind.unbind(apps, None)
        assert decrypt_text(take_data(vera, "totp")["secret"], purpose="second factor") == app.replace(" ", "")
