"""The whole set of safety headers on the answer of every route, and on what is no route at all."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from tests.rules.test_access import ROUTES

EXPECTED = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


@pytest.fixture(autouse=True)
def _as_in_production(settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = settings.SECURE_SSL_REDIRECT = True
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True


def check(client: Client, method: str, path: str, *, is_file: bool = False) -> int:
    answer = client.generic(method, path, secure=True)
    answer.close()
    assert dict(answer.items()) | EXPECTED == dict(answer.items()), path
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert "camera=()" in answer["Permissions-Policy"]
    assert ("no-store" in answer["Cache-Control"]) is not is_file
    assert "Server" not in answer
    return answer.status_code


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("name", ROUTES)
def test_every_route_answers_with_all_of_them(ada: Member, name: str, method: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(ada)
    check(client, method, ROUTES[name].path)
    check(Client(), method, ROUTES[name].path)


@pytest.mark.parametrize(
    ("path", "status", "is_file"),
    [
        ("/static/css/base.css", 200, True),
        ("/static/nothing.css", 404, False),
        ("/nothing-here/", 404, False),
        ("/spo1/instances/%00/", 404, False),
        ("/mars1/instances/", 404, False),
    ],
)
def test_so_does_what_is_no_route(client: Client, db: None, path: str, status: int, is_file: bool) -> None:  # noqa: FBT001
    assert check(client, "GET", path, is_file=is_file) == status


@pytest.mark.parametrize("host", ["evil.example", "a b", "testserver@evil.example", "[::1"])
def test_a_host_that_is_not_ours_is_refused_and_never_repeated(client: Client, db: None, host: str) -> None:
    answer = client.get("/sign-in/", secure=True, headers={"host": host})
    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()
    assert dict(answer.items()) | EXPECTED == dict(answer.items())


def test_plain_http_leads_to_https(client: Client, db: None) -> None:
    answer = client.get("/sign-in/")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/sign-in/")
