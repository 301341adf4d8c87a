"""Single sign-on in a real browser, with a real OpenID provider."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.accounts.providers import Provider, run_provider
from tests.browser.portal import Portal, Visits, run_portal
from tests.browser.violations import find_violations
from tests.ports import find_free_port

pytestmark = pytest.mark.browser

ACME = "Sign in with Acme ID"


@dataclass(frozen=True)
class Acme:
    """A portal that lets in whom its provider knows, and admins by password."""

    portal: Portal
    provider: Provider


@pytest.fixture(scope="session")
def acme(chromium: str, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    state = tmp_path_factory.mktemp("portal with a provider") / "state"
    with run_provider() as provider:
        settings = {
            "OIDC_ISSUER": provider.url,
            "OIDC_CLIENT_ID": "portal",
            "OIDC_CLIENT_SECRET": "a-secret-of-the-portal",
            "OIDC_NAME": "Acme ID",
            "OIDC_ROLE_GROUPS": "portal-admins=admin,staff=viewer",
            "SSO_ONLY": "1",
        }
        with run_portal(state, settings=settings, template=template) as portal:
            yield Acme(portal, provider)


@pytest.fixture
def visits(acme: Acme, browser: Browser) -> Iterator[Visits]:
    # Over there things are as they are; what its pages load from elsewhere is not loaded.
    acme.portal.begin()
    visits = Visits(acme.portal, browser)
    visits.expected += [f"request to another host: {acme.provider.url}", "cdn.jsdelivr.net", "status of 403"]
    yield visits
    visits.close()
    assert visits.list_unexpected() == []


def open_portal(visits: Visits, *, scripts: bool = True, scheme: str = "light") -> Page:
    def leave_out(route: Route) -> None:
        route.fulfill(status=200, content_type="text/css", body="")

    page = visits.open(scripts=scripts, scheme=scheme)
    page.context.route(re.compile(r"^https://"), leave_out)
    return page


def sign_in_there(page: Page, subject: str) -> None:
    page.get_by_role("button", name=ACME).click()
    page.get_by_placeholder("sub").fill(subject)
    page.get_by_role("button", name="Authorize").click()


def test_a_new_person_goes_there_and_comes_back_to_their_page(visits: Visits, acme: Acme, *, scripts: bool) -> None:
    subject = f"olga-{scripts}".lower()
    acme.provider.add_person(subject, preferred_username=subject, groups=["staff"])
    page = open_portal(visits, scripts=scripts)
    page.goto("/preferences/")
    sign_in_there(page, subject)
    expect(page).to_have_url(f"{acme.portal.url}/preferences/")
    expect(page.locator("#person")).to_contain_text(subject)
    page.goto("/team/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("You don't have permission")


def test_their_role_follows_their_groups_at_the_next_sign_in(visits: Visits, acme: Acme) -> None:
    acme.provider.add_person("ines", preferred_username="ines", groups=["staff"])
    page = open_portal(visits)
    page.goto("/preferences/")
    sign_in_there(page, "ines")
    expect(page.locator("#person")).to_contain_text("Viewer")
    acme.provider.add_person("ines", preferred_username="ines", groups=["staff", "portal-admins"])
    page.locator("form.sign-out button").first.click()
    page.get_by_role("button", name=ACME).click()
    page.get_by_role("button", name="ines").click()
    expect(page.locator("#person")).to_contain_text("Admin")


def test_without_a_group_there_is_a_page_that_says_so(visits: Visits, acme: Acme, *, scripts: bool) -> None:
    acme.provider.add_person("eve", preferred_username="eve", groups=["elsewhere"])
    page = open_portal(visits, scripts=scripts)
    page.goto("/sign-in/")
    sign_in_there(page, "eve")
    expect(page.get_by_role("heading", name="No access")).to_be_visible()
    expect(page.locator("main")).to_contain_text("none of your groups has a role")
    page.get_by_role("link", name="Go to the sign-in page").click()
    expect(page.get_by_role("button", name=ACME)).to_be_visible()


def test_a_person_who_turns_round_there_is_told_so(visits: Visits) -> None:
    page = open_portal(visits)
    page.goto("/sign-in/")
    page.get_by_role("button", name=ACME).click()
    page.get_by_role("button", name="Deny").click()
    expect(page.locator("#messages")).to_contain_text("Sign-in with Acme ID was canceled.")


def test_the_password_is_for_admins_alone(visits: Visits, acme: Acme) -> None:
    page = open_portal(visits)
    page.goto("/sign-in/?next=/team/")
    expect(page.get_by_label("Password")).to_have_count(0)
    page.get_by_role("link", name="Admin sign-in with password").click()
    page.get_by_label("User name or e-mail").fill("vera")
    page.get_by_label("Password").fill(acme.portal.passwords["vera"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("Incorrect user name")
    page.get_by_label("User name or e-mail").fill("ada")
    page.get_by_label("Password").fill(acme.portal.passwords["ada"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{acme.portal.url}/team/")


def test_the_admin_gets_in_while_the_provider_is_down(
    browser: Browser, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {
        "OIDC_ISSUER": f"http://localhost:{find_free_port()}",
        "OIDC_CLIENT_ID": "portal",
        "OIDC_CLIENT_SECRET": "a-secret-of-the-portal",
        "OIDC_NAME": "Acme ID",
        "OIDC_ROLE_GROUPS": "staff=viewer",
        "SSO_ONLY": "1",
    }
    with run_portal(tmp_path_factory.mktemp("down") / "state", settings=settings, template=template) as portal:
        visits = Visits(portal, browser)
        visits.expected += ["status of 502"]
        page = visits.open()
        page.goto("/sign-in/")
        page.get_by_role("button", name=ACME).click()
        expect(page.get_by_role("heading", name="Sign-in failed")).to_be_visible()
        expect(page.locator("main")).to_contain_text("Acme ID can't be reached")
        assert find_violations(page) == []
        page.goto("/sign-in/?local=1")
        page.get_by_label("User name or e-mail").fill("ada")
        page.get_by_label("Password").fill(portal.passwords["ada"])
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.locator("form.sign-out").first).to_be_attached()
        visits.close()
        assert visits.list_unexpected() == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_on_the_pages_of_single_sign_on(visits: Visits, acme: Acme, scheme: str) -> None:
    acme.provider.add_person("eve", preferred_username="eve", groups=["elsewhere"])
    page = open_portal(visits, scheme=scheme)
    found = {}
    page.goto("/sign-in/")
    found["sign-in"] = find_violations(page)
    page.goto("/sign-in/?local=1")
    found["local"] = find_violations(page)
    page.goto("/sign-in/")
    sign_in_there(page, "eve")
    expect(page.get_by_role("heading", name="No access")).to_be_visible()
    found["refused"] = find_violations(page)
    assert {name: report for name, report in found.items() if report} == {}
