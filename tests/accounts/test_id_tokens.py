"""Validation of ID tokens (OpenID Connect Core 1.0, 3.1.3.7), with a provider over HTTP that sends invalid ones."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from tests.accounts.odd_provider import OddProvider, run_odd_provider


@dataclass(frozen=True)
class InMinutes:
    """A time, worked out when the token is made."""

    number: float
    kind: type = int

    def work_out(self) -> Any:
        return self.kind(int(time.time() + self.number * 60))


@pytest.fixture(scope="module")
def odd_server() -> Iterator[OddProvider]:
    with run_odd_provider() as provider:
        yield provider


@pytest.fixture
def odd(odd_server: OddProvider, settings: Settings, db: None) -> OddProvider:
    settings.OIDC_ISSUER = odd_server.url
    settings.OIDC_ORIGINS = [odd_server.url]
    settings.OIDC_CLIENT_ID = "portal"
    settings.OIDC_CLIENT_SECRET = "a-secret-of-the-portal"
    settings.OIDC_NAME = "Acme ID"
    settings.OIDC_ROLE_GROUPS = {"staff": "viewer"}
    odd_server.about = {}
    return odd_server


def come_in(client: Client, odd: OddProvider, *, without: str = "", **claims: Any) -> Any:
    """Begin in the portal and come back with a token that is good but for `claims` and what it is `without`."""
    asked = parse_qs(urlsplit(client.post("/sign-in/provider/")["Location"]).query)
    told = {name: value.work_out() if isinstance(value, InMinutes) else value for name, value in claims.items()}
    odd.claims = odd.list_good_claims(nonce=asked["nonce"][0]) | told
    odd.claims.pop(without, None)
    return client.get("/sign-in/provider/back/", {"code": "a-code", "state": asked["state"][0]})


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"azp": "portal"},
        {"aud": ["portal"]},
        {"aud": ["portal", "another"], "azp": "portal"},
        {"iat": InMinutes(-5), "exp": InMinutes(1440)},
        # A clock that is a little ahead of ours.
        {"iat": InMinutes(1)},
        {"jti": "once"},
    ],
)
def test_a_good_token_lets_in(client: Client, odd: OddProvider, claims: dict[str, Any]) -> None:
    assert come_in(client, odd, **claims)["Location"] == "/"
    assert Member.objects.get().username == "olga"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": InMinutes(-1)}, "Signature has expired"),
        ({"exp": None}, "Expiration Time claim (exp) must be an integer."),
        ({"exp": InMinutes(5, str)}, "exp is no time"),
        ({"iss": "https://login.example.net"}, "Invalid issuer"),
        ({"aud": "another"}, "Audience doesn't match"),
        ({"aud": ["portal", "another"]}, "several audiences and no azp"),
        ({"aud": ["portal", "another"], "azp": "another"}, "azp is another client"),
        ({"azp": "another"}, "azp is another client"),
        ({"azp": ["portal"]}, "azp is another client"),
        ({"azp": None}, "azp is another client"),
        ({"iat": InMinutes(-60 * 24)}, "iat is long ago"),
        ({"iat": InMinutes(30)}, "iat is in the future"),
        ({"iat": "now"}, "iat is no time"),
        ({"iat": True}, "iat is no time"),
        ({"nbf": InMinutes(30)}, "nbf is in the future"),
        ({"nbf": "soon"}, "nbf is no time"),
        ({"nonce": "of-another-sign-in"}, "nonce is another sign-in's"),
        ({"nonce": None}, "nonce is another sign-in's"),
    ],
)
def test_a_token_that_says_something_odd_is_refused_and_its_reason_on_record(
    client: Client, odd: OddProvider, caplog: pytest.LogCaptureFixture, claims: dict[str, Any], reason: str
) -> None:
    assert_refused(client, come_in(client, odd, **claims), f"ID token: {reason}")
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["problem"] for line in told if line["event"] == "single_sign_on_failed"] == [reason]


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("exp", "exp is no time"),
        ("iat", "iat is no time"),
        ("iss", 'Token is missing the "iss" claim'),
        ("aud", 'Token is missing the "aud" claim'),
        ("nonce", "nonce is another sign-in's"),
    ],
)
def test_a_token_that_lacks_what_it_must_say_is_refused(
    client: Client, odd: OddProvider, claim: str, reason: str
) -> None:
    assert_refused(client, come_in(client, odd, without=claim), f"ID token: {reason}")


def test_what_is_told_besides_the_token_does_not_stand_in_for_it(client: Client, odd: OddProvider) -> None:
    asked = parse_qs(urlsplit(client.post("/sign-in/provider/")["Location"]).query)
    odd.claims = odd.list_good_claims(nonce=asked["nonce"][0])
    odd.about = {name: odd.claims.pop(name) for name in ("nonce", "exp", "iat")}
    response = client.get("/sign-in/provider/back/", {"code": "a-code", "state": asked["state"][0]})
    assert_refused(client, response, "ID token: exp is no time")
    asked = parse_qs(urlsplit(client.post("/sign-in/provider/")["Location"]).query)
    odd.claims = odd.list_good_claims(nonce="")
    odd.about = {"nonce": asked["nonce"][0]}
    del odd.claims["nonce"]
    response = client.get("/sign-in/provider/back/", {"code": "a-code", "state": asked["state"][0]})
    assert_refused(client, response, "ID token: nonce is another sign-in's")


def assert_refused(client: Client, response: Any, subject: str) -> None:
    assert response.status_code == 502
    assert "can't be reached or sent an invalid response. Try again in a moment" in response.content.decode()
    assert "_auth_user_id" not in client.session
    assert not Member.objects.exists()
    failures = Event.objects.filter(act=Action.SINGLE_SIGN_ON_FAILED).order_by("-id")
    assert failures[0].subject == subject
