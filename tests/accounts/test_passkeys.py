"""Forged passkey requests: rejected, logged, and never a crash.

tests/browser/test_passkeys.py uses a browser and valid keys.
"""

import json
import re
import time
from html import unescape
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from pytest_django import Settings

from portal.accounts.adapter import AccountAdapter
from portal.accounts.models import Member
from portal.audit.models import Action, Event
from tests.accounts.keys import Key, encode
from tests.conftest import PASSWORD

ALONE = "/sign-in/passkey/"
CHALLENGE = "/sign-in/passkey/challenge/"
SECOND = "/sign-in/second-factor/"
ADD = "/second-factor/passkeys/"
REFUSED = "This passkey was not accepted."


def make_answer(**changes: Any) -> dict[str, Any]:
    """What a browser would send, were its parts right."""
    client_data = {"type": "webauthn.get", "challenge": "AAAA", "origin": "https://testserver"}
    response = {
        "clientDataJSON": encode(json.dumps(client_data).encode()),
        "authenticatorData": encode(b"\0" * 37),
        "signature": encode(b"signature"),
        "userHandle": encode(b"1"),
    }
    answer = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response | changes.pop("response", {})}
    return answer | {"clientExtensionResults": {}} | changes


HOSTILE = [
    "",
    "null",
    "[]",
    "7",
    '"x"',
    "{}",
    "{",
    '{"response": null}',
    '{"response": []}',
    json.dumps(make_answer()),
    json.dumps(make_answer(type="password")),
    json.dumps(make_answer(rawId="!!")),
    json.dumps(make_answer(rawId=7)),
    json.dumps(make_answer(response={"userHandle": None})),
    json.dumps(make_answer(response={"userHandle": encode(b"\xff\xfe")})),
    json.dumps(make_answer(response={"userHandle": encode(b"zzzzzzzzzzzzz")})),
    json.dumps(make_answer(response={"userHandle": encode(b"-1")})),
    json.dumps(make_answer(response={"authenticatorData": ""})),
    json.dumps(make_answer(response={"authenticatorData": encode(b"\xff" * 200)})),
    json.dumps(make_answer(response={"clientDataJSON": encode(b"[]")})),
    json.dumps(make_answer(response={"clientDataJSON": encode(b"\xff")})),
    json.dumps(make_answer(response={"attestationObject": encode(b"\xa1")})),
    json.dumps(make_answer(response={"attestationObject": encode(b"\x9f" * 5000)})),
]


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.fixture
def halfway(client: Client, vera: Member) -> Client:
    """Vera has a second factor, and has entered the password."""
    Authenticator.objects.create(user=vera, type="totp", data={"secret": "x"})
    assert client.post("/sign-in/", {"login": "vera", "password": PASSWORD})["Location"] == SECOND
    return client


@pytest.mark.parametrize("answer", HOSTILE)
def test_alone_nothing_but_a_good_one_opens(client: Client, vera: Member, answer: str) -> None:
    client.post(CHALLENGE)
    response = client.post(ALONE, {"credential": answer, "next": "/team/"})
    assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/team/")
    assert not is_signed_in(client)
    assert client.get("/sign-in/").status_code == 200


@pytest.mark.parametrize("answer", HOSTILE)
def test_after_the_password_nothing_but_a_good_one_opens(halfway: Client, answer: str) -> None:
    response = halfway.post(SECOND, {"credential": answer})
    assert response.status_code == 200
    assert not is_signed_in(halfway)


@pytest.mark.parametrize("answer", HOSTILE)
def test_none_but_a_good_one_is_set_up(client: Client, vera: Member, answer: str) -> None:
    client.force_login(vera)
    client.post(f"/second-factor/again/?next={ADD}", {"password": PASSWORD})
    assert client.get(ADD).status_code == 200
    response = client.post(ADD, {"name": "x", "credential": answer})
    assert response.status_code == 200
    assert not Authenticator.objects.exists()


def test_one_that_is_too_long_is_not_looked_at(client: Client, vera: Member) -> None:
    client.force_login(vera)
    client.post(f"/second-factor/again/?next={ADD}", {"password": PASSWORD})
    page = client.post(ADD, {"name": "x", "credential": json.dumps(make_answer(rest="x" * 20_000))})
    assert REFUSED in page.content.decode()


def test_a_refusal_is_said_and_on_record(client: Client, vera: Member) -> None:
    client.post(CHALLENGE)
    page = client.post(ALONE, {"credential": json.dumps(make_answer())}, follow=True)
    assert REFUSED in page.content.decode()
    assert [(event.name, event.subject) for event in Event.objects.filter(act=Action.SECOND_FACTOR_FAILED)] == [
        ("", "passkey")
    ]
    assert not Event.objects.get(act=Action.SECOND_FACTOR_FAILED).is_from_command_line


def test_the_address_that_takes_them_shows_nothing(client: Client, db: None) -> None:
    assert client.get(ALONE)["Location"] == "/sign-in/"


def test_a_challenge_is_made_anew_for_each_asker_and_kept_in_their_session(client: Client, db: None) -> None:
    first, second = client.post(CHALLENGE).json(), client.post(CHALLENGE).json()
    assert first["publicKey"]["challenge"] != second["publicKey"]["challenge"]
    assert first["publicKey"]["userVerification"] == "required"
    assert first["publicKey"]["rpId"] == "testserver"
    assert not first["publicKey"].get("allowCredentials")


def test_challenges_are_limited_as_sign_in_forms_are(client: Client, db: None) -> None:
    codes = [client.post(CHALLENGE).status_code for _number in range(31)]
    assert codes == [200] * 30 + [429]


def test_tries_from_one_address_are_limited(client: Client, db: None) -> None:
    codes = [client.post(ALONE, {"credential": "{}"}).status_code for _number in range(11)]
    assert codes == [302] * 10 + [429]


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "operator"}])
def test_a_good_one_of_who_may_not_sign_in_opens_nothing(
    client: Client, vera: Member, settings: Settings, change: dict[str, Any]
) -> None:
    key = Key(vera)
    settings.OIDC_ISSUER, settings.SSO_ONLY = "https://login.example.com", "role" in change
    Member.objects.filter(pk=vera.pk).update(**change)
    response = client.post(ALONE, {"credential": key.sign(ask_to_sign_alone(client), is_verified=True)})
    assert response["Location"] == "/sign-in/"
    assert not is_signed_in(client)
    assert Event.objects.filter(act=Action.SECOND_FACTOR_FAILED, member=vera).exists()


def test_nor_does_one_of_who_comes_in_through_the_provider(client: Client, vera: Member, settings: Settings) -> None:
    settings.OIDC_ISSUER = "https://login.example.com"
    key = Key(vera)
    SocialAccount.objects.create(user=vera, provider=settings.OIDC_ISSUER, uid="s-1")
    client.post(ALONE, {"credential": key.sign(ask_to_sign_alone(client), is_verified=True)})
    assert not is_signed_in(client)


def test_a_new_name_is_on_record(client: Client, vera: Member) -> None:
    client.force_login(vera)
    key = Key(vera)
    session = client.session
    proof = {"method": "mfa", "at": time.time(), "reauthenticated": True}
    session["account_authentication_methods"] = [proof]
    session["account_authentication_methods_user"] = str(vera.pk)
    session.save()
    assert client.post(f"/second-factor/{key.row.pk}/name/", {"name": "Laptop"})["Location"] == "/second-factor/"
    found = [(event.name, event.subject) for event in Event.objects.filter(act=Action.SECOND_FACTOR_RENAMED)]
    assert found == [("vera", "passkey Soft → Laptop")]


def ask_to_sign_alone(client: Client) -> str:
    return str(client.post(CHALLENGE).json()["publicKey"]["challenge"])


def test_a_good_one_opens_alone(client: Client, vera: Member) -> None:
    answer = Key(vera).sign(ask_to_sign_alone(client), is_verified=True)
    assert client.post(ALONE, {"credential": answer})["Location"] == "/"
    assert is_signed_in(client)


@pytest.mark.parametrize(
    ("kind", "is_verified"),
    [
        ({}, False),
        ({"is_alone": False}, True),
        ({"verifies_user": False}, True),
    ],
)
def test_alone_it_must_verify_the_person_and_be_meant_for_that(
    client: Client,
    vera: Member,
    kind: dict[str, bool],
    is_verified: bool,  # noqa: FBT001
) -> None:
    answer = Key(vera, **kind).sign(ask_to_sign_alone(client), is_verified=is_verified)
    client.post(ALONE, {"credential": answer})
    assert not is_signed_in(client)
    assert Event.objects.filter(act=Action.SECOND_FACTOR_FAILED).count() == 1


@pytest.mark.parametrize("is_verified", [False, True])
def test_a_challenge_of_the_second_factor_opens_nothing_alone(
    client: Client,
    vera: Member,
    otto: Member,
    clock: time_machine.Traveller,
    is_verified: bool,  # noqa: FBT001
) -> None:
    """Otto signs in with a password, is asked for a key, and answers with Vera's. User verification is optional there.
    After the sign-in has expired, the challenge is still in the session.
    """
    Key(otto)
    client.post("/sign-in/", {"login": "otto", "password": PASSWORD})
    shown = re.search(r'data-options="([^"]*)"', client.get(SECOND).content.decode())
    assert shown
    options = json.loads(unescape(shown[1]))
    assert options["publicKey"]["userVerification"] == "preferred"
    clock.shift(15 * 60 + 1)
    client.post(ALONE, {"credential": Key(vera).sign(options["publicKey"]["challenge"], is_verified=is_verified)})
    assert not is_signed_in(client)


def test_too_many_wrong_ones_are_not_looked_at_for_a_while(halfway: Client) -> None:
    for _number in range(6):
        halfway.post(SECOND, {"credential": json.dumps(make_answer())})
    assert Event.objects.filter(act=Action.SECOND_FACTOR_FAILED, name="vera").count() == 5
    assert "Too many failed attempts" in halfway.post(SECOND, {"code": "000000"}).content.decode()
    assert not is_signed_in(halfway)


def test_a_session_that_cannot_go_on_leads_back_with_a_reason(client: Client, rf: Any, vera: Member) -> None:
    request = client.get("/sign-in/").wsgi_request
    response = AccountAdapter(request).respond_user_inactive(request, vera)
    assert response["Location"] == "/sign-in/"
