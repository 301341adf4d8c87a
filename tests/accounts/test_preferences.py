import os
import subprocess
import sys

import pytest
from django.test import Client

from portal.accounts.forms import list_time_zones
from portal.accounts.models import Member

CHOSEN = {
    "language": "en",
    "time_zone": "America/Sao_Paulo",
    "theme": "dark",
    "density": "compact",
    "first_page": "instances",
    "refresh_seconds": "60",
    "shortcuts": "on",
}
FIELDS = ("language", "time_zone", "theme", "density", "first_page", "refresh_seconds", "shortcuts")


def read(member: Member) -> tuple[object, ...]:
    member.refresh_from_db()
    return tuple(getattr(member, field) for field in FIELDS)


def test_what_is_chosen_is_saved_and_shown(client: Client, vera: Member) -> None:
    client.force_login(vera)
    response = client.post("/preferences/", CHOSEN, follow=True)
    text = response.content.decode()
    assert read(vera) == ("en", "America/Sao_Paulo", "dark", "compact", "instances", 60, True)
    assert 'data-theme="dark"' in text
    assert "Preferences saved." in text
    assert '<option value="America/Sao_Paulo" selected>Sao Paulo</option>' in text
    assert '<option value="60" selected>Every minute</option>' in text


def test_each_language_is_named_in_itself(client: Client, vera: Member) -> None:
    client.force_login(vera)
    text = client.get("/preferences/").content.decode()
    assert '<span lang="pt-br">Português (Brasil)</span>' in text
    assert '<span lang="en">English</span>' in text


def test_a_member_begins_with_what_suits_most(vera: Member) -> None:
    assert read(vera) == ("", "", "system", "comfortable", "overview", 30, True)
    assert vera.columns == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "tlh"),
        ("time_zone", "Nowhere/Land"),
        ("theme", "pink"),
        ("density", "dense"),
        ("first_page", "team"),
        ("refresh_seconds", "1"),
        ("refresh_seconds", "often"),
        ("refresh_seconds", ""),
    ],
)
def test_what_is_wrong_stands_beside_its_field(client: Client, vera: Member, field: str, value: str) -> None:
    client.force_login(vera)
    before = read(vera)
    response = client.post("/preferences/", CHOSEN | {field: value})
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in response.content.decode()
    assert read(vera) == before


def test_shortcuts_are_off_when_the_box_is_empty(client: Client, vera: Member) -> None:
    client.force_login(vera)
    assert b"<body data-shortcuts" in client.get("/preferences/").content
    page = client.post("/preferences/", {**CHOSEN, "shortcuts": ""}, follow=True).content
    assert b"<body data-idle" in page
    vera.refresh_from_db()
    assert vera.shortcuts is False


def test_a_language_that_is_chosen_is_spoken_at_once(client: Client, vera: Member) -> None:
    client.force_login(vera)
    page = client.post("/preferences/", CHOSEN | {"language": "pt-br"}, follow=True).content.decode()
    assert '<html lang="pt-br"' in page
    assert "Preferências salvas." in page
    back = {"language": ""}
    page = client.post("/preferences/", CHOSEN | back, follow=True, headers={"accept-language": "en"}).content.decode()
    assert '<html lang="en"' in page
    assert "Preferences saved." in page


def test_nothing_else_can_be_saved_with_it(client: Client, vera: Member) -> None:
    client.force_login(vera)
    client.post("/preferences/", CHOSEN | {"role": "admin", "username": "root", "columns": "crn"})
    client.post("/preferences/theme/", {"theme": "light", "role": "admin", "density": "comfortable"})
    vera.refresh_from_db()
    assert (vera.role, vera.username, vera.columns) == ("viewer", "vera", "")
    assert (vera.theme, vera.density) == ("light", "compact")


def test_utc_is_offered_first_and_no_oddities() -> None:
    zones = list_time_zones()
    assert zones[0] == "UTC"
    assert "America/Sao_Paulo" in zones
    assert not [zone for zone in zones if zone.startswith(("Etc/", "posix", "right"))]


def test_time_zones_are_grouped_by_continent(client: Client, vera: Member) -> None:
    client.force_login(vera)
    page = client.get("/preferences/").content.decode()
    assert '<option value="">Browser default</option><option value="UTC">UTC</option>' in page
    america = page.partition('<optgroup label="America">')[2].partition("</optgroup>")[0]
    assert '<option value="America/Argentina/Buenos_Aires">Argentina/Buenos Aires</option>' in america
    assert "Africa/" not in america


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/spo1/instances/?name=a", "/spo1/instances/?name=a"),
        ("https://evil.example/", "/preferences/"),
        ("//evil.example/", "/preferences/"),
        ("", "/preferences/"),
    ],
)
def test_the_theme_menu_leads_back_to_its_page(client: Client, vera: Member, target: str, location: str) -> None:
    client.force_login(vera)
    response = client.post("/preferences/theme/", {"theme": "dark", "next": target})
    assert (response.status_code, response["Location"]) == (302, location)
    vera.refresh_from_db()
    assert vera.theme == "dark"


def test_a_theme_that_there_is_not_changes_nothing(client: Client, vera: Member) -> None:
    client.force_login(vera)
    assert client.post("/preferences/theme/", {"theme": "pink", "next": "/team/"})["Location"] == "/team/"
    vera.refresh_from_db()
    assert vera.theme == "system"


def test_zones_are_known_on_a_machine_without_data_of_its_own() -> None:
    asked = "import zoneinfo; print(zoneinfo.ZoneInfo('America/Sao_Paulo'), len(zoneinfo.available_timezones()) > 400)"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {"PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "America/Sao_Paulo True\n", done.stderr
