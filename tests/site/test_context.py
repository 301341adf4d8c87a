"""The context of every page's layout."""

import re

import msgspec
import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve
from pytest_django.fixtures import Settings

from portal.accounts.models import Member, Theme
from portal.accounts.sessions.store import SessionStore
from portal.bycloud import Region
from portal.core.permissions import Role
from portal.site.context import Frame, frame, is_sandbox
from tests.conftest import enter

SPO1, SAO2 = Region("spo1", "https://api.spo1.mycloud.com"), Region("sao2", "https://api.sao2.mycloud.com")


@pytest.fixture(autouse=True)
def _regions(settings: Settings) -> None:
    settings.BYCLOUD_REGIONS = {"spo1": SPO1, "sao2": SAO2}


def frame_of(path: str, member: Member | None = None) -> Frame:
    request = RequestFactory().get(path)
    if member:
        request.user, request.session = member, SessionStore()
    if path.startswith("/sao2/"):
        request.resolver_match = resolve(path)
    return frame(request)["frame"]


def test_the_region_is_the_one_in_the_address() -> None:
    assert frame_of("/sao2/instances/").region == SAO2


def test_the_region_is_the_first_of_the_settings_where_the_address_names_none() -> None:
    assert frame_of("/team/").region == SPO1
    assert frame_of("/team/").regions == (SPO1, SAO2)


def test_no_one_may_do_anything_and_sees_the_theme_of_the_system() -> None:
    told = frame_of("/sign-in/")
    assert told.member is None
    assert told.theme == Theme.SYSTEM
    assert not any(told.can.values())


def test_what_a_member_may_do_follows_from_their_role() -> None:
    viewer, admin = Member(role=Role.VIEWER), Member(role=Role.ADMIN, theme=Theme.DARK)
    assert frame_of("/", viewer).can["list_instances"]
    assert not frame_of("/", viewer).can["read_audit"]
    assert frame_of("/", admin).can["read_audit"]
    assert frame_of("/", admin).theme == "dark"


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("http://127.0.0.1:9800", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:9800", True),
        ("http://localhost:9800", True),
        ("http://sandbox.localhost", True),
        ("https://api.spo1.mycloud.com", False),
        ("https://localhost.mycloud.com", False),
        ("https://10.0.0.1", False),
    ],
)
def test_only_a_region_on_this_machine_is_a_sandbox(url: str, *, is_one: bool) -> None:
    assert is_sandbox(Region("spo1", url)) is is_one


def get_page(client: Client, path: str) -> HttpResponse:
    response: HttpResponse = client.get(path)  # type: ignore[assignment]
    assert response.status_code == 200
    return response


def test_the_page_wears_the_ribbon_only_over_a_sandbox(client: Client, ada: Member, settings: Settings) -> None:
    client.force_login(ada)
    assert b'id="ribbon"' not in get_page(client, "/team/").content
    settings.BYCLOUD_REGIONS = {"spo1": Region("spo1", "http://127.0.0.1:9800")}
    assert b'id="ribbon"' in get_page(client, "/team/").content


def test_one_region_is_a_fact_and_several_are_a_menu(client: Client, ada: Member, settings: Settings) -> None:
    client.force_login(ada)
    menu = {"/team/": "/sao2/", "/spo1/": "/sao2/", "/spo1/instances/?name=a": "/sao2/instances/"}
    menu["/spo1/changes/"] = "/sao2/changes/"
    for path, other in menu.items():
        assert f'href="{other}"' in get_page(client, path).content.decode(), path
    Member.objects.update(first_page="instances")
    for path, other in (menu | {"/team/": "/sao2/instances/"}).items():
        assert f'href="{other}"' in get_page(client, path).content.decode(), path
    settings.BYCLOUD_REGIONS = {"spo1": SPO1}
    page = get_page(client, "/team/").content.decode()
    assert '<details class="menu" id="region">' not in page
    assert 'id="region"' in page


def test_the_bar_offers_what_the_role_may_open(client: Client, ada: Member, vera: Member) -> None:
    client.force_login(vera)
    page = get_page(client, "/preferences/").content.decode()
    assert 'href="/spo1/instances/"' in page
    assert 'href="/team/"' not in page
    assert 'href="/audit/"' not in page
    client.force_login(ada)
    page = get_page(client, "/preferences/").content.decode()
    assert 'href="/team/"' in page
    assert 'href="/audit/"' in page


def test_signing_out_is_a_form_that_anyone_signed_in_sees(client: Client, vera: Member) -> None:
    client.force_login(vera)
    assert b'action="/sign-out/" method="post"' in get_page(client, "/preferences/").content
    assert b"/sign-out/" not in get_page(Client(), "/sign-in/").content


@pytest.mark.parametrize("theme", Theme.values)
def test_the_page_carries_the_members_theme(client: Client, vera: Member, theme: str) -> None:
    vera.theme = theme
    vera.save()
    client.force_login(vera)
    page = get_page(client, "/preferences/").content.decode()
    assert f'data-theme="{theme}"' in page


def test_the_theme_menu_leads_back_to_its_page(client: Client, vera: Member) -> None:
    client.force_login(vera)
    page = get_page(client, "/credentials/?of=mine").content.decode()
    assert 'action="/preferences/theme/" method="post"' in page
    assert '<input type="hidden" name="next" value="/credentials/?of=mine" data-current-url>' in page


def test_single_keys_work_for_members_who_want_them(client: Client, vera: Member) -> None:
    assert b"data-shortcuts" not in get_page(client, "/sign-in/").content
    client.force_login(vera)
    page = get_page(client, "/preferences/").content.decode()
    assert "<body data-shortcuts" in page
    assert '<kbd aria-hidden="true">/</kbd>' in page
    Member.objects.update(shortcuts=False)
    page = get_page(client, "/preferences/").content.decode()
    assert "data-shortcuts" not in page
    assert '<kbd aria-hidden="true">/</kbd>' not in page


def test_the_list_of_keys_is_a_link_where_no_script_opens_it(client: Client, vera: Member) -> None:
    client.force_login(vera)
    page = get_page(client, "/credentials/").content.decode()
    assert 'href="/preferences/#keyboard" data-dialog="shortcuts"' in page
    assert '<dialog id="shortcuts"' in page
    assert '<dialog id="shortcuts"' not in get_page(Client(), "/sign-in/").content.decode()
    assert 'id="keyboard"' in get_page(client, "/preferences/").content.decode()


def test_documentation_console_and_help_are_linked_from_the_menu_and_where_a_credential_is_entered(
    client: Client, vera: Member, settings: Settings
) -> None:
    client.force_login(vera)
    for path in ("/preferences/", "/credentials/spo1/", "/spo1/instances/"):
        page = get_page(client, path).content.decode()
        assert page.count('href="https://docs.bycoded.cloud"') == (1 if path == "/preferences/" else 2)
        assert "ByCloud console</a>" not in page
        assert "Help</a>" not in page
    settings.BYCLOUD_CONSOLE_URL, settings.HELP_URL = "https://console.example.com/", "mailto:cloud@example.com"
    page = get_page(client, "/spo1/instances/").content.decode()
    assert page.count('href="https://console.example.com/" rel="noreferrer"') == 2
    assert page.count('href="mailto:cloud@example.com" rel="noreferrer"') == 2


def test_no_page_needs_an_inline_style_or_script(client: Client, ada: Member) -> None:
    enter(client, ada)
    for path in ("/team/", "/audit/", "/credentials/", "/credentials/spo1/", "/preferences/", "/team/invitations/"):
        page = get_page(client, path).content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        assert page.count("<script") == len(re.findall(r"<script [^>]*src=[^>]*></script>", page)) == 4


@pytest.mark.parametrize(("seconds", "patience"), [(10.0, "30000"), (60.0, "80000")])
def test_a_page_waits_longer_for_the_portal_than_the_portal_for_bycloud(
    db: None, client: Client, settings: Settings, seconds: float, patience: str
) -> None:
    settings.BYCLOUD_LIMITS = msgspec.structs.replace(settings.BYCLOUD_LIMITS, deadline_seconds=seconds)
    assert f'"timeout":{patience},' in client.get("/sign-in/").content.decode()
