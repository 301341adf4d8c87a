"""Flash messages are kept in a cookie of this host only."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member


@pytest.mark.parametrize(("plain_http", "name"), [(True, "messages"), (False, "__Host-messages")])
def test_a_message_waits_in_a_cookie_that_binds_it_to_the_host(
    client: Client, vera: Member, settings: Settings, *, plain_http: bool, name: str
) -> None:
    settings.PLAIN_HTTP = plain_http
    settings.SESSION_COOKIE_SECURE = not plain_http
    client.force_login(vera)
    chosen = {
        "theme": "dark",
        "time_zone": "UTC",
        "density": "compact",
        "first_page": "overview",
        "refresh_seconds": "30",
    }
    response = client.post("/preferences/", chosen, secure=not plain_http)
    cookie = response.cookies[name]
    assert bool(cookie["secure"]) is not plain_http
    assert (cookie["httponly"], cookie["path"], cookie["domain"]) == (True, "/", "")
    page = client.get("/preferences/", secure=not plain_http)
    assert "Preferences saved." in page.content.decode()
    assert page.cookies[name].value == ""
