"""Browsers fill in a saved password where the portal asks for it, and nowhere else."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from playwright.sync_api import BrowserContext, BrowserType, Page, expect

from tests.browser.conftest import QUIET, Launcher
from tests.browser.portal import Portal, Visits, close_in_time, prove_if_asked

pytestmark = pytest.mark.browser
# A whole Chromium, with a profile, is started twice.
takes_a_profile = pytest.mark.slow

SECONDS_FROM_1601_TO_1970 = 11_644_473_600
# The credential form as it was: what it asked of the browser is what browsers ignore.
OLD_FORM = """<!doctype html><title>Old</title><form method="post" autocomplete="off">
    <label>Access token <input type="password" name="token" autocomplete="off"></label>
    <label>Access key ID <input type="text" name="access_key_id" autocomplete="off"></label>
    <label>Secret access key <input type="password" name="secret_access_key" autocomplete="off"></label>
    <button>Verify and save</button></form>"""
LIST_FIELDS = """() => Object.fromEntries([...document.querySelectorAll('input')]
    .filter(field => field.matches(':autofill') && field.value).map(field => [field.name, field.value]))"""


@pytest.fixture(scope="module")
def profile(
    standing_portal: Portal, launcher: Launcher, chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A browser in which ada once had the portal's password saved."""
    portal, folder = standing_portal, tmp_path_factory.mktemp("profile")
    with open_profile(launcher.chromium, chromium, folder) as context:
        # Chromium makes its database with its first page.
        context.new_page().goto(f"{portal.url}/sign-in/")
        wait_for_file(folder / "Default" / "Login Data")
    save_password(folder / "Default" / "Login Data", portal.url, "ada", portal.passwords["ada"])
    with open_profile(launcher.chromium, chromium, folder) as context:
        context.set_default_timeout(20_000)
        yield context


@pytest.fixture
def saved(portal: Portal, profile: BrowserContext) -> Iterator[Page]:
    """A page of that browser, where nobody is signed in."""
    del portal
    profile.clear_cookies()
    page = profile.new_page()
    yield page
    page.close()


@contextmanager
def open_profile(chromium: BrowserType, path: str, folder: Path) -> Iterator[BrowserContext]:
    context = chromium.launch_persistent_context(
        folder, executable_path=path, args=[*QUIET, "--password-store=basic"], chromium_sandbox=os.geteuid() != 0
    )
    yield context
    close_in_time(context)


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def save_password(path: Path, url: str, name: str, password: str) -> None:
    """As Chromium does it: encrypted with the key that everyone has who uses the basic store."""
    moment = int((time.time() + SECONDS_FROM_1601_TO_1970) * 1_000_000)
    row = {
        "origin_url": f"{url}/sign-in/",
        "action_url": f"{url}/sign-in/",
        "signon_realm": f"{url}/",
        "username_element": "login",
        "username_value": name,
        "password_element": "password",
        "password_value": seal(password),
        "date_created": moment,
        "date_last_used": moment,
        "date_password_modified": moment,
        "blacklisted_by_user": 0,
        "scheme": 0,
        "password_type": 0,
        "times_used": 1,
        "skip_zero_click": 0,
    }
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            f"INSERT INTO logins ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608 -- our own names
            list(row.values()),
        )


def seal(password: str) -> bytes:
    key = PBKDF2HMAC(SHA1(), 16, b"saltysalt", 1).derive(b"peanuts")  # noqa: S303 -- Chromium's own
    padder, encryptor = PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(b" " * 16)).encryptor()
    padded = padder.update(password.encode()) + padder.finalize()
    return b"v10" + encryptor.update(padded) + encryptor.finalize()


def wait_until_filled(page: Page, name: str, value: str) -> None:
    """Chromium shows a script what it fills in only after someone has done something."""
    page.mouse.click(5, 5)
    expect(page.locator(f"input[name={name}]").first).to_have_value(value)


def sign_in(portal: Portal, page: Page) -> None:
    """With what the browser fills in."""
    page.goto(f"{portal.url}/sign-in/")
    wait_until_filled(page, "password", portal.passwords["ada"])
    expect(page.locator("input[name=login]")).to_have_value("ada")
    page.locator("#sign-in button").click()
    expect(page.locator("form.sign-out").first).to_be_attached()


def list_filled(page: Page) -> dict[str, str]:
    """The fields that the browser has filled in by itself; it had all the time that it took on the sign-in page."""
    page.wait_for_timeout(1500)
    page.mouse.click(5, 5)
    page.wait_for_timeout(500)
    fields: dict[str, str] = page.evaluate(LIST_FIELDS)
    return fields


@takes_a_profile
def test_the_saved_password_goes_into_no_field_for_a_credential(portal: Portal, saved: Page) -> None:
    password = portal.passwords["ada"]
    sign_in(portal, saved)
    # It would be filled in if the form were as it was.
    saved.route("**/old-form/", lambda route: route.fulfill(content_type="text/html", body=OLD_FORM))
    saved.goto(f"{portal.url}/old-form/")
    wait_until_filled(saved, "token", password)
    saved.goto(f"{portal.url}/credentials/spo1/")
    assert list_filled(saved) == {}
    saved.locator("input[name=kind][value=api-key]").check()
    assert list_filled(saved) == {}
    saved.goto(f"{portal.url}/team/credentials/spo1/")
    prove_if_asked(saved, password, then=saved.locator("#credential_form"))
    assert list_filled(saved) == {}


@takes_a_profile
def test_the_saved_password_goes_into_no_field_of_a_new_members_first_page(portal: Portal, saved: Page) -> None:
    if "newcomer" not in portal.passwords:
        portal.add_member("newcomer", "viewer")
    saved.goto(f"{portal.url}/sign-in/")
    wait_until_filled(saved, "password", portal.passwords["ada"])
    saved.locator("input[name=login]").fill("newcomer")
    saved.locator("input[name=password]").fill(portal.passwords["newcomer"])
    saved.locator("#sign-in button").click()
    expect(saved.locator("#missing #credential_form")).to_be_visible()
    assert list_filled(saved) == {}


@takes_a_profile
def test_the_saved_password_goes_only_where_the_portal_asks_for_it(portal: Portal, saved: Page) -> None:
    sign_in(portal, saved)
    for path, asked in (
        ("/password/", {"old_password"}),
        ("/team/invitations/", {"password"}),
        ("/second-factor/", set()),
        ("/preferences/", set()),
        ("/spo1/instances/", set()),
    ):
        saved.goto(f"{portal.url}{path}")
        assert list_filled(saved).keys() <= asked, path


def test_a_secret_is_hidden_until_it_is_to_be_seen(visits: Visits) -> None:
    page = visits.sign_in("vera", to="/credentials/spo1/")
    token = page.locator("input[name=token]")
    expect(token).to_have_css("-webkit-text-security", "disc")
    page.get_by_label("Show value").check()
    expect(token).to_have_css("-webkit-text-security", "none")
