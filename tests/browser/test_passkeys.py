"""Passkeys and one-time codes in a real Chromium with a virtual authenticator."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.accounts.codes import make_lasting_code
from tests.browser.boxes import scrolls_sideways
from tests.browser.portal import Portal, Visits, run_portal
from tests.browser.violations import find_violations

pytestmark = pytest.mark.browser

PASSKEY = "Sign in with a passkey"
PASSWORD = "a-long-enough-password"


@pytest.fixture(scope="session")
def strict_portal(chromium: str, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One that requires a second factor of admins. Passkeys need a host name, which 127.0.0.1 is not."""
    state = tmp_path_factory.mktemp("strict portal") / "state"
    with run_portal(state, settings={"REQUIRE_SECOND_FACTOR": "admins"}, template=template) as portal:
        yield dataclasses.replace(portal, url=portal.url.replace("127.0.0.1", "localhost"))


@pytest.fixture
def visits(strict_portal: Portal, browser: Browser) -> Iterator[Visits]:
    strict_portal.begin()
    visits = Visits(strict_portal, browser)
    yield visits
    visits.close()
    assert visits.list_unexpected() == []


class Keys:
    """A virtual authenticator of one page's browser (the WebAuthn domain of Chromium's DevTools protocol)."""

    def __init__(self, page: Page, *, resident: bool = True) -> None:
        self.line: CDPSession = page.context.new_cdp_session(page)
        self.line.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal" if resident else "usb",
            "hasResidentKey": resident,
            "hasUserVerification": resident,
            "isUserVerified": resident,
            "automaticPresenceSimulation": True,
        }
        answer = self.line.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.which = {"authenticatorId": answer["authenticatorId"]}

    def count(self) -> int:
        return len(self.line.send("WebAuthn.getCredentials", self.which)["credentials"])

    def stop_verifying_users(self) -> None:
        """The wrong finger, the wrong PIN."""
        self.line.send("WebAuthn.setUserVerified", self.which | {"isUserVerified": False})


def enter(visits: Visits, name: str) -> tuple[Page, Keys]:
    """A new member, signed in, with an authenticator in their browser."""
    visits.portal.add_member(name, "viewer")
    page = visits.sign_in(name)
    return page, Keys(page)


def set_up_passkey(page: Page, *, alone: bool = True) -> None:
    page.goto("/second-factor/")
    page.get_by_role("link", name="Set up a passkey").click()
    confirm, name = page.get_by_role("heading", name="Confirm access"), page.get_by_label("Name", exact=True)
    expect(confirm.or_(name)).to_be_visible()
    if confirm.is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
    name.fill("Work laptop")
    page.get_by_label("Passwordless sign-in with this passkey").set_checked(alone)
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Recovery codes")


def sign_out(page: Page) -> None:
    page.locator("form.sign-out button").first.click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def fill_password(page: Page, name: str) -> None:
    page.get_by_label("User name or e-mail").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def expect_inside(page: Page) -> None:
    expect(page.locator("form.sign-out").first).to_be_attached()


def test_a_passkey_signs_in_alone_and_leads_back(visits: Visits) -> None:
    page, keys = enter(visits, "pia")
    set_up_passkey(page)
    assert keys.count() == 1
    page.goto("/second-factor/")
    expect(page.locator("#passkeys")).to_contain_text("Work laptop")
    sign_out(page)
    page.goto("/preferences/")
    page.get_by_role("button", name=PASSKEY).click()
    expect(page).to_have_url(f"{visits.portal.url}/preferences/")
    expect_inside(page)


def test_a_passkey_follows_the_password(visits: Visits) -> None:
    page, _keys = enter(visits, "pam")
    set_up_passkey(page)
    sign_out(page)
    fill_password(page, "pam")
    expect(page.get_by_role("heading", name="Two-factor authentication")).to_be_visible()
    assert find_violations(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    expect_inside(page)


def test_a_key_that_knows_no_one_follows_the_password_and_does_not_open_alone(visits: Visits) -> None:
    visits.portal.add_member("ugo", "viewer")
    page = visits.sign_in("ugo")
    Keys(page, resident=False)
    set_up_passkey(page, alone=False)
    sign_out(page)
    page.get_by_role("button", name=PASSKEY).click()
    expect(page.locator("[data-passkey-error]")).to_contain_text("canceled or timed out")
    fill_password(page, "ugo")
    page.get_by_role("button", name="Use a passkey").click()
    expect_inside(page)


def test_a_person_who_is_not_recognised_stays_out_and_is_told(visits: Visits) -> None:
    page, keys = enter(visits, "pat")
    set_up_passkey(page)
    sign_out(page)
    keys.stop_verifying_users()
    page.get_by_role("button", name=PASSKEY).click()
    expect(page.locator("[data-passkey-error]")).to_contain_text("canceled or timed out")
    expect(page.get_by_role("button", name=PASSKEY)).to_be_enabled()
    page.goto("/preferences/")
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def test_a_passkey_proves_who_one_is_and_once_removed_opens_nothing(visits: Visits) -> None:
    page, keys = enter(visits, "pim")
    set_up_passkey(page)
    sign_out(page)
    page.get_by_role("button", name=PASSKEY).click()
    expect_inside(page)
    page.goto("/second-factor/")
    page.get_by_role("link", name="Rename Work laptop").click()
    expect(page.get_by_role("heading", name="Confirm access")).to_be_visible()
    page.get_by_role("link", name="Use a passkey instead").click()
    assert find_violations(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_label("Name", exact=True).fill("Old laptop")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Remove… Old laptop").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("Old laptop")
    expect(page.locator("#passkeys")).not_to_contain_text("Old laptop")
    sign_out(page)
    assert keys.count() == 1
    page.get_by_role("button", name=PASSKEY).click()
    expect(page.locator("#messages")).to_contain_text("This passkey was not accepted")
    expect(page.locator("form.sign-out")).to_have_count(0)


def test_without_scripts_passkeys_are_not_offered_and_codes_are(visits: Visits) -> None:
    visits.portal.add_member("quinn", "viewer")
    page = visits.sign_in("quinn", scripts=False)
    page.goto("/second-factor/passkeys/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Passkeys require JavaScript, which is turned off in your browser")).to_be_visible()
    expect(page.get_by_role("button", name="Finish")).to_have_count(0)
    secret = set_up_app(page)
    sign_out(page)
    expect(page.get_by_role("button", name=PASSKEY)).to_have_count(0)
    fill_password(page, "quinn")
    page.get_by_role("textbox", name="Code").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Incorrect code.")).to_be_visible()
    page.get_by_role("textbox", name="Code").fill(make_lasting_code(secret))
    page.get_by_role("button", name="Sign in", exact=True).click()


def set_up_app(page: Page) -> str:
    page.goto("/second-factor/app/")
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_role("textbox", name="Code").fill(make_lasting_code(secret))
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Recovery codes")
    return secret


def test_an_admin_is_led_to_set_one_up_and_reaches_nothing_before(visits: Visits, *, scripts: bool) -> None:
    name = "anna" if scripts else "anke"
    visits.portal.add_member(name, "admin")
    page = visits.sign_in(name, scripts=scripts)
    expect(page).to_have_url(f"{visits.portal.url}/second-factor/")
    for path in ("/team/", "/spo1/instances/", "/preferences/"):
        page.goto(path)
        expect(page.get_by_text("Set up two-factor authentication to continue")).to_be_visible()
    page.get_by_role("link", name="Set up an app").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    set_up_app(page)
    page.get_by_role("button", name="Show the codes").click()
    assert len(re.findall(r"\b\d{8}\b", page.locator("#recovery-codes").inner_text())) == 10
    page.goto("/team/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Team")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_on_the_pages_of_second_factors(visits: Visits, scheme: str) -> None:
    name = f"axel-{scheme}"
    visits.portal.add_member(name, "viewer")
    page = visits.sign_in(name, scheme=scheme)
    Keys(page)
    found = {}
    page.goto("/second-factor/app/")
    found["is it you"] = find_violations(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    found["app"] = find_violations(page)
    page.goto("/second-factor/passkeys/")
    found["passkey"] = find_violations(page)
    set_up_passkey(page)
    page.get_by_role("button", name="Show the codes").click()
    expect(page.locator("#recovery-codes")).to_be_visible()
    found["codes"] = find_violations(page)
    page.goto("/second-factor/")
    found["index"] = find_violations(page)
    page.get_by_role("link", name="Remove… Work laptop").click()
    expect(page).to_have_url(re.compile("/remove/"))
    found["remove"] = find_violations(page)
    page.set_viewport_size({"width": 360, "height": 800})
    for path in ("/second-factor/", "/second-factor/passkeys/", "/second-factor/recovery-codes/"):
        page.goto(path)
        if scrolls_sideways(page):
            found[path] = ["scrolls sideways"]
    assert {page: report for page, report in found.items() if report} == {}
