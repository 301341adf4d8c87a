"""Error pages, with and without htmx."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory

from portal.accounts.models import Member
from portal.site import errors
from tests.conftest import PASSWORD

pytestmark = pytest.mark.urls("tests.accounts.open_urls")
HTMX = {"HX-Request": "true", "HX-Target": "results"}


@pytest.fixture
def calm(client: Client) -> Client:
    """A client that shows a 500 instead of raising."""
    client.raise_request_exception = False
    return client


def text_of(response: Any) -> str:
    return unescape(response.content.decode())


def test_403_says_who_i_am_and_whom_to_ask(client: Client, vera: Member, ada: Member, otto: Member) -> None:
    Member.objects.create_user("retired", role="admin", is_active=False)
    client.force_login(vera)
    text = text_of(client.get("/team/"))
    assert re.search(r"signed in as <strong>vera</strong>, whose role is <strong>Viewer</strong>", text)
    assert "An admin can change that: ada." in text
    assert "retired" not in text
    assert "otto" not in text


def test_403_names_several_admins(client: Client, vera: Member, ada: Member) -> None:
    Member.objects.create_user("bea", role="admin")
    client.force_login(vera)
    assert "One of the admins can change that: ada, bea." in text_of(client.get("/team/"))


def test_404_is_a_page_of_ours_and_names_no_one(client: Client, ada: Member) -> None:
    response = client.get("/nothing-here/")
    assert response.status_code == 404
    assert "Page not found" in text_of(response)
    assert "Go to the sign-in page" in text_of(response)
    assert "ada" not in text_of(response)


def test_an_unknown_region_is_not_found(client: Client, vera: Member) -> None:
    client.force_login(vera)
    response = client.get("/mars1/instances/")
    assert response.status_code == 404
    assert "Go to the instances" in text_of(response)


@pytest.mark.parametrize(("path", "way"), [("/spo1/instances/export/", "/spo1/instances/"), ("/sessions/end/", "/")])
def test_405_is_a_page_of_ours_that_leads_to_the_list(client: Client, vera: Member, path: str, way: str) -> None:
    client.force_login(vera)
    response = client.get(path)
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert "This address has no page" in text_of(response)
    assert f'<a class="button" href="{way}">Go to the instances</a>' in text_of(response)
    assert "<html" not in text_of(client.get(path, headers=HTMX))


def test_a_person_who_comes_back_to_a_form_only_address_after_sign_in_is_led_to_the_list(
    client: Client, db: None
) -> None:
    assert client.get("/spo1/instances/save-view/")["Location"] == "/sign-in/?next=/spo1/instances/"


def test_500_tells_the_request_id_and_nothing_of_the_cause(calm: Client, db: None) -> None:
    response = calm.get("/crash/")
    assert response.status_code == 500
    assert response["X-Request-Id"] in text_of(response)
    assert "hunter2" not in text_of(response)
    assert "RuntimeError" not in text_of(response)
    assert "base.css" in text_of(response)


def test_without_its_database_the_portal_says_that_it_cannot_answer_now(
    calm: Client, vera: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("the database is gone")

    calm.force_login(vera)
    with monkeypatch.context() as broken:
        broken.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
        response = calm.get("/preferences/")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "The portal is unavailable" in text_of(response)
    assert "gone" not in text_of(response)


def test_500_is_plain_text_when_even_templates_fail(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> str:
        raise ValueError("no manifest")

    monkeypatch.setattr(errors, "render_to_string", fail)
    response = errors.server_error(rf.get("/"))
    assert (response.status_code, response["Content-Type"]) == (500, "text/plain; charset=utf-8")
    assert text_of(response).startswith("Something went wrong\n")


def test_400_for_a_host_that_is_not_ours_is_designed_and_does_not_repeat_it(client: Client, db: None) -> None:
    response = client.get("/sign-in/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "Bad request" in text_of(response)
    assert "evil.example" not in text_of(response)


def test_a_form_without_its_check_value_says_what_to_do(vera: Member) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/sign-in/", {"login": "vera", "password": "x"})
    assert response.status_code == 403
    assert "Reload the page" in text_of(response)
    client.force_login(vera)
    assert "This form has expired" in text_of(client.post("/preferences/"))


def open_as(client: Client, member: Member) -> str:
    """The check value of a page of this member's, who signs in where someone else may be."""
    client.force_login(member)
    return read_check_value(client, "/preferences/")


def read_check_value(client: Client, path: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text_of(client.get(path)))
    assert found
    return found[1]


@pytest.fixture
def shared_browser(db: None) -> Client:
    """A browser in which one signs in after the other, as in two tabs."""
    return Client(enforce_csrf_checks=True)


def test_signing_out_in_a_tab_of_someone_else_says_that_it_did_not(
    shared_browser: Client, vera: Member, otto: Member
) -> None:
    old = open_as(shared_browser, vera)
    assert shared_browser.post("/sign-in/", sign_in_as(shared_browser, otto)).status_code == 302
    response = shared_browser.post("/sign-out/", {"csrfmiddlewaretoken": old})
    assert response.status_code == 403
    assert "You are still signed in as otto" in text_of(response)
    assert 'href="/sign-out/"' in text_of(response)
    new = read_check_value(shared_browser, "/sign-out/")
    shared_browser.post("/sign-out/", {"csrfmiddlewaretoken": new})
    assert shared_browser.get("/preferences/").status_code == 302


def sign_in_as(client: Client, member: Member) -> dict[str, str]:
    """What a second tab sends. Who is signed in must sign out first."""
    client.post("/sign-out/", {"csrfmiddlewaretoken": read_check_value(client, "/preferences/")})
    value = read_check_value(client, "/sign-in/")
    return {"csrfmiddlewaretoken": value, "login": member.username, "password": PASSWORD}


def test_a_form_of_an_old_tab_does_nothing_as_someone_else_and_says_so(
    shared_browser: Client, vera: Member, otto: Member
) -> None:
    old = open_as(shared_browser, vera)
    shared_browser.post("/sign-in/", sign_in_as(shared_browser, otto))
    response = shared_browser.post(
        "/preferences/theme/",
        {"csrfmiddlewaretoken": old, "theme": "dark"},
        headers={"referer": "http://testserver/spo1/instances/?name=a"},
    )
    assert response.status_code == 403
    assert "before otto signed in here" in text_of(response)
    assert 'href="/spo1/instances/?name=a"' in text_of(response)
    otto.refresh_from_db()
    assert otto.theme != "dark"


def test_a_second_sign_in_form_leads_on_to_where_one_was_going(shared_browser: Client, vera: Member) -> None:
    there = "/spo1/instances/?name=web-*"
    first = read_check_value(shared_browser, "/sign-in/")
    second = {"csrfmiddlewaretoken": first, "login": "vera", "password": PASSWORD, "next": there}
    assert shared_browser.post("/sign-in/", second).status_code == 302
    response = shared_browser.post("/sign-in/", second)
    assert response.status_code == 403
    assert f'href="{there}"' in text_of(response)
    shared_browser.cookies.clear()
    text = text_of(shared_browser.post("/sign-in/", second))
    assert 'href="/sign-in/?next=/spo1/instances/%3Fname%3Dweb-%2A"' in text
    assert "evil" not in text_of(shared_browser.post("/sign-in/", second | {"next": "https://evil.example/"}))


def test_htmx_is_offered_the_page_anew_where_a_form_is_no_longer_good(vera: Member) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(vera)
    here = HTMX | {"HX-Current-URL": "http://testserver/spo1/instances/?name=a&limit=50"}
    text = text_of(client.post("/preferences/", headers=here))
    assert text.startswith('<div id="error">')
    assert 'href="/spo1/instances/?name=a&limit=50">Reload page</a>' in text
    elsewhere = HTMX | {"HX-Current-URL": "http://evil.example/"}
    assert "href=" not in text_of(client.post("/preferences/", headers=elsewhere))


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/team/", 403, "You don't have permission"),
        ("/nothing-here/", 404, "Page not found"),
        ("/crash/", 500, "Something went wrong"),
    ],
)
def test_htmx_gets_a_fragment_and_never_a_page(calm: Client, vera: Member, path: str, status: int, title: str) -> None:
    calm.force_login(vera)
    response = calm.get(path, headers=HTMX)
    text = text_of(response)
    assert response.status_code == status
    assert text.startswith('<div id="error">')
    assert title in text
    assert response["X-Request-Id"] in text
    assert "<html" not in text
    assert "<html" in text_of(calm.get(path))


def test_a_history_restore_gets_the_page(client: Client, vera: Member) -> None:
    client.force_login(vera)
    response = client.get("/team/", headers=HTMX | {"HX-History-Restore-Request": "true"})
    assert "<html" in text_of(response)
    assert "HX-Request" in response["Vary"]


def test_too_many_requests_is_designed(rf: RequestFactory) -> None:
    response = errors.too_many_requests(rf.post("/sign-in/"))
    assert response.status_code == 429
    assert "Too many forms were sent within a minute" in text_of(response)
    assert response["Retry-After"] == "60"


@pytest.mark.parametrize("path", ["/crash/", "/nothing-here/", "/team/"])
def test_no_error_page_has_anything_inline(calm: Client, vera: Member, path: str) -> None:
    calm.force_login(vera)
    text = text_of(calm.get(path))
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", text)
