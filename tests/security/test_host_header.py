"""Requests with a forged host or forged proxy headers."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.core import context
from django.core import mail
from django.test import Client, RequestFactory
from pytest_django import Settings

from portal.accounts.adapter import FactorAdapter
from portal.accounts.models import Member
from tests.accounts.odd_provider import run_odd_provider
from tests.accounts.test_passwords import wait_for_mail
from tests.conftest import enter
from tests.security.production import HOST, SecureClient, serve_as_production

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
def test_without_a_trusted_proxy_no_one_is_believed_about_tls(db: None, header: str) -> None:
    value = "https" if "proto" in header else "on"
    response = Client().get("/sign-in/", HTTP_HOST=HOST, headers={header: value})
    assert (response.status_code, response["Location"]) == (301, f"https://{HOST}/sign-in/")


@pytest.mark.parametrize("header", ["x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-script-name"])
def test_no_header_names_another_path(db: None, header: str) -> None:
    response = SecureClient().get("/team/", headers={header: "/health/live/"})
    assert response["Location"] == "/sign-in/?next=/team/"


def test_a_mail_is_never_sent_for_another_name(settings: Settings, vera: Member) -> None:
    """A lie there would send the victim, with the link in hand, to someone else's host."""
    settings.EMAIL_URL = "submission://mail.example.com"
    for lie in LIES:
        assert SecureClient().post("/password/forgotten/", {"login": "vera"}, HTTP_HOST=lie).status_code == 400
    assert mail.outbox == []
    proxied = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    assert SecureClient().post("/password/forgotten/", {"login": "vera"}, headers=proxied).status_code == 200
    message = wait_for_mail()
    assert f"https://{HOST}/password/new/" in str(message.body)
    assert "evil" not in str(message.body)


# What ALLOWED_HOSTS lets through: any port, another name of the portal's, and upper case.
TOLERATED = [f"{HOST}:8443", f"{HOST}:22", "alias.example.com", "alias.example.com:8443", HOST.upper()]


@pytest.mark.parametrize("host", TOLERATED)
class TestAHostThatIsAllowed:
    """Whatever leaves the portal with its whole address has PUBLIC_URL's, however the request came."""

    @pytest.fixture(autouse=True)
    def _alias(self, settings: Settings) -> None:
        settings.ALLOWED_HOSTS = [HOST, "alias.example.com"]

    def enter(self, member: Member) -> SecureClient:
        client = SecureClient()
        enter(client, member)
        return client

    def test_an_invitation_is_not_moved(self, ada: Member, host: str) -> None:
        facts = {"name": "Eve", "role": "viewer"}
        page = self.enter(ada).post("/team/invitations/", facts, HTTP_HOST=host).content.decode()
        assert re.search(rf'id="invitation-link">https://{re.escape(HOST)}/invitations/', page)

    def test_a_link_for_a_password_that_an_admin_hands_out_is_not_moved(
        self, ada: Member, vera: Member, host: str
    ) -> None:
        page = self.enter(ada).post(f"/team/{vera.pk}/password/", HTTP_HOST=host).content.decode()
        assert re.search(rf'id="password-link">https://{re.escape(HOST)}/password/new/', page)

    def test_one_that_is_mailed_is_not_moved(self, settings: Settings, vera: Member, host: str) -> None:
        settings.EMAIL_URL = "submission://mail.example.com"
        assert SecureClient().post("/password/forgotten/", {"login": "vera"}, HTTP_HOST=host).status_code == 200
        assert f"https://{HOST}/password/new/" in str(wait_for_mail().body)

    def test_the_name_in_an_authenticator_app_is_not_moved(self, rf: RequestFactory, host: str) -> None:
        with context.request_context(rf.get("/", HTTP_HOST=host)):
            assert FactorAdapter().get_totp_issuer() == f"ByCloud Portal {HOST}"

    def test_a_single_sign_on_comes_back_to_the_public_address(self, settings: Settings, db: None, host: str) -> None:
        with run_odd_provider() as odd:
            settings.OIDC_ISSUER, settings.OIDC_ORIGINS, settings.PLAIN_HTTP = odd.url, [odd.url], True
            client = SecureClient()
            address = client.post("/sign-in/provider/", {"next": "/team/"}, HTTP_HOST=host)["Location"]
            policy = client.get("/sign-in/", HTTP_HOST=host)["Content-Security-Policy"]
        if host.startswith("alias"):
            # The browser would come back without the cookie that it began with.
            assert address == f"https://{HOST}/sign-in/?next=/team/"
            assert f"form-action 'self' https://{HOST} {odd.url};" in f"{policy};"
        else:
            asked = parse_qs(urlsplit(address).query)
            assert asked["redirect_uri"] == [f"https://{HOST}/sign-in/provider/back/"]
            assert f"form-action 'self' {odd.url};" in f"{policy};"
