"""Headers on every response: pages, errors, redirects, static files."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member

pytestmark = pytest.mark.urls("tests.accounts.open_urls")


@pytest.fixture(autouse=True)
def _serve_static_files_as_they_lie(settings: Settings) -> None:
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True


EVERYWHERE = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sign-in/", 200),
        ("/", 302),
        ("/health/live/", 200),
        ("/nothing-here/", 404),
        ("/undeclared/", 302),
        ("/static/nothing.css", 404),
        ("/crash/", 500),
        ("/static/css/base.css", 200),
    ],
)
def test_every_answer_carries_the_safety_headers(client: Client, db: None, path: str, status: int) -> None:
    client.raise_request_exception = False
    response = client.get(path)
    response.close()
    assert response.status_code == status
    assert EVERYWHERE.items() <= dict(response.items()).items()
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/sign-in/", "/", "/health/live/", "/nothing-here/", "/static/nothing.css"])
def test_every_answer_but_a_static_file_says_what_a_page_may_ask_for(client: Client, db: None, path: str) -> None:
    permissions = client.get(path)["Permissions-Policy"]
    assert "camera=()" in permissions
    assert "publickey-credentials-create=(self), publickey-credentials-get=(self)" in permissions


@pytest.mark.parametrize("path", ["/sign-in/", "/", "/health/live/", "/nothing-here/", "/static/nothing.css", "/old/"])
def test_nothing_but_static_files_may_be_stored(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Cache-Control"] == "no-store"


def test_pages_behind_sign_in_are_not_stored(client: Client, ada: Member) -> None:
    client.force_login(ada)
    for path in ("/team/", "/audit/", "/preferences/"):
        assert client.get(path)["Cache-Control"] == "no-store"


def test_static_files_may_be_stored(client: Client, db: None) -> None:
    response = client.get("/static/css/base.css")
    response.close()
    assert response.status_code == 200
    assert "no-store" not in response["Cache-Control"]


def test_a_view_with_a_stricter_or_looser_permission_keeps_it(client: Client, db: None) -> None:
    assert client.get("/old/")["Permissions-Policy"] == "camera=(self)"


def test_an_answer_to_a_host_that_is_not_ours_carries_them_too(client: Client, db: None) -> None:
    response = client.get("/sign-in/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response["Cache-Control"] == "no-store"
    assert EVERYWHERE.items() <= dict(response.items()).items()


def test_every_answer_names_its_request_and_no_two_alike(client: Client, db: None) -> None:
    client.raise_request_exception = False
    paths = ("/sign-in/", "/", "/nothing-here/", "/crash/", "/undeclared/")
    found = {client.get(path, headers={"x-request-id": "forged"})["X-Request-Id"] for path in paths}
    assert len(found) == len(paths)
    assert "forged" not in found
