"""Every place that takes an address to go on to: none of them leaves the portal."""

import pytest
from django.test import Client

from portal.accounts.models import Member
from tests.conftest import PASSWORD

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "http://testserver@evil.example/",
    "http://testserver.evil.example/",
    "/\t/evil.example/",
    "https://testserver:443@evil.example/",
    " //evil.example",
)


def leads_away(location: str) -> bool:
    return not location.startswith("/") or location.startswith(("//", "/\\"))


@pytest.mark.parametrize("url", ELSEWHERE)
def test_sign_in_does_not_lead_elsewhere(client: Client, vera: Member, url: str) -> None:
    answer = client.post("/sign-in/", {"login": "vera", "password": PASSWORD, "next": url})
    assert answer.status_code == 302
    assert not leads_away(answer["Location"])


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/preferences/theme/", {"theme": "dark"}),
        ("/credentials/spo1/", {"kind": "bearer", "token": "sandbox-acme-token"}),
    ],
)
def test_no_form_leads_elsewhere(client: Client, vera: Member, path: str, fields: dict[str, str], url: str) -> None:
    client.force_login(vera)
    answer = client.post(f"{path}?next={url}", fields | {"next": url})
    assert "Location" not in answer or not leads_away(answer["Location"])
    assert "evil.example" not in answer.get("Location", "")


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_page_offers_a_link_elsewhere(client: Client, vera: Member, url: str) -> None:
    client.force_login(vera)
    page = client.get("/credentials/spo1/", {"next": url}).content.decode()
    assert 'href="https://evil' not in page
    assert 'href="//evil' not in page


def test_what_htmx_says_of_its_page_leads_nowhere_else(client: Client, db: None) -> None:
    htmx = {"HX-Request": "true", "HX-Target": "results", "HX-Current-URL": "https://evil.example/spo1/instances/"}
    assert "evil" not in client.get("/spo1/instances/", headers=htmx)["HX-Redirect"]
