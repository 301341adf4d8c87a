"""All pages in all states, as a table, for axe, the layout checks and the HTML validator.

It defines how to reach each state, but not what is checked. States do not depend on their order.
"""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Response,
    ViewportSize,
    expect,
)

from tests.browser.portal import Portal, add_sign_in, close_in_time, list_ids, prove_if_asked, run_portal

# Nothing refreshes itself while it is looked at, and one search does not reach the end of the list.
SETTINGS = {"PAGE_FRESH_SECONDS": "3600"}
INSTANCES = 700
LIST = "/spo1/instances/"
OVERVIEW = "/spo1/"
# What is around the rows is the matter.
SHORT = f"{LIST}?limit=5"
LATER = {"Retry-After": "600"}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
NOWHERE = "00000000-0000-0000-0000-000000000000"
# What was seen long ago, with everything used up: as an answer without changes would say it.
USED_UP = """() => document.dispatchEvent(new CustomEvent('portal:unchanged', {detail: {at: '2026-01-23T14:31:07Z',
    clock: '14:31:07 (UTC)', exact: '23 Jan 2026', minute: [60, 60], hour: [900, 1000], external: 3}}))"""


@dataclass(frozen=True)
class Newcomer:
    """Someone with a credential that no one else has, for what befalls a whole credential."""

    role: str = "operator"
    kind: str = "bearer"
    secret: str = ""


NEWCOMERS = {
    "nils": Newcomer("viewer"),
    "ines": Newcomer(secret="sandbox-initech-token"),
    "gina": Newcomer(secret="sandbox-globex-token"),
    "lars": Newcomer(kind="api-key", secret="AKIASANDBOXGLOBEX:sandbox-globex-secret"),
    "fred": Newcomer("viewer"),
}


@dataclass
class StateRunner:
    """A portal of its own, and its people's browsers. `open` begins anew, and `leave` ends what is open.

    The first page of a state is that of the state before, without its cookies: a new one in a new context takes as long
    as what is looked at in it.
    """

    portal: Portal
    browser: Browser
    page: Page | None = None
    contexts: dict[str, BrowserContext] = field(default_factory=dict)
    # What the browser says of scripts that fail and of what the content policy refuses.
    problems: list[str] = field(default_factory=list)
    # The answer that each page was last loaded from.
    answers: dict[Page, Response] = field(default_factory=dict)

    def open(self, state: "State") -> Page:
        self.leave()
        self.portal.begin()
        return state.show(self)

    def page_of(self, name: str, *, is_new: bool = False) -> Page:
        """A page of someone who is signed in; of a guest without a name. A new one is for what cannot be undone."""
        if name in self.contexts:
            return self.contexts[name].new_page()
        if self.contexts or is_new:
            page = self._open_page()
        else:
            page = self.page = self.page or self._open_page()
        self.contexts[name] = page.context
        if name:
            add_sign_in(page.context, self.portal, name)
        return page

    def leave(self) -> None:
        """No page asks the portal for anything any more."""
        try:
            if self.page:
                self._clean(self.page)
        except Error:
            # It is no page any more, or the browser is gone.
            self.page = None
        kept = self.page.context if self.page else None
        for context in self.contexts.values():
            if context is not kept:
                close_in_time(context)
        self.contexts.clear()
        self.answers.clear()
        self.problems.clear()

    def _clean(self, page: Page) -> None:
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.goto("/health/live/")
        page.evaluate("() => sessionStorage.clear()")
        page.context.clear_cookies()
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")

    def _open_page(self) -> Page:
        context = self.browser.new_context(
            base_url=self.portal.url,
            viewport=DESKTOP,
            color_scheme="light",
            reduced_motion="reduce",
            timezone_id="UTC",
        )
        context.set_default_timeout(20_000)
        context.on("weberror", lambda error: self.problems.append(f"error in a script: {error.error}"))
        context.on("console", self._note_message)
        context.on("response", self._note_answer)
        return context.new_page()

    def _note_answer(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.answers[response.frame.page] = response

    def _note_message(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.problems.append(message.text)


@contextlib.contextmanager
def run_state_portal(state: Path, template: Path | None = None) -> Iterator[Portal]:
    with run_portal(state, settings=SETTINGS, instances=INSTANCES, template=template) as portal:
        for name, newcomer in NEWCOMERS.items():
            portal.add_member(name, newcomer.role, kind=newcomer.kind, secret=newcomer.secret)
        portal.save_start(signed_in=tuple(portal.passwords))
        yield portal


@dataclass(frozen=True)
class State:
    name: str
    show: Callable[[StateRunner], Page]


def visit(path: str, *, name: str = "ada") -> Callable[[StateRunner], Page]:
    """An address, as `name` sees it."""

    def show(runner: StateRunner) -> Page:
        page = runner.page_of(name)
        page.goto(path)
        return page

    return show


def unfold(path: str, *summaries: str) -> Callable[[StateRunner], Page]:
    """An address, with something on it opened."""

    def show(runner: StateRunner) -> Page:
        page = visit(path)(runner)
        for summary in summaries:
            page.locator(f"{summary} > summary").click()
            expect(page.locator(summary)).to_have_attribute("open", "")
        return page

    return show


def fail(query: str, *, said: str, seen_before: bool = False, **fault: object) -> Callable[[StateRunner], Page]:
    """A list for which ByCloud has no good answer, with rows from before or without."""

    def show(runner: StateRunner) -> Page:
        page = runner.page_of("otto")
        path = f"/spo1/instances/?{query}"
        if seen_before:
            page.goto(path)
            runner.portal.script_fault(match=query, **fault)
            press_refresh(page)
        else:
            runner.portal.script_fault(match=query, **fault)
            page.goto(path)
        expect(page.locator("#notice")).to_contain_text(said)
        expect(page.locator("#table")).to_have_count(int(seen_before))
        return page

    return show


def show_error(name: str, query: str, *, said: str, **fault: object) -> Callable[[StateRunner], Page]:
    """A list of a member whose credential always fails."""

    def show(runner: StateRunner) -> Page:
        page = runner.page_of(name)
        page.goto(SHORT)
        runner.portal.script_fault(**fault)
        press_refresh(page)
        expect(page.locator("#notice")).to_be_visible()
        page.goto(f"{LIST}{query}")
        expect(page.locator("#notice")).to_contain_text(said)
        return page

    return show


def press_refresh(page: Page) -> None:
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.locator(".page-head").get_by_role("button", name="Refresh").click()


def unfold_rows(runner: StateRunner) -> Page:
    page = visit(LIST)(runner)
    folded = page.locator("[data-instance-id] details:not(.menu)")
    assert folded.count()
    folded.evaluate_all("all => all.slice(0, 5).forEach(one => { one.open = true; })")
    return page


def refuse_sign_in(runner: StateRunner) -> Page:
    page = visit("/sign-in/", name="")(runner)
    page.locator("input[name=login]").fill("ada")
    page.locator("input[name=password]").fill("not the password")
    page.locator("main form button[type=submit]").click()
    expect(page.locator(".errorlist, .error, .alert").first).to_be_visible()
    return page


def show_instance(query: str, section: str, *, name: str = "ada") -> Callable[[StateRunner], Page]:
    """The page of the first instance that a filter finds."""

    def show(runner: StateRunner) -> Page:
        page = visit(f"{SHORT}&{query}", name=name)(runner)
        page.locator("[data-instance-id] th a").first.click()
        expect(page.locator(section)).to_be_visible()
        return page

    return show


def unfold_instance(runner: StateRunner) -> Page:
    page = show_instance("name=web-*", "#found")(runner)
    page.locator("#json details > summary, #request-details > summary").evaluate_all(
        "all => all.forEach(one => one.click())"
    )
    return page


def open_filter(query: str, *opened: str) -> Callable[[StateRunner], Page]:
    """The menu of a filter, with its form: one that is applied, or one that is added by the names of its buttons."""

    def show(runner: StateRunner) -> Page:
        page = visit(f"{SHORT}&{query}")(runner)
        page.locator(f"{'#add-filter' if opened else '#filter-0'} > summary").click()
        for name in opened:
            page.locator("#add-filter").get_by_role("button", name=name).click()
        expect(page.locator(".filter-form input:not([type=hidden])").first).to_be_visible()
        return page

    return show


def mistake_a_filter(runner: StateRunner) -> Page:
    page = open_filter("", "RAM")(runner)
    page.get_by_label("Values", exact=True).fill("lots")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".filter-form .error")).to_be_visible()
    return page


def mend_filters(runner: StateRunner) -> Page:
    """The list after a filter that was refused, and corrected without leaving the page."""
    page = visit(f"{SHORT}&flavor_id=what")(runner)
    page.locator("#id_flavor_id").fill("")
    page.locator("#id_flavor_id").press("Tab")
    expect(page.locator("#refused")).to_have_count(0)
    page.locator("#id_name").fill("web-*")
    page.locator("#id_name").press("Enter")
    expect(page.locator(".active-filter")).to_contain_text("web-*")
    return page


def leave_alone(minutes: int, said: str) -> Callable[[StateRunner], Page]:
    """A list that was left alone for so long."""

    def show(runner: StateRunner) -> Page:
        page = runner.page_of("ada", is_new=True)
        page.clock.install()
        page.goto(SHORT)
        page.clock.fast_forward(minutes * 60_000)
        expect(page.locator("#session .alert")).to_contain_text(said)
        return page

    return show


def fail_unseen_instance(runner: StateRunner) -> Page:
    page = runner.page_of("otto")
    runner.portal.script_fault(times=4, status=503)
    page.goto(f"{LIST}{NOWHERE}/?marker={NOWHERE}")
    expect(page.locator("#notice")).to_be_visible()
    return page


def fail_instance(runner: StateRunner) -> Page:
    page = show_instance("name=db-*", "#found", name="otto")(runner)
    runner.portal.script_fault(times=4, status=503)
    press_refresh(page)
    expect(page.locator("#notice")).to_be_visible()
    return page


def search_instance(runner: StateRunner) -> Page:
    runner.portal.limit_pages(5)
    page = visit(f"{LIST}{NOWHERE}/")(runner)
    expect(page.locator("#walk")).to_contain_text("Reading the fleet")
    return page


def lose_instance(runner: StateRunner) -> Page:
    """ByCloud does not list it any more, and no walk has missed it yet."""
    page = search_all("page=1&limit=100")(runner)
    page.goto(f"{LIST}?name=web-14")
    instance_id = list_ids(page)[0]
    page.get_by_role("link", name="web-14", exact=True).click()
    expect(page.locator("#found")).to_be_visible()
    runner.portal.change(instance_id, action="delete", seconds=0)
    press_refresh(page)
    expect(page.locator("#absence")).to_contain_text("may have been renamed or deleted")
    return page


def find_instance_gone(runner: StateRunner) -> Page:
    """A walk has missed it: in the database, because walks have at least a minute between them."""
    page = lose_instance(runner)
    instance_id = page.url.split("/")[-2]
    with contextlib.closing(sqlite3.connect(runner.portal.state / "portal.sqlite3", timeout=10)) as database:
        missing = "UPDATE fleet_indexedinstance SET missing_at = last_seen WHERE instance_id = ?"
        database.execute(missing, (instance_id,))
        database.commit()
    page.goto(page.url)
    expect(page.locator("#absence")).to_contain_text("is no longer there")
    return page


def refuse_credential(runner: StateRunner) -> Page:
    page = visit("/credentials/spo1/", name="nils")(runner)
    page.get_by_label("Bearer token", exact=True).check()
    page.locator("input[name=token]").fill("not-a-token-of-the-sandbox")
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    return page


def open_invitation(runner: StateRunner) -> Page:
    page = visit("/team/invitations/")(runner)
    prove_if_asked(page, runner.portal.passwords["ada"], then=page.locator("input[name=email]"))
    return page


def make_invitation(runner: StateRunner) -> Page:
    page = open_invitation(runner)
    page.locator("main input[name=name]").fill("Bruna Souza")
    page.locator("main form button[type=submit]").click()
    prove_if_asked(page, runner.portal.passwords["ada"], then=page.locator("#invitation-link"))
    return page


def accept_invitation(runner: StateRunner) -> Page:
    link = make_invitation(runner).locator("#invitation-link").inner_text()
    page = runner.page_of("")
    page.goto(link)
    expect(page.locator("input[name=username]")).to_be_visible()
    return page


def refuse_acceptance(runner: StateRunner) -> Page:
    page = accept_invitation(runner)
    page.locator("input[name=username]").fill("ada")
    page.locator("input[name=password1]").fill("short")
    page.locator("input[name=password2]").fill("shorter")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    return page


def open_actions(page: Page, name: str) -> Locator:
    """A member's row of the team page, with its menu open."""
    row = page.locator(f"[data-member={name}]")
    row.locator("details > summary").click()
    return row


def show_member_form(word: str) -> Callable[[StateRunner], Page]:
    """What the team page offers for one member."""

    def show(runner: StateRunner) -> Page:
        page = visit("/team/")(runner)
        open_actions(page, "otto").get_by_role("link", name=re.compile(f"^{word}")).click()
        expect(page.locator("main form button[type=submit]")).to_be_visible()
        return page

    return show


def show_deactivated(runner: StateRunner) -> Page:
    page = visit("/team/")(runner)
    fred = open_actions(page, "fred")
    fred.get_by_role("link", name=re.compile("^Deactivate")).click()
    page.locator("main form button[type=submit]").click()
    prove_if_asked(page, runner.portal.passwords["ada"], then=fred)
    expect(fred).to_contain_text("Deactivated")
    return page


def show_sessions_of(runner: StateRunner) -> Page:
    runner.page_of("otto")
    page = visit("/team/")(runner)
    open_actions(page, "otto").get_by_role("link", name=re.compile("^Sessions")).click()
    expect(page.get_by_role("button", name="End all sessions")).to_be_visible()
    return page


def make_password_link(runner: StateRunner) -> Page:
    page = visit("/team/")(runner)
    open_actions(page, "vera").get_by_role("button", name=re.compile("^Reset password link")).click()
    prove_if_asked(page, runner.portal.passwords["ada"], then=page.locator("#password-link"))
    return page


def set_team_credential(runner: StateRunner) -> Page:
    page = visit("/team/credentials/spo1/")(runner)
    prove_if_asked(page, runner.portal.passwords["ada"], then=page.locator("input[name=token]"))
    return page


def choose_password(runner: StateRunner) -> Page:
    link = make_password_link(runner).locator("#password-link").inner_text()
    page = runner.page_of("")
    page.goto(link)
    expect(page.locator("input[name=new_password1]")).to_be_visible()
    return page


def refuse_password(runner: StateRunner) -> Page:
    page = visit("/password/")(runner)
    page.locator("input[name=old_password]").fill("not the password")
    page.locator("input[name=new_password1]").fill("short")
    page.locator("input[name=new_password2]").fill("shorter")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    return page


def save_preferences(runner: StateRunner) -> Page:
    page = visit("/preferences/", name="vera")(runner)
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("#messages .toast")).to_be_visible()
    return page


def save_view(runner: StateRunner) -> Page:
    page = unfold(f"{SHORT}&name=web-*", "#save-view")(runner)
    page.locator("#view-name").fill("Web servers")
    page.locator("#view-shared").check()
    page.locator("#save-view").get_by_role("button", name="Save").click()
    expect(page.locator("#views [aria-current]").first).to_contain_text("Web servers")
    page.goto("/spo1/views/")
    page.locator("summary", has_text="Actions for Web servers").click()
    return page


def remove_view(runner: StateRunner) -> Page:
    page = save_view(runner)
    page.get_by_role("link", name="Remove… Web servers").click()
    expect(page.get_by_role("button", name="Remove Web servers")).to_be_visible()
    return page


def edit_view(runner: StateRunner) -> Page:
    page = save_view(runner)
    page.locator("main").get_by_role("link", name=re.compile("Rename|Edit|Change")).first.click()
    expect(page.locator("main form button[type=submit]").first).to_be_visible()
    return page


def show_keys(runner: StateRunner) -> Page:
    page = visit(SHORT)(runner)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    return page


def speak_portuguese(runner: StateRunner) -> Page:
    page = runner.page_of("ada", is_new=True)
    page.set_extra_http_headers({"Accept-Language": "pt-BR"})
    page.goto(SHORT)
    expect(page.locator("html")).to_have_attribute("lang", re.compile("pt-br", re.IGNORECASE))
    return page


def break_the_database(runner: StateRunner) -> Page:
    page = runner.page_of("ada")
    rename = "ALTER TABLE {} RENAME TO {}".format
    with contextlib.closing(sqlite3.connect(runner.portal.state / "portal.sqlite3", timeout=10)) as database:
        database.execute(rename("audit_event", "audit_event_away"))
        try:
            page.goto("/audit/")
        finally:
            database.execute(rename("audit_event_away", "audit_event"))
    expect(page.locator(".error-code")).to_have_text("503")
    return page


def search_all(query: str) -> Callable[[StateRunner], Page]:
    """A list from the index, after the fleet has been read to its end."""

    def show(runner: StateRunner) -> Page:
        runner.portal.read_fleet("ada")
        page = visit(f"{LIST}?{query}")(runner)
        expect(page.locator("#walk")).to_have_count(0)
        return page

    return show


def select_rows(runner: StateRunner) -> Page:
    page = search_all("q=tag:web&limit=5")(runner)
    page.locator("#table thead .tick input").check()
    expect(page.locator("#selection")).to_contain_text("5 selected")
    return page


def compare_instances(more: str = "") -> Callable[[StateRunner], Page]:
    def show(runner: StateRunner) -> Page:
        page = search_all("q=db&limit=20")(runner)
        page.goto(f"{LIST}compare/?id={','.join(list_ids(page)[:4])}{more}")
        expect(page.locator("#comparison")).to_be_visible()
        return page

    return show


def show_changes(query: str = "", *, count: int = 1) -> Callable[[StateRunner], Page]:
    """The changes of a region whose fleet was read to its end, after so many instances were renamed."""

    def show(runner: StateRunner) -> Page:
        page = search_all("page=1&limit=100")(runner)
        page.goto(f"{LIST}?limit=20")
        for number, instance_id in enumerate(list_ids(page)[:count]):
            runner.portal.change(instance_id, action="rename", name=f"renamed-{number}")
        runner.portal.change(list_ids(page)[-1], action="stop", seconds=600)
        press_refresh(page)
        expect(page.locator("#table")).to_contain_text("renamed-0")
        page.goto(f"/spo1/changes/{query}")
        return page

    return show


def unfold_changes(runner: StateRunner) -> Page:
    page = show_changes(count=9)(runner)
    page.locator(".change-day details > summary").first.click()
    expect(page.locator(".change-rows")).to_contain_text("renamed-8")
    return page


def show_history(runner: StateRunner) -> Page:
    page = show_changes()(runner)
    page.get_by_role("link", name="renamed-0").click()
    expect(page.locator("#history")).to_contain_text("renamed-0")
    return page


def show_export(runner: StateRunner) -> Page:
    """The page for the file of all that match, after the fleet has been read to its end."""
    page = search_all("q=tag:web&limit=5")(runner)
    page.goto(f"{LIST}export-all/?q=tag:web")
    expect(page.locator("#export-all")).to_contain_text("One file")
    return page


def read_overview(name: str) -> Callable[[StateRunner], Page]:
    """The overview, after the fleet has been read to its end."""

    def show(runner: StateRunner) -> Page:
        runner.portal.read_fleet(name)
        page = visit(OVERVIEW, name=name)(runner)
        expect(page.locator("#troubles")).to_be_visible()
        return page

    return show


def lose_the_index(runner: StateRunner) -> Page:
    page = runner.page_of("ada")
    rename = "ALTER TABLE {} RENAME TO {}".format
    with contextlib.closing(sqlite3.connect(runner.portal.state / "portal.sqlite3", timeout=10)) as database:
        database.execute(rename("fleet_indexedfleet", "fleet_away"))
        try:
            page.goto(f"{LIST}?q=web")
        finally:
            database.execute(rename("fleet_away", "fleet_indexedfleet"))
    expect(page.locator("#results")).to_contain_text("The index cannot answer")
    return page


def fail_to_read(runner: StateRunner) -> Page:
    runner.portal.script_fault(times=4, status=503)
    page = visit(f"{LIST}?q=web")(runner)
    expect(page.locator("#walk")).to_contain_text("Waiting")
    return page


def refuse_overview(runner: StateRunner) -> Page:
    runner.portal.script_fault(times=4, status=401, organization="globex")
    page = visit(OVERVIEW, name="gina")(runner)
    expect(page.locator("#walk")).to_contain_text("Stopped")
    return page


def spoil_a_row(runner: StateRunner) -> Page:
    """A number that is none, which only another program can have written."""
    page = runner.page_of("ada")
    keep = "UPDATE accounts_member SET refresh_seconds = ? WHERE username = 'ada'"
    with contextlib.closing(sqlite3.connect(runner.portal.state / "portal.sqlite3", timeout=10)) as database:
        database.execute(keep, ["often"])
        database.commit()
        try:
            page.goto(LIST)
        finally:
            database.execute(keep, [30])
            database.commit()
    expect(page.locator(".error-code")).to_have_text("500")
    return page


def lose_the_form(runner: StateRunner) -> Page:
    page = visit("/preferences/")(runner)
    page.context.clear_cookies(name=re.compile("csrf"))
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator(".error-code")).to_have_text("403")
    return page


def lose_the_portal(runner: StateRunner) -> Page:
    page = visit(SHORT)(runner)
    page.context.set_offline(True)
    page.locator("#pager").get_by_role("link", name="Next").click()
    expect(page.locator("#request-error .alert")).to_be_visible()
    page.context.set_offline(False)
    return page


def use_everything_up(runner: StateRunner) -> Page:
    page = unfold(SHORT, "#rate-limit")(runner)
    page.evaluate(USED_UP)
    expect(page.locator(".rate-limit-out")).to_be_visible()
    return page


def pause(runner: StateRunner) -> Page:
    page = visit(SHORT)(runner)
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_text("Resume")
    return page


def swap(runner: StateRunner) -> Page:
    """What stands there once htmx has put rows in the place of others, twice."""
    page = visit(SHORT)(runner)
    for shows in ("6–10", "11–15"):
        page.locator("#pager").get_by_role("link", name="Next").click()
        expect(page.locator("#pager")).to_contain_text(shows)
    return page


def suggest(runner: StateRunner) -> Page:
    """Values of a key while it is typed, one of them chosen."""
    page = search_all("q=name:web-*&limit=5")(runner)
    page.locator("#search").fill("tag:")
    page.locator("#search").press("End")
    page.locator("#suggestions [role=option]").first.wait_for()
    page.locator("#search").press("ArrowDown")
    return page


STATES = (
    State("sign-in", visit("/sign-in/", name="")),
    State("sign-in, wrong password", refuse_sign_in),
    State("sign-out", visit("/sign-out/")),
    State("overview", read_overview("ada")),
    State("overview, nothing needs attention", read_overview("gina")),
    State("overview, fleet being read", visit(OVERVIEW)),
    State("overview, empty organization", visit(OVERVIEW, name="ines")),
    State("overview, token refused", refuse_overview),
    State("list", visit(LIST)),
    State("list, as a viewer", visit(SHORT, name="vera")),
    State("list, filtered", visit(f"{LIST}?name=web-*&status=ACTIVE&tags=production&limit=5")),
    State("list, after swaps", swap),
    State("list, paused", pause),
    State("search", search_all("q=tag:web&sort=-age&limit=20&page=2")),
    State("search, nothing found", search_all("q=no-such-thing")),
    State("search, not understood", search_all("q=ram>=lots+stauts:ERROR&limit=5")),
    State("search, fleet being read", visit(f"{LIST}?q=web-1")),
    State("search, nothing read yet", fail_to_read),
    State("search, index lost", lose_the_index),
    State("search, suggestions", suggest),
    State("rows selected", select_rows),
    State("comparison", compare_instances()),
    State("comparison, only differences", compare_instances("&differences=1")),
    State("comparison, not found", visit(f"{LIST}compare/?id={NOWHERE},{NOWHERE[:-1]}1")),
    State("export of all", show_export),
    State("export of all, fleet being read", visit(f"{LIST}export-all/?q=web")),
    State("changes", show_changes()),
    State("changes, filtered", show_changes("?since=visit&kind=name,tags&q=renamed")),
    State("changes, unfolded", unfold_changes),
    State("changes, no matches", show_changes("?kind=vanished")),
    State("changes, fleet being read", visit("/spo1/changes/")),
    State("changes, bad parameters", visit("/spo1/changes/?since=often&kind=colour&before=x")),
    State("instance with a history", show_history),
    State("search help", unfold(SHORT, "#search-help")),
    State("no matches", visit(f"{LIST}?name=nothing-is-called-so&status=ACTIVE")),
    State("empty organization", visit(LIST, name="ines")),
    State("bad parameters", visit(f"{LIST}?limit=none&flavor_id=what&colour=red")),
    State("bad parameters, corrected", mend_filters),
    State("session about to end", leave_alone(28, "about to be signed out")),
    State("session ended", leave_alone(31, "Your session has ended")),
    State("marker gone", visit(f"{LIST}?limit=5&marker={NOWHERE}")),
    State("no token yet", visit(LIST, name="nils")),
    State("failed, nothing seen", fail("name=cold-*", said="ByCloud is unavailable (503)", times=4, status=503)),
    State(
        "failed, with rows",
        fail("name=web-*&limit=5", said="ByCloud is unavailable (503)", seen_before=True, times=4, status=503),
    ),
    State("unreadable answer", fail("name=unread-*", said="Unexpected response", times=4, mode="not-json")),
    State("isn't allowed to list instances", fail("name=mayn-*", said="isn't allowed to list", times=1, status=403)),
    State(
        "rate limited, with rows",
        show_error("lars", "?limit=5", said="Paused for", status=429, headers=LATER, organization="globex"),
    ),
    State(
        "rate limited, nothing seen",
        show_error(
            "lars", "?limit=7", said="Paused", status=429, headers={"Retry-After": "600"}, organization="globex"
        ),
    ),
    State(
        "token refused, with rows",
        show_error("gina", "?limit=5", said="rejected your token", status=401, organization="globex"),
    ),
    State("token refused, nothing seen", show_error("gina", "?limit=7", said="rejected", status=401)),
    State("portal out of reach", lose_the_portal),
    State("list, compact, other columns", visit(f"{SHORT}&columns=name,state,crn,metadata&density=compact")),
    State("view settings", unfold(SHORT, "#layout")),
    State("export", unfold(SHORT, "#export")),
    State("share", unfold(SHORT, "#share")),
    State("filters, keys", unfold(SHORT, "#add-filter")),
    State("filters, one changed", open_filter("q=-status:ERROR,BUILD+tag:web+meta.team:storefront")),
    State("filters, one added", open_filter("", "Metadata", "meta.team")),
    State("filters, a mistake", mistake_a_filter),
    State("filters, a page of its own", visit(f"{LIST}filter/?query=tags%3Dweb&key=status")),
    State("save a view", unfold(SHORT, "#save-view")),
    State("saved views", save_view),
    State("saved views, none", visit("/spo1/views/", name="vera")),
    State("saved view, one", edit_view),
    State("remove saved view", remove_view),
    State("list of keys", show_keys),
    State("list in Portuguese", speak_portuguese),
    State("menu of the person", unfold(SHORT, "#person")),
    State("menu of themes", unfold(SHORT, "#theme")),
    State("rate limit and request details open", unfold(SHORT, "#request-details", "#rate-limit")),
    State("rate limit reached, and old", use_everything_up),
    State("rows unfolded", unfold_rows),
    State("instance", show_instance("name=web-*", "#found")),
    State("instance, unfolded", unfold_instance),
    State("instance with a fault", show_instance("status=ERROR", "#fault")),
    State("instance, failed, with what was seen", fail_instance),
    State("instance, failed, nothing seen", fail_unseen_instance),
    State("instance, searching", search_instance),
    State("instance, not listed under its name", lose_instance),
    State("instance, gone", find_instance_gone),
    State("instance, not found", visit(f"{LIST}{NOWHERE}/?name=nothing-is-called-so", name="ines")),
    State("credentials", visit("/credentials/")),
    State("credentials, none", visit("/credentials/", name="nils")),
    State("credential form", visit("/credentials/spo1/")),
    State("credential refused", refuse_credential),
    State("preferences", visit("/preferences/")),
    State("preferences, saved", save_preferences),
    State("sessions", visit("/sessions/")),
    State("sessions of a member", show_sessions_of),
    State("change password", visit("/password/")),
    State("change password, refused", refuse_password),
    State("forgotten password", visit("/password/forgotten/", name="")),
    State("link for a password made", make_password_link),
    State("choose a new password", choose_password),
    State("link for a password gone", visit("/password/new/x/y/", name="")),
    State("second factor", visit("/second-factor/")),
    State("second factor, an app", visit("/second-factor/app/")),
    State("second factor, a passkey", visit("/second-factor/passkeys/")),
    State("team", unfold("/team/", "[data-member=otto] details")),
    State("team, somebody deactivated", show_deactivated),
    State("invite", open_invitation),
    State("invitation made", make_invitation),
    State("accept invitation", accept_invitation),
    State("accept invitation, refused", refuse_acceptance),
    State("invitation gone", visit("/invitations/gone/", name="")),
    State("role", show_member_form("Change role")),
    State("deactivate", show_member_form("Deactivate")),
    State("team credentials", visit("/team/credentials/")),
    State("team credential", set_team_credential),
    State("audit", unfold("/audit/", "tbody > :first-child details")),
    State("audit, no matches", visit("/audit/?member=nobody-at-all")),
    State("audit, bad parameters", visit("/audit/?since=never&colour=red")),
    State("403", visit("/team/", name="vera")),
    State("403, form", lose_the_form),
    State("404", visit("/nowhere/")),
    State("405", visit("/spo1/instances/export/")),
    State("404, not signed in", visit("/nowhere/", name="")),
    State("500", spoil_a_row),
    State("503, the database fails", break_the_database),
)
