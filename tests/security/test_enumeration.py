"""Responses, timing and throttles do not reveal to outsiders who is a member.

Timing is measured by its causes: password hashes and database queries.
"""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Invitation, Member
from portal.accounts.passwords.services import make_link
from tests.conftest import PASSWORD

TRIES = 20
MEMBERS = ["vera", "VERA", "vera@example.com", "zoe", "zoe@example.com", "bare"]
STRANGERS = ["nobody", "NOBODY", "nobody@example.com", "nobody.else@example.com", "root", "admin"]


@pytest.fixture(autouse=True)
def _members(vera: Member) -> None:
    Member.objects.create_user("zoe", "zoe@example.com", PASSWORD, is_active=False)
    Member.objects.create_user("bare", "bare@example.com")  # Has no password at all.


def sign_in(login: str, password: str, *, address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).post("/sign-in/", {"login": login, "password": password})


def read_answer(response: Any, typed: str) -> tuple[int, dict[str, str], str]:
    """All of an answer, but what differs between any two: check values, request ids, lengths, and what was typed."""
    headers = {
        name: value for name, value in response.items() if name not in {"X-Request-Id", "Content-Length", "Expires"}
    }
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())
    return response.status_code, headers, body.replace(f'value="{typed}"', "")


def test_one_answer_for_members_and_strangers(settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    answers = {login: read_answer(sign_in(login, "wrong"), login) for login in MEMBERS + STRANGERS}
    first = next(iter(answers.values()))
    assert first[0] == 200
    assert [login for login, answer in answers.items() if answer != first] == []


def test_each_refusal_costs_one_password_and_the_same_questions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many tries, in turn, and none of them different."""
    settings.ACCOUNT_RATE_LIMITS = False
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    costs: dict[str, set[tuple[int, int]]] = {}
    for _ in range(TRIES // 4):
        for login in MEMBERS + STRANGERS:
            hashed.clear()
            with CaptureQueriesContext(connection) as queries:
                sign_in(login, "wrong")
            kind = "by e-mail address" if "@" in login else "by name"
            costs.setdefault(kind, set()).add((len(hashed), len(queries)))
    assert {kind: len(found) for kind, found in costs.items()} == {"by e-mail address": 1, "by name": 1}, costs
    assert {passwords for found in costs.values() for passwords, _ in found} == {1}


def test_the_throttle_shuts_for_strangers_as_it_does_for_members() -> None:
    shut = {}
    for number, login in enumerate(["vera", "vera@example.com", "zoe", "bare", "nobody", "nobody@example.com"]):
        shut[login] = [
            "Too many failed attempts" in sign_in(login, "wrong", address=f"192.0.2.{10 + number}").content.decode()
            for _ in range(7)
        ]
    assert set(map(tuple, shut.values())) == {(False,) * 5 + (True,) * 2}


def test_what_a_name_fills_does_not_tell_whose_address_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five tries as vera shut them out under their address, too, in words and at a cost that a stranger's also have."""
    encode, hashed = MD5PasswordHasher.encode, list[str]()

    def count(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(hasher, password, salt)

    def ask(login: str, address: str) -> tuple[Any, int, int]:
        hashed.clear()
        with CaptureQueriesContext(connection) as queries:
            response = sign_in(login, PASSWORD, address=address)
        assert "sessionid" not in response.cookies
        return read_answer(response, login), len(hashed), len(queries)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    for name, address in (("vera", "192.0.2.1"), ("nobody", "192.0.2.2")):
        for _ in range(5):
            sign_in(name, "wrong", address=address)
    *member, member_queries = ask("vera@example.com", "192.0.2.1")
    *strangers, strangers_queries = ask("nobody@example.com", "192.0.2.2")
    assert member == strangers
    # A count that is full is not written once more.
    assert abs(member_queries - strangers_queries) <= 2


def test_the_throttled_answer_is_the_same_whether_the_password_is_right() -> None:
    def shut(login: str, password: str, address: str) -> tuple[int, dict[str, str], str]:
        for _ in range(6):
            sign_in(login, "wrong", address=address)
        return read_answer(sign_in(login, password, address=address), login)

    assert shut("vera", PASSWORD, "192.0.2.1") == shut("nobody", PASSWORD, "192.0.2.2")


def test_links_that_were_made_used_revoked_or_never_made_are_one_page(ada: Member) -> None:
    def make(**facts: Any) -> str:
        invitation = Invitation(name="Eve", email="eve@example.com", created_by=ada)
        token = invitation.make_token()
        for name, value in facts.items():
            setattr(invitation, name, value)
        invitation.save()
        return token

    now = timezone.now()
    tokens = [make(used_at=now), make(expires_at=now - timedelta(seconds=1)), "never-made", "x" * 43]
    answers = []
    for token in tokens:
        with CaptureQueriesContext(connection) as queries:
            response = Client().get(f"/invitations/{token}/")
        answers.append((read_answer(response, token), len(queries)))
    assert answers[0][0][0] == 404
    assert answers.count(answers[0]) == len(answers)
    assert not re.search(r"\b(Eve|ada)\b", answers[0][0][2])


@pytest.mark.parametrize("path", ["/", "/team/", "/credentials/", "/sessions/", "/password/", "/nothing/", "/sign-in/"])
def test_no_page_that_is_open_to_everyone_names_a_member(ada: Member, path: str) -> None:
    page = Client().get(path, follow=True).content.decode()
    assert not re.search(r"\b(ada|vera|zoe|bare)\b", page)


def ask_for_link(login: str) -> Any:
    return Client(REMOTE_ADDR="192.0.2.1").post("/password/forgotten/", {"login": login})


@pytest.mark.parametrize("email_url", ["", "submission://mail.example.com"])
def test_a_member_who_has_forgotten_their_password_gets_the_answer_a_stranger_gets(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, email_url: str
) -> None:
    """In words, in passwords hashed and in questions put to the database; mail is sent when the answer is given."""
    settings.EMAIL_URL = email_url
    settings.ACCOUNT_RATE_LIMITS = False
    monkeypatch.setattr("portal.accounts.mails.Thread", Unstarted)
    hashed: list[str] = []
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda _hasher, password, _salt: hashed.append(password))
    answers, costs = [], set()
    for login in MEMBERS + STRANGERS:
        with CaptureQueriesContext(connection) as queries:
            answers.append(read_answer(ask_for_link(login), login))
        costs.add((len(queries), len(hashed)))
    assert answers.count(answers[0]) == len(answers)
    assert len(costs) == 1


def test_asking_for_a_link_is_shut_for_strangers_as_it_is_for_members(settings: Settings) -> None:
    settings.EMAIL_URL = "submission://mail.example.com"
    said = {login: [read_answer(ask_for_link(login), login) for _ in range(5)] for login in ("bare", "nobody")}
    assert said["bare"] == said["nobody"]


def test_links_for_a_password_that_were_used_or_never_made_are_one_page(
    vera: Member, ada: Member, rf: RequestFactory
) -> None:
    used = urlsplit(make_link(vera, by=ada, request=rf.get("/"))).path
    vera.set_password("another-long-password")
    vera.save()
    key = used.split("/")[3]
    paths = (used, f"/password/new/{key}/abc-def/", "/password/new/MA/abc-def/", "/password/new/%20/x/")
    answers = [read_answer(Client().get(path), path) for path in paths]
    assert answers[0][0] == 404
    assert answers.count(answers[0]) == len(answers)


class Unstarted:
    """A thread that never begins: what is done in it takes no time of the answer."""

    def __init__(self, **_options: Any) -> None:
        pass

    def start(self) -> None:
        pass
