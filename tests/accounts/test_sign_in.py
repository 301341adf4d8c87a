"""Sign-in by name or email address and password: what is accepted, what is rejected, what the response reveals."""

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from portal.accounts.adapter import AccountAdapter
from portal.accounts.models import Member
from portal.audit.models import NOT_A_NAME, Action, Event
from tests.conftest import PASSWORD

SIGN_IN = "/sign-in/"
REFUSED = "Incorrect user name, e-mail address or password."


def sign_in(client: Client, login: str, password: str = PASSWORD, **rest: str) -> Any:
    return client.post(SIGN_IN, {"login": login, "password": password, **rest})


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("login", ["vera", "VERA", " vera ", "vera@example.com", "Vera@Example.COM"])
def test_name_and_email_both_open_the_door_in_any_case(client: Client, vera: Member, login: str) -> None:
    response = sign_in(client, login)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(vera.pk)


def test_the_session_gets_a_new_id_at_sign_in(client: Client, vera: Member) -> None:
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    sign_in(client, "vera")
    assert client.session.session_key != before


@pytest.mark.parametrize(
    ("login", "password"),
    [("vera", "wrong"), ("nobody", PASSWORD), ("vera@example.com", "wrong"), ("nobody@example.com", PASSWORD)],
)
def test_unknown_and_wrong_are_told_apart_by_nothing(client: Client, vera: Member, login: str, password: str) -> None:
    response = sign_in(client, login, password)
    assert REFUSED in response.content.decode()
    assert "does not exist" not in response.content.decode()
    assert not is_signed_in(client)


@pytest.mark.parametrize("login", ["vera", "vera@example.com", "nobody", "nobody@example.com", "gone@example.com"])
def test_every_refusal_takes_the_time_of_one_password(
    client: Client, vera: Member, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    Member.objects.create_user("gone", "gone@example.com", PASSWORD, is_active=False)
    hashed = []
    encode = MD5PasswordHasher.encode

    def count(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    sign_in(client, login, "wrong")
    assert hashed == ["wrong"]


def test_a_deactivated_member_sees_what_a_wrong_password_shows(client: Client, vera: Member) -> None:
    def page(login: str, password: str) -> str:
        text = sign_in(Client(), login, password).content.decode()
        return re.sub(r'name="csrfmiddlewaretoken" value="\w+"|value="[^"]*"', "", text)

    wrong = page("vera", "wrong")
    vera.is_active = False
    vera.save()
    assert page("vera", PASSWORD) == wrong
    assert REFUSED in wrong


def test_the_sixth_try_on_one_account_is_refused_even_with_the_right_password(client: Client, vera: Member) -> None:
    for _ in range(5):
        assert REFUSED in sign_in(client, "vera", "wrong").content.decode()
    response = sign_in(client, "vera")
    assert "Too many failed attempts" in response.content.decode()
    assert not is_signed_in(client)


def test_name_and_email_share_one_count(client: Client, vera: Member) -> None:
    for login in ("vera", "vera@example.com", "VERA", "Vera@example.com", "vera"):
        sign_in(client, login, "wrong")
    assert REFUSED in sign_in(client, "vera@example.com").content.decode()
    assert not is_signed_in(client)


def test_another_host_name_starts_no_new_count(client: Client, vera: Member) -> None:
    for host in ("testserver", "localhost", "127.0.0.1", "testserver", "localhost"):
        client.post(SIGN_IN, {"login": "vera", "password": "wrong"}, headers={"host": host})
    assert "Too many failed attempts" in sign_in(client, "vera").content.decode()


def test_a_deactivated_account_counts_tries_with_the_right_password_too(client: Client, vera: Member) -> None:
    vera.is_active = False
    vera.save()
    for _ in range(5):
        assert REFUSED in sign_in(client, "vera").content.decode()
    assert "Too many failed attempts" in sign_in(client, "vera").content.decode()


def test_a_good_sign_in_is_not_counted(client: Client, vera: Member) -> None:
    for _ in range(7):
        assert sign_in(Client(), "vera").status_code == 302


def test_the_eleventh_try_from_one_address_is_refused_whatever_the_account(client: Client, vera: Member) -> None:
    for number in range(10):
        sign_in(client, f"nobody{number}", "wrong")
    assert "Too many failed attempts" in sign_in(client, "vera").content.decode()


def test_behind_a_proxy_each_client_has_their_own_count(client: Client, vera: Member, settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    for number in range(10):
        client.post(SIGN_IN, {"login": f"n{number}", "password": "x"}, headers={"x-forwarded-for": "192.0.2.1"})
    response = client.post(SIGN_IN, {"login": "vera", "password": PASSWORD}, headers={"x-forwarded-for": "192.0.2.2"})
    assert response.status_code == 302


def test_a_flood_of_forms_gets_the_designed_page(client: Client, db: None) -> None:
    for number in range(30):
        sign_in(client, f"nobody{number}", "wrong")
    response = sign_in(client, "vera")
    assert response.status_code == 429
    assert "Too many attempts" in response.content.decode()


def test_sign_in_leads_back_to_where_the_person_was_going(client: Client, vera: Member) -> None:
    page = client.get(SIGN_IN, {"next": "/spo1/instances/?name=web-*"}).content.decode()
    assert 'name="next" value="/spo1/instances/?name=web-*"' in page
    assert sign_in(client, "vera", next="/spo1/instances/?name=web-*")["Location"] == "/spo1/instances/?name=web-*"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "https:evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http://testserver@evil.example/",
        "http://localhost/",
        "\x08//evil.example",
    ],
)
def test_sign_in_never_leads_to_another_origin(client: Client, vera: Member, target: str) -> None:
    assert sign_in(client, "vera", next=target)["Location"] == "/"


def test_a_person_who_is_signed_in_is_sent_home_from_the_sign_in_page(client: Client, vera: Member) -> None:
    client.force_login(vera)
    response = client.get(SIGN_IN)
    assert (response.status_code, response["Location"]) == (302, "/")


def test_the_page_has_labels_autocomplete_and_nothing_inline(client: Client, db: None) -> None:
    page = client.get(SIGN_IN).content.decode()
    assert "User name or e-mail" in page
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert "style=" not in page
    assert "<style" not in page
    assert not re.search(r"\son\w+=", page)


def test_no_header_turns_sign_in_into_json(client: Client, vera: Member) -> None:
    response = client.post(
        SIGN_IN, {"login": "vera", "password": "wrong"}, headers={"x-requested-with": "XMLHttpRequest"}
    )
    assert response["Content-Type"].startswith("text/html")


def test_no_one_can_sign_up(client: Client, db: None) -> None:
    for path in ("/signup/", "/sign-up/", "/accounts/signup/", "/password/reset/"):
        assert client.get(path).status_code == 404


def test_showing_the_form_asks_the_database_nothing(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get(SIGN_IN)


def test_sign_in_and_its_failures_are_on_record_without_the_password(client: Client, vera: Member) -> None:
    sign_in(client, "vera", "my-wrong-secret")
    sign_in(client, "someone\x07 \u202eelse", "my-wrong-secret")
    sign_in(client, "vera")
    found = [(event.act, event.name, event.member_id) for event in Event.objects.order_by("id")]
    assert found == [
        (Action.SIGN_IN_FAILED, "vera", None),
        (Action.SIGN_IN_FAILED, NOT_A_NAME, None),
        (Action.SIGNED_IN, "vera", vera.pk),
    ]
    assert "my-wrong-secret" not in repr(list(Event.objects.values()))


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["correct horse battery", "Pa$$w0rd-of-mine", "hunter2!", "x" * 151])
def test_a_password_in_the_field_for_the_name_is_kept_nowhere(
    client: Client,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Callable[..., Any],
    password: str,
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    with caplog.at_level(logging.DEBUG), django_capture_on_commit_callbacks(execute=True):
        sign_in(client, password, "")
        sign_in(client, password, "vera")
        client.post("/password/forgotten/", {"login": password})
    found = set(Event.objects.values_list("act", "name"))
    assert found == {(Action.SIGN_IN_FAILED, NOT_A_NAME), (Action.PASSWORD_LINK_MADE, NOT_A_NAME)}
    assert NOT_A_NAME in caplog.text
    assert password not in caplog.text
    assert password not in repr(list(Event.objects.values()))


@pytest.mark.parametrize("name", ["mallory", "Mallory@example.com", "j.o+a_o-1", "joão", "v'era@example.com"])
def test_what_reads_like_a_name_or_is_a_members_is_kept(client: Client, vera: Member, name: str) -> None:
    Member.objects.filter(pk=vera.pk).update(email="v'era@example.com")
    sign_in(client, name, "wrong")
    assert list(Event.objects.values_list("act", "name")) == [(Action.SIGN_IN_FAILED, name)]


def test_a_very_long_login_is_refused_before_it_is_looked_up(client: Client, db: None) -> None:
    response = sign_in(client, "x" * 255, "wrong")
    assert "at most 254 characters" in response.content.decode()
    assert not Event.objects.exists()


class TestSignOut:
    def test_post_ends_the_session_and_empties_the_browser(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        key = client.session.session_key
        response = client.post("/sign-out/")
        assert (response.status_code, response["Location"]) == (302, "/sign-in/")
        assert response["Clear-Site-Data"] == '"cache", "storage"'
        assert response.cookies["sessionid"]["max-age"] == 0
        assert not client.session.exists(str(key))
        assert client.get("/preferences/").status_code == 302

    def test_get_only_asks(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        response = client.get("/sign-out/")
        assert response.status_code == 200
        assert "Clear-Site-Data" not in response
        assert is_signed_in(client)

    def test_it_needs_the_forms_check_value(self, vera: Member) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(vera)
        assert client.post("/sign-out/").status_code == 403
        assert is_signed_in(client)

    def test_unsigned_it_leads_to_sign_in(self, client: Client, db: None) -> None:
        assert client.get("/sign-out/")["Location"] == "/sign-in/"
        assert client.post("/sign-out/")["Location"] == "/sign-in/"

    def test_it_is_on_record_once(self, client: Client, vera: Member) -> None:
        client.force_login(vera)
        client.post("/sign-out/")
        client.post("/sign-out/")
        assert Event.objects.filter(act=Action.SIGNED_OUT, member=vera).count() == 1


def test_allauth_is_told_that_no_one_signs_up_by_themselves(rf: RequestFactory) -> None:
    assert not AccountAdapter(rf.get("/")).is_open_for_signup(rf.get("/"))
