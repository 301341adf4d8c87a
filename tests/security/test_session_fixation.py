"""An attacker gives a member a session id, and waits for them to sign in with it."""

import pytest
from django.conf import settings
from django.test import Client

from portal.accounts.models import Member
from tests.conftest import PASSWORD

COOKIE = settings.SESSION_COOKIE_NAME


def sign_in(client: Client, login: str) -> str:
    """Sign in by the form; the id of the session that came of it."""
    response = client.post("/sign-in/", {"login": login, "password": PASSWORD})
    assert response.status_code == 302
    return client.cookies[COOKIE].value


def is_open(key: str) -> bool:
    """Whether that session id lets someone in."""
    thief = Client()
    thief.cookies[COOKIE] = key
    return thief.get("/preferences/").status_code == 200


@pytest.mark.parametrize("planted", ["a" * 32, "0", "../../etc/passwd", "x" * 5000, "a" * 40])
def test_an_id_that_was_made_up_is_not_taken_over(client: Client, vera: Member, planted: str) -> None:
    client.cookies[COOKIE] = planted
    key = sign_in(client, "vera")
    assert key != planted
    assert is_open(key)
    assert not is_open(planted)


def test_an_anonymous_session_that_exists_is_not_taken_over(client: Client, vera: Member) -> None:
    thief = Client()
    session = thief.session
    session["planted"] = "yes"
    session.save()
    planted = str(session.session_key)
    client.cookies[COOKIE] = planted
    key = sign_in(client, "vera")
    assert key != planted
    assert not is_open(planted)


def test_the_session_of_another_member_is_not_taken_over(client: Client, ada: Member, vera: Member) -> None:
    """One signs in, plants their own session, and the other signs in over it."""
    thief = Client()
    planted = sign_in(thief, "ada")
    client.cookies[COOKIE] = planted
    client.post("/sign-out/")
    key = sign_in(client, "vera")
    assert key != planted
    assert not is_open(planted)


def test_a_second_sign_in_gives_another_id_and_closes_the_first(client: Client, vera: Member) -> None:
    first = sign_in(client, "vera")
    client.post("/sign-out/")
    assert not is_open(first)
    assert sign_in(client, "vera") != first


def test_no_session_id_is_read_from_an_address_or_a_form(client: Client, vera: Member) -> None:
    key = sign_in(Client(), "vera")
    for name in (COOKIE, "sessionid", "session", "session_key"):
        assert client.get("/preferences/", {name: key}).status_code == 302
        assert client.post("/preferences/", {name: key}).status_code == 302
    assert client.get("/preferences/", headers={"authorization": f"Bearer {key}", "x-session": key}).status_code == 302


def test_no_page_and_no_header_but_the_cookie_tells_the_id(client: Client, ada: Member) -> None:
    key = sign_in(client, "ada")
    for path in ("/preferences/", "/team/", "/audit/", "/credentials/", "/sign-out/", "/nothing/"):
        response = client.get(path)
        assert key not in response.content.decode()
        assert key not in str(dict(response.items()))


def test_the_check_value_of_forms_changes_at_sign_in(client: Client, vera: Member) -> None:
    """Else one that was planted, or seen, before would be good after."""
    client.get("/sign-in/")
    before = client.cookies[settings.CSRF_COOKIE_NAME].value
    sign_in(client, "vera")
    assert client.cookies[settings.CSRF_COOKIE_NAME].value != before
