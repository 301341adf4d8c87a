"""Single sign-on with a real OpenID provider over HTTP: who may sign in, and with which role."""

import json
import re
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client, RequestFactory
from pytest_django import Settings

from portal.accounts.adapter import ProviderAdapter, may_sign_in_here
from portal.accounts.models import Member
from portal.accounts.passwords.services import make_link
from portal.accounts.provider import DiscoveryAdapter
from portal.accounts.sso.services import find_role, read_groups
from portal.audit.models import Action, Event
from portal.core.permissions import Role
from tests.accounts.providers import Provider, run_provider
from tests.conftest import PASSWORD, enter

START = "/sign-in/provider/"
BACK = "/sign-in/provider/back/"


@pytest.fixture(scope="session")
def provider_server() -> Iterator[Provider]:
    with run_provider() as provider:
        yield provider


@pytest.fixture
def provider(provider_server: Provider, settings: Settings, db: None) -> Provider:
    settings.OIDC_ISSUER = provider_server.url
    settings.OIDC_ORIGINS = [provider_server.url]
    settings.OIDC_CLIENT_ID = "portal"
    settings.OIDC_CLIENT_SECRET = "a-secret-of-the-portal"
    settings.OIDC_NAME = "Acme ID"
    settings.OIDC_ROLE_GROUPS = {"portal-admins": "admin", "portal-ops": "operator", "staff": "viewer"}
    return provider_server


def go_there(client: Client, **form: str) -> str:
    """Begin in the portal; the address at the provider that the browser is sent to."""
    response = client.post(START, form)
    assert response.status_code == 302, response.content.decode()
    return str(response["Location"])


def sign_in_there(address: str, subject: str, **form: str) -> str:
    """Sign in on the provider's page; path and query of the portal that the browser is sent back to."""
    answer = requests.post(address, data=form or {"sub": subject}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    split = urlsplit(answer.headers["Location"])
    assert (split.netloc, split.path) == ("testserver", BACK)
    return f"{split.path}?{split.query}"


def come_in(client: Client, subject: str, **form: str) -> Any:
    return client.get(sign_in_there(go_there(client, **form), subject))


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def acts(*wanted: Action) -> list[tuple[str, str, str]]:
    return [(e.act, e.name, e.subject) for e in Event.objects.filter(act__in=wanted).order_by("id")]


class TestComingIn:
    def test_a_new_person_becomes_a_member_in_the_role_of_their_groups(
        self, client: Client, provider: Provider
    ) -> None:
        provider.add_person(
            "s-1", preferred_username="olga", email="Olga@example.com", email_verified=True, groups=["portal-ops", "x"]
        )
        response = come_in(client, "s-1")
        assert (response.status_code, response["Location"]) == (302, "/")
        assert is_signed_in(client)
        olga = Member.objects.get(username="olga")
        assert (olga.role, olga.email, olga.has_usable_password()) == (Role.OPERATOR, "olga@example.com", False)
        assert acts(Action.MEMBER_ADDED, Action.SIGNED_IN) == [
            (Action.MEMBER_ADDED, "olga", "olga (operator), by single sign-on"),
            (Action.SIGNED_IN, "olga", "single sign-on"),
        ]

    def test_a_member_is_recognized_by_their_subject_whatever_else_has_changed(
        self, client: Client, provider: Provider
    ) -> None:
        provider.add_person("s-2", preferred_username="olga", groups=["staff"])
        come_in(client, "s-2")
        provider.add_person("s-2", preferred_username="renamed", email="new@example.com", groups=["staff"])
        come_in(Client(), "s-2")
        assert [member.username for member in Member.objects.all()] == ["olga"]

    def test_the_session_gets_a_new_id(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-3", groups=["staff"])
        address = go_there(client)
        before = client.session.session_key
        client.get(sign_in_there(address, "s-3"))
        assert is_signed_in(client)
        assert client.session.session_key != before

    def test_the_session_lasts_no_longer_than_the_browser_is_open(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-4", groups=["staff"])
        come_in(client, "s-4")
        cookie = client.cookies["sessionid"]
        assert (cookie["max-age"], cookie["expires"]) == ("", "")

    def test_it_leads_back_to_where_the_person_was_going(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-4", groups=["staff"])
        assert come_in(client, "s-4", next="/spo1/instances/?name=web-*")["Location"] == "/spo1/instances/?name=web-*"

    @pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
    def test_it_never_leads_to_another_origin(self, client: Client, provider: Provider, target: str) -> None:
        provider.add_person("s-5", groups=["staff"])
        assert come_in(client, "s-5", next=target)["Location"] == "/"

    def test_what_is_asked_there_is_the_portals_to_say(self, client: Client, provider: Provider) -> None:
        address = client.post(f"{START}?scope=admin&auth_params=prompt%3Dnone&process=connect")["Location"]
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert set(asked.pop("scope").split()) == {"openid", "profile", "email"}
        assert asked.pop("code_challenge_method") == "S256"
        assert len(asked.pop("state")) >= 16
        assert len(asked.pop("nonce")) >= 16
        assert asked.pop("code_challenge")
        assert asked == {
            "client_id": "portal",
            "redirect_uri": f"http://testserver{BACK}",
            "response_type": "code",
        }

    def test_nothing_of_what_the_provider_tells_is_kept_but_the_subject(
        self, client: Client, provider: Provider
    ) -> None:
        provider.add_person("s-6", groups=["staff"], phone_number="+55 11 5555 5555", secret="hunter2")
        come_in(client, "s-6")
        come_in(Client(), "s-6")
        account = SocialAccount.objects.get()
        assert (account.provider, account.uid, account.extra_data) == (provider.url, "s-6", {})


class TestWhoIsWho:
    def test_an_address_opens_no_account(self, client: Client, provider: Provider, ada: Member) -> None:
        provider.add_person(
            "s-10", preferred_username="ada", email="ada@example.com", email_verified=True, groups=["staff"]
        )
        come_in(client, "s-10")
        new = Member.objects.get(pk=client.session["_auth_user_id"])
        assert new.pk != ada.pk
        assert (new.username, new.email, new.role) == ("ada-2", "", Role.VIEWER)

    def test_an_address_that_no_one_verified_is_not_taken(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-11", preferred_username="eve", email="boss@example.com", groups=["staff"])
        come_in(client, "s-11")
        assert Member.objects.get(username="eve").email == ""

    @pytest.mark.parametrize(
        ("claims", "name"),
        [
            ({"preferred_username": "o.l-g_a+1"}, "o.l-g_a+1"),
            ({"preferred_username": "olga@acme.example"}, "olga"),
            ({"preferred_username": "Olga Ö <b>"}, "olga-o-b"),
            ({"email": "olga@acme.example"}, "olga"),
            ({"preferred_username": "<>", "name": "Olga"}, "olga"),
            ({"preferred_username": "vıra", "name": "Вера", "email": "vera@acme.example"}, "v-ra"),
            ({"preferred_username": 7, "email": "@", "name": ["x"]}, "member"),
            ({"preferred_username": "x" * 400}, "x" * 140),
        ],
    )
    def test_a_user_name_is_made_of_what_they_are_called_there(
        self, client: Client, provider: Provider, claims: dict[str, Any], name: str
    ) -> None:
        provider.add_person("s-12", **(claims | {"groups": ["staff"]}))
        come_in(client, "s-12")
        member = Member.objects.get()
        assert member.username == name
        member.clean_fields(exclude=["password"])

    @pytest.mark.parametrize("email", ["not an address", 7, ["a@example.com"]])
    def test_an_address_that_is_none_is_not_taken(self, client: Client, provider: Provider, email: object) -> None:
        provider.add_person("s-13", preferred_username="eve", email=email, email_verified=True, groups=["staff"])
        come_in(client, "s-13")
        assert Member.objects.get().email == ""

    def test_the_same_subject_at_another_provider_is_another_person(
        self, client: Client, provider: Provider, settings: Settings
    ) -> None:
        provider.add_person("s-14", preferred_username="olga", groups=["staff"])
        come_in(client, "s-14")
        SocialAccount.objects.update(provider="https://login.before.example")
        come_in(Client(), "s-14")
        assert {member.username for member in Member.objects.all()} == {"olga", "olga-2"}

    def test_a_member_who_is_there_already_is_linked_by_hand(
        self, client: Client, provider: Provider, otto: Member, ada: Member
    ) -> None:
        said = StringIO()
        call_command("link_single_sign_on", "OTTO", "s-15", stdout=said)
        call_command("link_single_sign_on", "ada", "s-16", stdout=said)
        assert said.getvalue().splitlines()[0] == "otto can now sign in with Acme ID."
        provider.add_person("s-15", groups=["portal-ops"])
        come_in(client, "s-15")
        assert client.session["_auth_user_id"] == str(otto.pk)
        otto.refresh_from_db()
        ada.refresh_from_db()
        assert not otto.has_usable_password()
        assert ada.has_usable_password()
        assert acts(Action.SINGLE_SIGN_ON_LINKED)[0] == (Action.SINGLE_SIGN_ON_LINKED, "command line", "otto: s-15")

    def test_a_link_is_refused_where_it_cannot_be(
        self, provider: Provider, otto: Member, ada: Member, settings: Settings
    ) -> None:
        call_command("link_single_sign_on", "otto", "s-17", stdout=StringIO())
        with pytest.raises(CommandError, match="already belongs to a member"):
            call_command("link_single_sign_on", "ada", "s-17")
        with pytest.raises(CommandError, match="Member eve does not exist"):
            call_command("link_single_sign_on", "eve", "s-18")
        settings.OIDC_ISSUER = ""
        with pytest.raises(CommandError, match="OIDC_ISSUER is not set"):
            call_command("link_single_sign_on", "ada", "s-18")


class TestRoles:
    @pytest.mark.parametrize(
        ("groups", "role"),
        [
            ({"staff"}, Role.VIEWER),
            ({"staff", "portal-ops"}, Role.OPERATOR),
            ({"portal-ops", "portal-admins", "staff"}, Role.ADMIN),
            ({"Staff", "staff ", "portal"}, None),
            (set(), None),
        ],
    )
    def test_a_member_gets_the_highest_role_of_their_groups(
        self, provider: Provider, groups: set[str], role: Role | None
    ) -> None:
        assert find_role(groups) == role

    @pytest.mark.parametrize(
        ("claim", "claims", "groups"),
        [
            ("groups", {"groups": ["a", "b"]}, {"a", "b"}),
            ("groups", {"groups": "a"}, {"a"}),
            ("groups", {"groups": ["a", 7, None, ["b"]]}, {"a"}),
            ("groups", {"groups": {"a": True}}, set()),
            ("groups", {"groups": None}, set()),
            ("groups", {}, set()),
            ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, {"a"}),
            ("realm_access.roles", {"realm_access": ["roles"]}, set()),
            ("https://acme.example/groups", {"https://acme.example/groups": ["a"]}, {"a"}),
        ],
    )
    def test_groups_are_read_from_the_claim_of_the_settings(
        self, settings: Settings, claim: str, claims: dict[str, Any], groups: set[str]
    ) -> None:
        settings.OIDC_GROUPS_CLAIM = claim
        assert read_groups(claims) == groups

    def test_the_role_is_worked_out_anew_each_time_and_other_sessions_end(
        self, client: Client, provider: Provider, ada: Member
    ) -> None:
        provider.add_person("s-20", preferred_username="olga", groups=["portal-admins"])
        come_in(client, "s-20")
        assert client.get("/team/").status_code == 200
        provider.add_person("s-20", groups=["staff"])
        later = Client()
        come_in(later, "s-20")
        assert later.get("/team/").status_code == 403
        assert client.get("/team/").status_code == 302
        what = "olga: admin → viewer, by their groups"
        assert acts(Action.ROLE_CHANGED) == [(Action.ROLE_CHANGED, "olga", what)]

    def test_in_the_same_browser_they_sign_in_again_with_the_new_role(
        self, client: Client, provider: Provider, ada: Member
    ) -> None:
        provider.add_person("s-21", groups=["staff"])
        come_in(client, "s-21")
        provider.add_person("s-21", groups=["portal-ops"])
        come_in(client, "s-21")
        assert Member.objects.get(pk=client.session["_auth_user_id"]).role == Role.OPERATOR

    def test_so_they_do_when_a_second_factor_is_asked_for(
        self, client: Client, provider: Provider, ada: Member
    ) -> None:
        provider.add_person("s-24", preferred_username="olga", groups=["staff"])
        come_in(client, "s-24")
        Authenticator.objects.create(user=Member.objects.get(username="olga"), type="totp", data={"secret": "x"})
        provider.add_person("s-24", groups=["portal-ops"])
        answer = come_in(client, "s-24")
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/second-factor/")

    def test_the_last_admin_stays_one_and_is_told_and_it_is_on_record(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-22", preferred_username="olga", groups=["portal-admins"])
        come_in(client, "s-22")
        provider.add_person("s-22", groups=["staff"])
        later = Client()
        come_in(later, "s-22")
        page = later.get("/team/")
        assert page.status_code == 200
        assert "Your groups no longer make you an admin" in page.content.decode()
        what = "olga: admin → viewer, by their groups"
        assert acts(Action.LAST_ADMIN_KEPT, Action.ROLE_CHANGED) == [(Action.LAST_ADMIN_KEPT, "olga", what)]

    def test_with_another_admin_there_they_are_one_no_longer(
        self, client: Client, provider: Provider, ada: Member
    ) -> None:
        provider.add_person("s-23", preferred_username="olga", groups=["portal-admins"])
        come_in(client, "s-23")
        provider.add_person("s-23", groups=["staff"])
        come_in(Client(), "s-23")
        assert Member.objects.get(username="olga").role == Role.VIEWER


def test_a_session_that_anothers_sign_in_replaces_is_on_record(
    client: Client, provider: Provider, vera: Member
) -> None:
    provider.add_person("s-25", preferred_username="olga", groups=["staff"])
    client.force_login(vera)
    come_in(client, "s-25")
    assert acts(Action.SIGNED_OUT, Action.SIGNED_IN)[1:] == [
        (Action.SIGNED_OUT, "vera", ""),
        (Action.SIGNED_IN, "olga", "single sign-on"),
    ]


class TestRefusal:
    def test_no_group_no_access_on_a_readable_page_and_on_record(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-30", preferred_username="eve", groups=["elsewhere"])
        response = come_in(client, "s-30")
        page = response.content.decode()
        assert response.status_code == 403
        assert "No access" in page
        assert "Acme ID" in page
        assert "eve" in page
        assert "none of your groups has a role" in page
        assert not is_signed_in(client)
        assert not Member.objects.exists()
        refusal = (Action.SINGLE_SIGN_ON_REFUSED, "eve", "no group gives a role")
        assert acts(Action.SINGLE_SIGN_ON_REFUSED, Action.SIGNED_IN) == [refusal]

    def test_a_member_who_leaves_their_groups_is_out_of_every_session(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-31", preferred_username="olga", groups=["staff"])
        come_in(client, "s-31")
        provider.add_person("s-31", groups=[])
        assert come_in(Client(), "s-31").status_code == 403
        assert client.get("/preferences/").status_code == 302
        assert acts(Action.SINGLE_SIGN_ON_REFUSED) == [(Action.SINGLE_SIGN_ON_REFUSED, "olga", "no group gives a role")]

    def test_a_refusal_in_a_browser_that_is_signed_in_signs_it_out(
        self, client: Client, provider: Provider, settings: Settings
    ) -> None:
        provider.add_person("s-32", preferred_username="olga", groups=["staff"])
        come_in(client, "s-32")
        address = go_there(client)
        provider.add_person("s-32", groups=[])
        assert client.get(sign_in_there(address, "s-32")).status_code == 403
        assert not is_signed_in(client)

    def test_a_deactivated_member_stays_out(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-33", preferred_username="olga", groups=["portal-admins"])
        come_in(client, "s-33")
        Member.objects.update(is_active=False)
        response = come_in(Client(), "s-33")
        assert response.status_code == 403
        assert "Your account is deactivated." in response.content.decode()
        assert acts(Action.SINGLE_SIGN_ON_REFUSED) == [(Action.SINGLE_SIGN_ON_REFUSED, "olga", "deactivated")]

    def test_the_audit_page_does_not_call_a_stranger_the_command_line(
        self, client: Client, provider: Provider, ada: Member
    ) -> None:
        provider.add_person("s-34", preferred_username="eve", groups=[])
        come_in(Client(), "s-34")
        enter(client, ada)
        page = client.get("/audit/", {"act": "single-sign-on-refused"}).content.decode()
        assert "eve" in page
        assert "<em>command line</em>" not in page

    def test_a_person_who_denies_it_there_is_back_at_the_sign_in_page(self, client: Client, provider: Provider) -> None:
        response = client.get(sign_in_there(go_there(client), "", action="deny"))
        assert response["Location"] == "/sign-in/"
        assert "Sign-in with Acme ID was canceled." in client.get("/sign-in/").content.decode()


class TestTrickery:
    def test_an_answer_counts_once(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-40", groups=["staff"])
        back = sign_in_there(go_there(client), "s-40")
        client.get(back)
        client.post("/sign-out/")
        response = client.get(back)
        assert response.status_code == 400
        assert "has expired or was not started here" in response.content.decode()
        assert not is_signed_in(client)

    def test_an_answer_to_one_browser_opens_nothing_in_another(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-41", groups=["staff"])
        back = sign_in_there(go_there(client), "s-41")
        stranger = Client()
        assert stranger.get(back).status_code == 400
        assert not is_signed_in(stranger)

    def test_a_code_of_one_sign_in_does_not_fit_into_another(self, client: Client, provider: Provider) -> None:
        """The nonce: someone's stolen code, sent with a state of their own, is refused."""
        provider.add_person("s-42", groups=["portal-admins"])
        stolen = parse_qs(urlsplit(sign_in_there(go_there(Client()), "s-42")).query)["code"][0]
        mine = parse_qs(urlsplit(go_there(client)).query)["state"][0]
        response = client.get(BACK, {"code": stolen, "state": mine})
        assert response.status_code == 502
        assert not is_signed_in(client)
        assert acts(Action.SINGLE_SIGN_ON_FAILED)[0][2] == "ID token: nonce is another sign-in's"

    def test_a_made_up_code_is_refused(self, client: Client, provider: Provider) -> None:
        state = parse_qs(urlsplit(go_there(client)).query)["state"][0]
        assert client.get(BACK, {"code": "made-up", "state": state}).status_code == 502
        assert not is_signed_in(client)

    @pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?error=x", "?state="])
    def test_an_answer_that_no_one_asked_for_is_named_so_and_fills_no_table(
        self, client: Client, provider: Provider, query: str
    ) -> None:
        response = client.get(BACK + query)
        assert response.status_code == 400
        assert not Event.objects.exists()

    def test_an_issuer_that_calls_itself_otherwise_is_not_believed(
        self, client: Client, provider: Provider, settings: Settings
    ) -> None:
        settings.OIDC_ISSUER = provider.url.replace("localhost", "127.0.0.1") + "/."
        response = client.post(START)
        assert response.status_code == 502

    @pytest.mark.parametrize(
        ("method", "answer"),
        [
            ("_fetch_user_info", {"sub": "somebody-else", "groups": ["portal-admins"]}),
            ("_fetch_user_info", ["not", "an", "object"]),
            ("_decode_id_token", {"sub": "", "groups": ["portal-admins"]}),
            ("_decode_id_token", {"sub": "x" * 300}),
            ("_decode_id_token", {}),
        ],
    )
    def test_claims_that_do_not_fit_together_are_a_failure_and_never_a_sign_in(
        self, client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch, method: str, answer: object
    ) -> None:
        provider.add_person("s-43", groups=["staff"])
        monkeypatch.setattr(OpenIDConnectOAuth2Adapter, method, lambda *_args: answer)
        response = come_in(client, "s-43")
        assert response.status_code == 502
        assert not is_signed_in(client)
        assert not Member.objects.exists()

    def test_where_tls_is_the_rule_no_endpoint_does_without(
        self, client: Client, provider: Provider, settings: Settings
    ) -> None:
        settings.PLAIN_HTTP = False
        assert client.post(START).status_code == 502

    def test_an_answer_without_an_id_token_is_a_failure(
        self, client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider.add_person("s-44", groups=["staff"])
        complete = DiscoveryAdapter.complete_login
        monkeypatch.setattr(
            DiscoveryAdapter, "complete_login", lambda *args, **rest: complete(*args, response={"access_token": "x"})
        )
        assert come_in(client, "s-44").status_code == 502

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_no_one_sends_the_portal_on_to_another_address(self, method: str) -> None:
        class Elsewhere(requests.adapters.BaseAdapter):
            def send(self, request: requests.PreparedRequest, *_args: Any, **_rest: Any) -> requests.Response:
                answer = requests.Response()
                answer.status_code, answer.url, answer.request = 302, str(request.url), request
                answer.raw = BytesIO()
                answer.headers["Location"] = "http://203.0.113.9/"
                return answer

            def close(self) -> None:
                pass

        session = ProviderAdapter().get_requests_session()
        session.mount("http://login.example.com/", Elsewhere())
        with pytest.raises(requests.TooManyRedirects):
            getattr(session, method)("http://login.example.com/")

    def test_a_provider_that_tells_nothing_besides_the_token_will_do(
        self, client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider.add_person("s-45", preferred_username="olga", groups=["staff"])
        config: Any = vars(DiscoveryAdapter)["openid_config"].fget
        monkeypatch.setattr(
            DiscoveryAdapter,
            "openid_config",
            property(lambda it: {k: v for k, v in config(it).items() if k != "userinfo_endpoint"}),
        )
        come_in(client, "s-45")
        assert Member.objects.get().username == "olga"

    def test_forms_from_one_address_are_limited(self, client: Client, provider: Provider) -> None:
        answers = [client.post(START).status_code for _number in range(31)]
        assert set(answers[:30]) == {302}
        assert answers[30] == 429

    def test_without_a_provider_there_is_no_such_way_in(self, client: Client, db: None) -> None:
        assert client.post(START).status_code == 404
        assert client.get(BACK).status_code == 404


class TestWhenTheProviderIsDown:
    def test_the_page_says_so_and_it_is_on_record(self, client: Client, provider: Provider, settings: Settings) -> None:
        settings.OIDC_ISSUER = "http://127.0.0.1:1"
        response = client.post(START)
        page = response.content.decode()
        assert response.status_code == 502
        assert "Acme ID can't be reached" in page
        assert re.search(r"Request <code[^>]*>[\w-]{36}<", page)
        assert acts(Action.SINGLE_SIGN_ON_FAILED) == [(Action.SINGLE_SIGN_ON_FAILED, "", "ConnectionError")]

    def test_it_may_be_down_only_when_the_browser_comes_back(
        self, client: Client, provider: Provider, settings: Settings
    ) -> None:
        with run_provider() as other:
            settings.OIDC_ISSUER = other.url
            other.add_person("s-50", groups=["staff"])
            back = sign_in_there(go_there(client), "s-50")
        assert client.get(back).status_code == 502
        assert not is_signed_in(client)

    def test_an_admin_signs_in_with_their_password(
        self, client: Client, provider: Provider, settings: Settings, ada: Member
    ) -> None:
        settings.OIDC_ISSUER = "http://127.0.0.1:1"
        settings.SSO_ONLY = True
        client.post("/sign-in/", {"login": "ada", "password": PASSWORD})
        assert is_signed_in(client)


class TestSingleSignOnOnly:
    @pytest.fixture(autouse=True)
    def _only(self, provider: Provider, settings: Settings) -> None:
        settings.SSO_ONLY = True

    def test_the_form_is_hidden_and_one_link_away(self, client: Client) -> None:
        page = client.get("/sign-in/", {"next": "/team/"}).content.decode()
        assert "Sign in with Acme ID" in page
        assert 'name="password"' not in page
        assert "passkey" not in page.partition("<main")[2].partition("</main>")[0].lower()
        link = re.search(r'href="(\?[^"]+)"', page)
        assert link
        page = client.get("/sign-in/" + link[1].replace("&amp;", "&")).content.decode()
        assert 'name="password"' in page
        assert 'name="next" value="/team/"' in page

    def test_a_person_who_is_no_admin_is_refused_as_with_a_wrong_password(
        self, client: Client, otto: Member, vera: Member
    ) -> None:
        def page(login: str, password: str) -> str:
            text = Client().post("/sign-in/", {"login": login, "password": password}).content.decode()
            return re.sub(r'value="[^"]*"', "", text)

        assert page("otto", PASSWORD) == page("otto", "wrong") == page("nobody", "wrong")
        assert "Incorrect user name" in page("vera", PASSWORD)
        assert not is_signed_in(client)

    def test_their_try_is_on_record_as_any_that_failed(self, client: Client, otto: Member) -> None:
        client.post("/sign-in/", {"login": "otto", "password": PASSWORD})
        assert acts(Action.SIGN_IN_FAILED, Action.SIGNED_IN) == [(Action.SIGN_IN_FAILED, "otto", "")]

    def test_an_invitation_is_for_admins_alone(self, client: Client, ada: Member) -> None:
        enter(client, ada)
        page = client.get("/team/invitations/").content.decode()
        assert 'value="admin" selected' in page
        assert 'value="viewer"' not in page
        assert client.post("/team/invitations/", {"name": "Eve", "role": "viewer"}).status_code == 422

    def test_an_admin_comes_in(self, client: Client, ada: Member) -> None:
        assert client.post("/sign-in/", {"login": "ada", "password": PASSWORD})["Location"] == "/"


class TestLinkedMembers:
    """Members who are known by their subject come in through the provider, so their groups are read each time."""

    @pytest.fixture
    def olga(self, provider: Provider, ada: Member) -> Member:
        """A viewer with a password that was left from before, or set while there was no provider."""
        provider.add_person("s-90", preferred_username="olga", groups=["staff"])
        come_in(Client(), "s-90")
        olga = Member.objects.get(username="olga")
        olga.set_password(PASSWORD)
        olga.email = "olga@example.com"
        olga.save()
        return olga

    def test_a_password_opens_nothing(self, client: Client, olga: Member) -> None:
        response = client.post("/sign-in/", {"login": "olga", "password": PASSWORD})
        assert "Incorrect user name" in response.content.decode()
        assert not is_signed_in(client)
        assert acts(Action.SIGN_IN_FAILED) == [(Action.SIGN_IN_FAILED, "olga", "")]

    def test_an_admin_may_come_in_with_the_password_that_they_have(self, client: Client, olga: Member) -> None:
        Member.objects.filter(pk=olga.pk).update(role=Role.ADMIN)
        client.post("/sign-in/", {"login": "olga", "password": PASSWORD})
        assert is_signed_in(client)

    def test_one_without_a_password_may_not_come_in_with_anything_else(self, olga: Member) -> None:
        olga.role = Role.ADMIN
        assert may_sign_in_here(olga)
        olga.set_unusable_password()
        assert not may_sign_in_here(olga)

    def test_while_there_is_no_provider_no_one_is_linked(
        self, client: Client, olga: Member, settings: Settings
    ) -> None:
        settings.OIDC_ISSUER = ""
        client.post("/sign-in/", {"login": "olga", "password": PASSWORD})
        assert is_signed_in(client)

    def test_no_admin_makes_them_a_link_for_a_password(self, client: Client, olga: Member, ada: Member) -> None:
        enter(client, ada)
        path = f"/team/{olga.pk}/password/"
        assert path not in client.get("/team/").content.decode()
        page = client.post(path, follow=True).content.decode()
        assert "olga signs in with Acme ID" in page
        assert "/password/new/" not in page
        assert not acts(Action.PASSWORD_LINK_MADE)

    def test_a_link_from_before_is_gone(
        self, client: Client, olga: Member, ada: Member, settings: Settings, rf: RequestFactory
    ) -> None:
        issuer, settings.OIDC_ISSUER = settings.OIDC_ISSUER, ""
        path = urlsplit(make_link(olga, by=ada, request=rf.get("/"))).path
        assert client.get(path).status_code == 200
        settings.OIDC_ISSUER = issuer
        assert client.get(path).status_code == 404

    def test_their_password_goes_when_they_sign_in(self, client: Client, olga: Member) -> None:
        """Else they would be asked for it as a proof, and it would be refused."""
        come_in(client, "s-90")
        assert not Member.objects.get(pk=olga.pk).has_usable_password()
        assert client.get("/second-factor/app/").status_code == 200
        assert acts(Action.PASSWORD_CHANGED) == [
            (Action.PASSWORD_CHANGED, "olga", "olga: none any more, by their groups")
        ]

    def test_so_it_does_when_they_are_no_longer_an_admin(
        self, client: Client, provider: Provider, olga: Member
    ) -> None:
        Member.objects.filter(pk=olga.pk).update(role=Role.ADMIN)
        provider.add_person("s-90", groups=["portal-admins"])
        come_in(Client(), "s-90")
        assert Member.objects.get(pk=olga.pk).has_usable_password()
        provider.add_person("s-90", groups=["staff"])
        come_in(client, "s-90")
        assert is_signed_in(client)
        assert not Member.objects.get(pk=olga.pk).has_usable_password()


class TestTheSignInPage:
    def test_it_offers_both_ways(self, client: Client, provider: Provider) -> None:
        page = client.get("/sign-in/", {"next": "/team/"}).content.decode()
        assert "Sign in with Acme ID" in page
        assert 'name="password"' in page
        assert page.count('name="next" value="/team/"') == 3

    def test_its_forms_may_lead_to_the_provider_and_no_other_pages_may(
        self, client: Client, provider: Provider, ada: Member
    ) -> None:
        assert f"form-action 'self' {provider.url};" in client.get("/sign-in/")["Content-Security-Policy"] + ";"
        enter(client, ada)
        assert "form-action 'self';" in client.get("/team/")["Content-Security-Policy"] + ";"

    def test_without_a_provider_it_has_no_such_button(self, client: Client, db: None) -> None:
        response = client.get("/sign-in/")
        assert START not in response.content.decode()
        assert "form-action 'self';" in response["Content-Security-Policy"] + ";"


class TestSecondFactor:
    def test_where_it_is_required_the_provider_is_not_enough(
        self, client: Client, provider: Provider, settings: Settings
    ) -> None:
        settings.REQUIRE_SECOND_FACTOR = "everybody"
        provider.add_person("s-60", groups=["staff"])
        come_in(client, "s-60")
        assert client.get("/preferences/")["Location"] == "/second-factor/"

    def test_unless_the_settings_say_that_it_counts_as_one(
        self, client: Client, provider: Provider, settings: Settings, ada: Member
    ) -> None:
        settings.REQUIRE_SECOND_FACTOR = "everybody"
        settings.OIDC_COUNTS_AS_SECOND_FACTOR = True
        provider.add_person("s-61", groups=["staff"])
        come_in(client, "s-61")
        assert client.get("/preferences/").status_code == 200
        local = Client()
        local.post("/sign-in/", {"login": "ada", "password": PASSWORD})
        assert local.get("/preferences/")["Location"] == "/second-factor/"

    def test_one_that_they_have_set_up_is_asked_for(self, client: Client, provider: Provider) -> None:
        provider.add_person("s-62", groups=["staff"])
        come_in(client, "s-62")
        Authenticator.objects.create(user=Member.objects.get(), type="totp", data={"secret": "x"})
        other = Client()
        assert come_in(other, "s-62")["Location"] == "/sign-in/second-factor/"
        assert not is_signed_in(other)
        assert other.get("/sign-in/second-factor/").status_code == 200


def test_two_first_sign_ins_at_once_make_one_member(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request of theirs adds them between this one's look for the subject and its new row."""
    provider.add_person("s-70", preferred_username="olga", groups=["staff"])
    come_in(Client(), "s-70")
    monkeypatch.setattr(SocialLogin, "_lookup_by_socialaccount", lambda _login: False)
    come_in(client, "s-70")
    assert client.session["_auth_user_id"] == str(Member.objects.get().pk)


def test_a_user_name_that_is_taken_meanwhile_is_looked_for_anew(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch, vera: Member
) -> None:
    provider.add_person("s-71", preferred_username="vera", groups=["staff"])
    find = Member.objects.find_by_name
    seen: list[str] = []

    def look(name: str) -> Member | None:
        # At the first look no one has the name yet.
        seen.append(name)
        return find(name) if len(seen) > 1 else None

    monkeypatch.setattr(Member.objects, "find_by_name", look)
    come_in(client, "s-71")
    assert Member.objects.get(pk=client.session["_auth_user_id"]).username == "vera-2"


def test_a_member_who_cannot_be_added_is_a_failure(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_rest: Any) -> None:
        raise IntegrityError

    provider.add_person("s-72", groups=["staff"])
    monkeypatch.setattr(Member, "save", fail)
    assert come_in(client, "s-72").status_code == 502
    assert not is_signed_in(client)


def test_no_secret_of_the_provider_is_in_logs_or_audit(
    client: Client, provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    provider.add_person("s-80", groups=["staff"])
    back = sign_in_there(go_there(client), "s-80")
    code = parse_qs(urlsplit(back).query)["code"][0]
    client.get(back)
    said = capfd.readouterr()
    kept = json.dumps([str(event) for event in Event.objects.values()]) + said.err + said.out
    assert "a-secret-of-the-portal" not in kept
    assert code not in kept
