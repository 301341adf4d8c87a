"""Another site makes a signed-in member's browser submit one of the portal's forms."""

import re
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Event
from tests.conftest import PASSWORD
from tests.conventions.test_access import ROUTES, VIEWS
from tests.security.production import HOST, SecureClient, serve_as_production

POSTS = [name for name, route in ROUTES.items() if "POST" in route.methods]
TEMPLATES = Path(__file__).parents[2] / "templates"
OWN = f"https://{HOST}"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    serve_as_production(settings)


@pytest.fixture
def victim(ada: Member) -> Client:
    """Ada's browser: it has their session and a check value of its own."""
    client = SecureClient(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get("/preferences/")
    return client


def read_token(client: Client) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/preferences/").content.decode())
    assert found
    return found[1]


def read_foreign_token() -> str:
    """What an attacker gets from a page of their own."""
    client = SecureClient()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/sign-in/").content.decode())
    assert found
    return found[1]


def is_refused(client: Client, path: str, data: dict[str, str], **headers: str) -> bool:
    before = list(Event.objects.values_list("pk", flat=True))
    response = client.post(path, data, headers=headers)
    assert list(Event.objects.values_list("pk", flat=True)) == before
    return response.status_code == 403 and "This form has expired" in response.content.decode()


def test_no_form_is_taken_from_elsewhere(victim: Client) -> None:
    path, own, foreign = "/team/invitations/", read_token(victim), read_foreign_token()
    assert is_refused(victim, path, {}, referer=f"{OWN}/")
    assert is_refused(victim, path, {"csrfmiddlewaretoken": ""}, origin=OWN)
    assert is_refused(victim, path, {"csrfmiddlewaretoken": foreign}, origin=OWN)
    assert is_refused(victim, path, {}, **{"origin": OWN, "x-csrftoken": foreign})
    # Even with the right value: as after a leak.
    for origin in ("https://evil.example", f"https://{HOST}.evil.example", f"http://{HOST}", f"{OWN}:8443", "null"):
        assert is_refused(victim, path, {"csrfmiddlewaretoken": own}, origin=origin)
    assert is_refused(victim, path, {"csrfmiddlewaretoken": own}, referer="https://evil.example/")
    assert is_refused(victim, path, {"csrfmiddlewaretoken": own})


def test_every_form_is_behind_that_check(victim: Client) -> None:
    own = {"csrfmiddlewaretoken": read_token(victim)}
    for name in POSTS:
        assert is_refused(victim, ROUTES[name].path, own, origin="https://evil.example"), name


@pytest.mark.parametrize("method", UNSAFE)
def test_no_method_and_no_header_goes_around_the_check(victim: Client, method: str) -> None:
    headers = {"hx-request": "true", "x-requested-with": "XMLHttpRequest"}
    for route in ROUTES.values():
        assert victim.generic(method, route.path, headers=headers).status_code == 403, route.path


def test_a_method_in_a_parameter_or_header_is_not_taken_for_one(victim: Client, vera: Member) -> None:
    before = Event.objects.count()
    for route in ROUTES.values():
        victim.get(route.path, {"_method": "POST"}, headers={"x-http-method-override": "POST"})
    assert Event.objects.count() == before
    assert victim.get("/team/").status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data; boundary=x"])
def test_no_content_type_goes_around_the_check(victim: Client, content_type: str) -> None:
    for path in ("/sign-out/", "/preferences/", "/team/invitations/"):
        body = b'{"name": "Eve", "role": "admin"}'
        assert victim.generic("POST", path, body, content_type, headers={"origin": OWN}).status_code == 403


def test_the_right_value_from_the_right_place_is_taken(victim: Client) -> None:
    """Else all of the above would prove nothing."""
    data = {"csrfmiddlewaretoken": read_token(victim), "name": "Eve", "role": "viewer"}
    proof = {"csrfmiddlewaretoken": data["csrfmiddlewaretoken"], "password": PASSWORD}
    assert victim.post("/second-factor/again/", proof, headers={"origin": OWN}).status_code == 302
    assert victim.post("/team/invitations/", data, headers={"origin": OWN}).status_code == 200
    assert victim.post("/team/invitations/", data, headers={"referer": f"{OWN}/team/"}).status_code == 200


def test_signing_someone_in_from_elsewhere_is_refused(vera: Member) -> None:
    """Into an account of the attacker's, to see what they enter there."""
    client = SecureClient(enforce_csrf_checks=True)
    assert client.post("/sign-in/", {"login": "vera", "password": PASSWORD}).status_code == 403
    assert "__Host-sessionid" not in client.cookies


def test_no_view_is_left_out_of_the_check() -> None:
    assert [name for name, view in VIEWS.items() if getattr(view.callback, "csrf_exempt", False)] == []


def test_each_form_that_posts_has_a_check_value_and_no_other_gives_it_away() -> None:
    wrong = []
    for template in TEMPLATES.rglob("*.html"):
        for tag, body in re.findall(r"(<form\b.*?>)(.*?)</form>", template.read_text(encoding="utf-8"), re.DOTALL):
            posts = re.search(r'method="?post', tag, re.IGNORECASE) is not None
            if posts != ("{{ csrf_input }}" in body):
                wrong.append(f"{template.relative_to(TEMPLATES)}: {tag[:80]}")
    assert wrong == []
