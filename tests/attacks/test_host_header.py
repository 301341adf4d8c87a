"""A request that lies about the name of the host it was sent to, or about what lies between."""

import re

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from tests.accounts.test_passwords import wait_for_mail
from tests.attacks.production import HOST, SecureClient, serve_as_production
from tests.conftest import enter

LIES = [
    "evil.example",
    f"evil.example:{HOST}",
    f"{HOST}.evil.example",
    f"evil.{HOST}",
    f"{HOST}@evil.example",
    f"{HOST}:443@evil.example",
    f"{HOST}:evil",
    f"{HOST}/evil",
    f"{HOST}, evil.example",
    f"{HOST} evil.example",
    f"{HOST}\tx",
    f"{HOST}#",
    "[::1]",
    "127.0.0.1",
    "localhost",
    "",
    " ",
    "<script>",
]


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    serve_as_production(settings)


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/team/", "/health/live/", "/nothing/", "/static/nothing.css"])
def test_another_name_is_refused_and_not_repeated(ada: Member, path: str) -> None:
    client = SecureClient()
    enter(client, ada)
    for lie in LIES:
        response = client.get(path, headers={"host": lie} if lie else {}, HTTP_HOST=lie)
        where = (lie, response.status_code)
        if path.startswith("/static/"):
            assert response.status_code in {400, 404}, where
        else:
            assert response.status_code == 400, where
        assert "evil" not in response.content.decode() + str(dict(response.items())), where


def test_over_plain_http_another_name_is_not_sent_to_tls_there(db: None) -> None:
    for lie in LIES:
        response = Client().get("/sign-in/", HTTP_HOST=lie)
        assert response.status_code == 400
        assert "Location" not in response


@pytest.mark.parametrize("header", ["x-forwarded-host", "x-host", "x-forwarded-server", "forwarded", "x-original-host"])
@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_no_other_header_names_the_host(ada: Member, settings: Settings, header: str, proxies: int) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    client = SecureClient()
    enter(client, ada)
    lie = {header: "host=evil.example" if header == "forwarded" else "evil.example"}
    page = client.post("/team/invitations/", {"name": "Eve", "role": "viewer"}, headers=lie).content.decode()
    assert re.search(rf'id="invitation-link">https://{re.escape(HOST)}/invitations/', page)
    assert "evil" not in page
    assert "evil" not in Client().get("/team/", HTTP_HOST=HOST, headers=lie)["Location"]


def test_a_link_that_is_passed_on_is_made_with_this_name_alone(ada: Member) -> None:
    """The one page that writes the whole address of the portal down."""
    client = SecureClient()
    enter(client, ada)
    for lie in LIES:
        response = client.post("/team/invitations/", {"name": "Eve", "role": "viewer"}, HTTP_HOST=lie)
        assert response.status_code == 400


@pytest.mark.parametrize("header", ["x-forwarded-proto", "x-forwarded-ssl", "x-forwarded-protocol", "front-end-https"])
def test_without_a_trusted_proxy_nobody_is_believed_about_tls(db: None, header: str) -> None:
    value = "https" if "proto" in header else "on"
    response = Client().get("/sign-in/", HTTP_HOST=HOST, headers={header: value})
    assert (response.status_code, response["Location"]) == (301, f"https://{HOST}/sign-in/")


@pytest.mark.parametrize("header", ["x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-script-name"])
def test_no_header_names_another_path(db: None, header: str) -> None:
    response = SecureClient().get("/team/", headers={header: "/health/live/"})
    assert response["Location"] == "/sign-in/?next=/team/"


def test_a_mail_is_never_sent_for_another_name(settings: Settings, vera: Member) -> None:
    """A lie there would send the victim, with the link in her hand, to somebody else's host."""
    settings.EMAIL_URL = "submission://mail.example.com"
    for lie in LIES:
        assert SecureClient().post("/password/forgotten/", {"login": "vera"}, HTTP_HOST=lie).status_code == 400
    assert mail.outbox == []
    proxied = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    assert SecureClient().post("/password/forgotten/", {"login": "vera"}, headers=proxied).status_code == 200
    message = wait_for_mail()
    assert f"https://{HOST}/password/new/" in str(message.body)
    assert "evil" not in str(message.body)
