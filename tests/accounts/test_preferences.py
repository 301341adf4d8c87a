"""One's own theme and time zone."""

import os
import subprocess
import sys

import pytest
from django.test import Client

from portal.accounts.forms import list_time_zones
from portal.accounts.models import Member


def test_theme_and_zone_are_saved_and_shown(client: Client, vera: Member) -> None:
    client.force_login(vera)
    response = client.post("/preferences/", {"theme": "dark", "time_zone": "America/Sao_Paulo"}, follow=True)
    text = response.content.decode()
    vera.refresh_from_db()
    assert (vera.theme, vera.time_zone) == ("dark", "America/Sao_Paulo")
    assert 'data-theme="dark"' in text
    assert "Your preferences are saved." in text
    assert '<option value="America/Sao_Paulo" selected>America/Sao Paulo</option>' in text


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"theme": "pink", "time_zone": "UTC"}, "theme"),
        ({"theme": "dark", "time_zone": "Nowhere/Land"}, "time_zone"),
        ({"theme": "dark"}, "time_zone"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(client: Client, vera: Member, data: dict[str, str], field: str) -> None:
    client.force_login(vera)
    response = client.post("/preferences/", data)
    assert response.status_code == 422
    assert f"id_{field}_error" in response.content.decode()
    vera.refresh_from_db()
    assert (vera.theme, vera.time_zone) == ("system", "UTC")


def test_nothing_else_can_be_saved_with_it(client: Client, vera: Member) -> None:
    client.force_login(vera)
    client.post("/preferences/", {"theme": "dark", "time_zone": "UTC", "role": "admin", "username": "root"})
    vera.refresh_from_db()
    assert (vera.role, vera.username, vera.theme) == ("viewer", "vera", "dark")


def test_utc_is_offered_first_and_no_oddities() -> None:
    zones = list_time_zones()
    assert zones[0] == "UTC"
    assert "America/Sao_Paulo" in zones
    assert not [zone for zone in zones if zone.startswith(("Etc/", "posix", "right"))]


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/spo1/instances/?name=a", "/spo1/instances/?name=a"),
        ("https://evil.example/", "/preferences/"),
        ("//evil.example/", "/preferences/"),
        ("", "/preferences/"),
    ],
)
def test_saving_from_another_page_leads_back_to_it(client: Client, vera: Member, target: str, location: str) -> None:
    client.force_login(vera)
    response = client.post("/preferences/", {"theme": "dark", "time_zone": "UTC", "next": target})
    assert (response.status_code, response["Location"]) == (302, location)


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
