"""The script follows the member's preferences: language and refresh interval."""

import re

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.boxes import scrolls_sideways
from tests.browser.portal import Visits, list_ids
from tests.browser.violations import find_violations

pytestmark = pytest.mark.browser
TOP = "element => element.getBoundingClientRect().top"

TOLD = "() => [...document.querySelectorAll('time[data-ago]')].map(time => time.textContent)"

FETCHED = "async () => (await fetch(location.href)).text()"


def open_in_portuguese(visits: Visits, name: str = "vera", *, width: int = 1280) -> Page:
    context = visits.browser.new_context(
        base_url=visits.portal.url,
        locale="pt-BR",
        timezone_id="America/Sao_Paulo",
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    visits.contexts.append(context)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("h1")).to_have_text("Entrar")
    visits.sign_in_on(page, name)
    return page


@pytest.fixture
def lena(visits: Visits) -> Page:
    """Lena's preferences."""
    return visits.sign_in("lena", to="/preferences/")


def save(page: Page) -> None:
    top = page.locator("main h1").evaluate(TOP)
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#messages .toast")).to_be_visible()
    # It pushes nothing away.
    assert page.locator("main h1").evaluate(TOP) == top


def test_the_script_tells_ages_as_the_page_did(visits: Visits) -> None:
    page = open_in_portuguese(visits)
    expect(page.locator("html")).to_have_attribute("lang", "pt-br")
    page.goto("/spo1/instances/?limit=50")
    ages = page.evaluate(TOLD)
    # What the server says, before a script has a word in it.
    said = re.findall(r"<time[^>]* data-ago>([^<]*)</time>", page.evaluate(FETCHED))
    assert len(ages) == len(said) > 50
    # Younger ones may have grown older between the two.
    settled = [(one, other) for one, other in zip(ages, said, strict=True) if re.search(r"\b(dia|mês|mes|ano)", one)]
    assert len(set(settled)) > 10
    assert [(one, other) for one, other in settled if one != other] == []


def test_the_script_speaks_the_pages_language(visits: Visits) -> None:
    page = open_in_portuguese(visits)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("[data-live-status]")).to_have_text(re.compile("^atualização automática"))
    expect(page.locator("#footer")).to_contain_text("America/Sao_Paulo")
    expect(page.locator("#freshness time").first).to_contain_text("(UTC−03:00)")
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#toasts")).to_contain_text("Copiado: ")
    page.keyboard.press("p")
    expect(page.locator("[data-live-status]")).to_have_text("pausada")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Atalhos de teclado")).to_be_visible()


def test_longer_words_fit_the_smallest_screen(visits: Visits) -> None:
    page = open_in_portuguese(visits, "ada", width=320)
    instance = f"/spo1/instances/{list_ids(page)[3]}/"
    for path in ("/spo1/instances/", instance, "/preferences/", "/team/", "/audit/", "/credentials/spo1/", "/nada/"):
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        assert not scrolls_sideways(page), path
        # Colours are the same in every language.
        assert find_violations(page, contrast=False) == [], path


def test_a_language_that_is_chosen_goes_before_the_browsers(lena: Page) -> None:
    lena.get_by_label("Português (Brasil)").check()
    save(lena)
    expect(lena.locator("html")).to_have_attribute("lang", "pt-br")
    expect(lena.locator("h1")).to_have_text("Preferências")
    lena.goto("/spo1/instances/")
    expect(lena.locator("[data-live-status]")).to_have_text(re.compile("^atualização automática"))


def test_a_page_refreshes_at_the_pace_its_reader_chose(visits: Visits, lena: Page) -> None:
    lena.locator("select[name=refresh_seconds]").select_option("300")
    save(lena)
    lena.goto("/spo1/instances/?status=ACTIVE")
    expect(lena.locator("[data-live-status]")).to_have_text("auto-refresh: 300 s")


def test_a_page_that_refreshes_only_when_asked_waits_for_the_button(visits: Visits, lena: Page) -> None:
    lena.locator("select[name=refresh_seconds]").select_option("0")
    save(lena)
    page = lena.context.new_page()
    page.clock.install()
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request) if "portal-refresh" in request.headers else None)
    # One is in transition there, and would be looked at more often.
    page.goto("/spo1/instances/?name=*")
    page.clock.run_for(1500)
    page.wait_for_function("() => !document.documentElement.classList.contains('is-refreshing')")
    words = page.locator("[data-live-status]")
    expect(words).to_have_text("manual refresh only")
    expect(page.locator("[data-live-pause]")).to_have_count(0)
    del seen[:]
    page.clock.run_for(400_000)
    expect(words).to_have_text("manual refresh only")
    assert seen == []
    with page.expect_response(lambda response: response.request.method == "POST") as refreshed:
        page.keyboard.press("r")
    assert refreshed.value.status == 303
    assert list_ids(page)
