"""Cookies cannot be read by scripts, set by other hosts, or sent with a form of another site."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from tests.conftest import PASSWORD


@pytest.mark.parametrize("is_secure", [True, False])
def test_every_cookie_is_for_this_host_and_no_script(settings: Settings, vera: Member, *, is_secure: bool) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = is_secure
    client = Client()
    client.get("/sign-in/", secure=is_secure)
    client.post("/sign-in/", {"login": "vera", "password": PASSWORD}, secure=is_secure)
    client.post("/credentials/spo1/remove/", secure=is_secure)
    assert len(client.cookies) == 3, "session, form check value, message"
    for name, cookie in client.cookies.items():
        assert cookie["httponly"], name
        assert cookie["samesite"] in {"Lax", "Strict"}, name
        assert (cookie["path"], cookie["domain"]) == ("/", ""), name
        assert bool(cookie["secure"]) is is_secure, name
