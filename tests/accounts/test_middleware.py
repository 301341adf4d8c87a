"""Closed by default, redirects to sign-in and back, logged denials, and each member's own time zone and language."""

import re
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.core.permissions import Role

pytestmark = pytest.mark.urls("tests.accounts.open_urls")
HTMX = {"HX-Request": "true"}


def read_stamp(client: Client) -> str:
    found = re.search(r"""hx-headers='{"Portal-Page": "(\w+)"}'""", client.get("/preferences/").content.decode())
    assert found
    return found[1]


def ask(client: Client, stamp: str, *, method: str = "POST") -> Any:
    """As htmx does in an open page."""
    headers = HTMX | {"Portal-Page": stamp, "HX-Current-URL": "http://testserver/preferences/?a=1"}
    return client.generic(method, "/sessions/stay/", headers=headers)


def test_a_page_asks_for_parts_of_itself_for_as_long_as_it_is_the_same(client: Client, vera: Member) -> None:
    client.force_login(vera)
    stamp = read_stamp(client)
    for _ in range(2):
        response = ask(client, stamp)
        assert "HX-Redirect" not in response
        assert response.status_code == 204


@pytest.mark.parametrize("what", ["person", "session", "role", "language", "time_zone", "version", "files"])
def test_a_page_that_would_be_another_one_now_is_loaded_again_and_nothing_is_done(
    client: Client, vera: Member, otto: Member, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    client.force_login(vera)
    stamp = read_stamp(client)
    if what in {"person", "session"}:
        client.logout()
        client.force_login(otto if what == "person" else vera)
    elif what == "version":
        monkeypatch.setattr("portal.accounts.sessions.services.__version__", "another")
    elif what == "files":
        monkeypatch.setattr(staticfiles_storage, "manifest_hash", "another", raising=False)
    else:
        setattr(vera, what, {"role": Role.OPERATOR, "language": "pt-br", "time_zone": "America/Sao_Paulo"}[what])
        vera.save()
    for method in ("GET", "POST"):
        response = ask(client, stamp, method=method)
        assert response["HX-Redirect"] == "/preferences/?a=1"
        assert response.content == b""
    assert "alert-info" in client.get("/preferences/").content.decode()
    assert ask(client, read_stamp(client)).status_code == 204


def test_a_person_who_is_signed_out_is_led_to_sign_in_as_before(client: Client, vera: Member) -> None:
    client.force_login(vera)
    stamp = read_stamp(client)
    client.logout()
    assert ask(client, stamp)["HX-Redirect"] == "/sign-in/?next=/preferences/%3Fa%3D1"


def test_a_view_that_declares_nothing_is_closed_even_to_admins(client: Client, ada: Member) -> None:
    client.force_login(ada)
    response = client.get("/undeclared/")
    assert response.status_code == 403
    assert b"wide open" not in response.content
    assert Event.objects.filter(act=Action.ACCESS_REFUSED, member=ada, subject="GET /undeclared/").exists()


def test_a_view_that_declares_nothing_is_closed_to_the_unsigned(client: Client, db: None) -> None:
    response = client.get("/undeclared/")
    assert response["Location"] == "/sign-in/?next=/undeclared/"


def test_the_unsigned_go_to_sign_in_and_come_back_to_the_same_url(client: Client, db: None) -> None:
    response = client.get("/team/?name=web-*&tags=a,b")
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=/team/%3Fname%3Dweb-%2A%26tags%3Da%2Cb"
    assert {"Cookie", "HX-Request"} <= {name.strip() for name in response["Vary"].split(",")}


@pytest.mark.parametrize(
    ("referer", "location"),
    [
        ("http://testserver/preferences/?a=1", "/sign-in/?next=/preferences/%3Fa%3D1"),
        ("http://testserver/spo1/instances/layout/", "/sign-in/?next=/spo1/instances/"),
        ("http://evil.example/preferences/", "/sign-in/"),
        (None, "/sign-in/"),
    ],
)
def test_after_a_form_one_comes_back_to_the_page_that_held_it(
    client: Client, db: None, referer: str | None, location: str
) -> None:
    response = client.post("/team/1/role/", headers={"referer": referer} if referer else {})
    assert (response.status_code, response["Location"]) == (302, location)


@pytest.mark.parametrize(
    ("current", "target"),
    [
        ("http://testserver/spo1/instances/?marker=x", "/sign-in/?next=/spo1/instances/%3Fmarker%3Dx"),
        ("http://evil.example/spo1/", "/sign-in/"),
        (None, "/sign-in/"),
    ],
)
def test_htmx_is_told_to_leave_the_page_instead_of_putting_sign_in_into_it(
    client: Client, db: None, current: str | None, target: str
) -> None:
    response = client.get("/team/", headers=HTMX | ({"HX-Current-URL": current} if current else {}))
    assert response["HX-Redirect"] == target
    assert "Location" not in response
    assert response.content == b""


def test_a_refused_member_gets_a_readable_page_and_it_is_on_record(client: Client, vera: Member, ada: Member) -> None:
    client.force_login(vera)
    response = client.post("/team/1/deactivate/?secret=1", headers={"user-agent": "Lynx"})
    assert response.status_code == 403
    event = Event.objects.get(act=Action.ACCESS_REFUSED)
    assert (event.member_id, event.name, event.subject) == (vera.pk, "vera", "POST /team/1/deactivate/")
    assert (event.address, event.user_agent) == ("127.0.0.1", "Lynx")
    assert event.request_id == response["X-Request-Id"]


def test_a_deactivated_member_with_a_live_session_is_signed_out(client: Client, vera: Member) -> None:
    client.force_login(vera)
    Member.objects.filter(pk=vera.pk).update(is_active=False)
    assert client.get("/preferences/")["Location"] == "/sign-in/?next=/preferences/"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("America/Sao_Paulo", "America/Sao_Paulo"), ("Nowhere/Land", "UTC"), ("../etc/passwd", "UTC"), ("", "UTC")],
)
def test_times_are_shown_in_the_members_own_zone(client: Client, ada: Member, zone: str, shown: str) -> None:
    Member.objects.filter(pk=ada.pk).update(time_zone=zone)
    client.force_login(ada)
    assert client.get("/zone/").content.decode() == shown


def test_the_browsers_zone_counts_until_a_member_chooses_one(client: Client, ada: Member) -> None:
    client.cookies["zone"] = "Asia/Tokyo"
    assert client.get("/public-zone/").content == b"Asia/Tokyo"
    client.force_login(ada)
    assert client.get("/zone/").content == b"Asia/Tokyo"
    Member.objects.filter(pk=ada.pk).update(time_zone="America/Sao_Paulo")
    assert client.get("/zone/").content == b"America/Sao_Paulo"


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "/etc/localtime", "UTC\x00", "é", "x" * 5000])
def test_a_zone_that_no_browser_has_is_none(client: Client, ada: Member, zone: str) -> None:
    client.cookies["zone"] = zone
    client.force_login(ada)
    assert client.get("/zone/").content == b"UTC"


def test_the_next_person_on_the_same_thread_does_not_inherit_the_zone(client: Client, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(time_zone="America/Sao_Paulo")
    client.force_login(ada)
    client.get("/zone/")
    assert timezone.get_current_timezone_name() == "UTC"
    assert Client().get("/public-zone/").content == b"UTC"


def test_someone_unknown_sees_utc(client: Client, db: None) -> None:
    assert client.get("/public-zone/").content == b"UTC"


def test_a_member_sees_their_zone_on_public_pages_too(client: Client, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(time_zone="America/Sao_Paulo")
    client.force_login(ada)
    assert client.get("/public-zone/").content == b"America/Sao_Paulo"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-br"),
        ("pt-PT", "pt-br"),
        ("pt", "pt-br"),
        ("de-DE,de;q=0.9", "en"),
        ("de,en;q=0.5,pt-BR;q=0.4", "en"),
        ("*", "en"),
        ("", "en"),
        ("../../etc/passwd", "en"),
    ],
)
def test_the_sign_in_page_speaks_the_browsers_language(client: Client, db: None, accepted: str, language: str) -> None:
    response = client.get("/sign-in/", headers={"accept-language": accepted})
    assert f'<html lang="{language}"' in response.content.decode()
    assert response["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= {name.strip() for name in response["Vary"].split(",")}


@pytest.mark.parametrize(
    ("chosen", "language"), [("pt-br", "pt-br"), ("en", "en"), ("", "pt-br"), ("de", "pt-br"), ("no such", "pt-br")]
)
@pytest.mark.parametrize("path", ["/preferences/", "/sign-out/", "/no/such/page/", "/undeclared/"])
def test_a_members_own_language_goes_before_the_browsers(
    client: Client, vera: Member, path: str, chosen: str, language: str
) -> None:
    Member.objects.update(language=chosen)
    client.force_login(vera)
    page = client.get(path, headers={"accept-language": "pt-BR"}).content.decode()
    assert f'<html lang="{language}"' in page


def test_the_next_person_on_the_same_thread_does_not_inherit_the_language(client: Client, ada: Member) -> None:
    Member.objects.update(language="pt-br")
    client.force_login(ada)
    client.get("/preferences/")
    assert translation.get_language() == "en"
    assert '<html lang="en"' in Client().get("/sign-in/").content.decode()


def test_who_needs_a_second_factor_is_sent_to_set_one_up(client: Client, vera: Member, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = "everybody"
    client.force_login(vera)
    assert client.get("/preferences/")["Location"] == "/second-factor/"


def test_who_changes_too_much_is_refused_until_the_next_minute(
    client: Client, vera: Member, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"act": "1/m/user"}
    client.force_login(vera)
    statuses = [client.post("/preferences/theme/", {"theme": "dark"}).status_code for _ in range(2)]
    assert statuses == [302, 429]


def test_a_view_that_fails_is_no_refusal(client: Client, vera: Member) -> None:
    client.force_login(vera)
    client.raise_request_exception = False
    assert client.get("/crash/").status_code == 500
    assert not Event.objects.filter(act=Action.ACCESS_REFUSED).exists()
