"""What changed in a region, and in the past of one instance, without scripts: observed by pages and walks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.changes.models import Visit
from portal.changes.services import PAGE_SIZE
from portal.fleet.models import ChangeKind, IndexedFleet, ObservedChange
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.journeys.pages import LIST, Response, ask_htmx, detail_url, ids, link, links, press, refresh, text, words
from tests.upstream import Upstream

CHANGES = "/spo1/changes/"
JsonObject = dict[str, Any]


def see(client: Client, query: str = "", **headers: str) -> Response:
    return client.get(f"{CHANGES}{query}", headers=headers, follow=True)


def walk(client: Client, clock: time_machine.Traveller) -> None:
    """Let so much time pass that the whole list is read again, by an open page."""
    clock.shift(timedelta(minutes=10))
    page = client.get(LIST, {"page": "1"})
    for _ in range(4):
        page = press(client, page, "Refresh")


def look(client: Client, clock: time_machine.Traveller) -> list[str]:
    """The first page of the live list, as it is a minute later."""
    clock.shift(timedelta(minutes=1))
    return ids(press(client, client.get(LIST, {"limit": "100"}), "Refresh"))


def come_back(client: Client, clock: time_machine.Traveller, **later: int) -> None:
    """Whoever is signed in leaves, and signs in again so much later."""
    member = Member.objects.get(pk=client.session["_auth_user_id"])
    clock.shift(timedelta(**later))
    client.force_login(member)


def rows(response: Response) -> list[str]:
    """What the tables say, row by row."""
    body = re.search(r'<section id="changes".*</section>', response.content.decode(), re.DOTALL)
    assert body
    found = re.findall(r'<tr id="change-\d+">(.*?)</tr>', body[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


@pytest.fixture
def otto_client(clock: time_machine.Traveller, reader: Client) -> Client:
    """Otto, whose fleet of 150 has been read to its end, in time that only advances when a test says so."""
    return reader


def test_before_the_fleet_was_read_nothing_is_recorded(operator_client: Client) -> None:
    response = see(operator_client)
    assert response.status_code == 200
    assert "Nothing recorded yet" in words(response)
    assert "Reading the fleet: 100 of about 150" in words(response)


def test_what_the_first_walk_finds_has_not_appeared(otto_client: Client) -> None:
    response = see(otto_client)
    assert "No changes yet" in words(response)
    assert "Recorded since" in words(response)
    assert "Kept for 30 days" in words(response)
    assert rows(response) == []


def test_a_change_is_shown_with_both_values_and_when_it_was_seen(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first, second = look(otto_client, clock)[:2]
    upstream.change(first, action="rename", name="renamed-1")
    upstream.change(second, action="set", fields={"tags": ["blue"], "metadata": {"team": "payments"}})
    look(otto_client, clock)
    response = see(otto_client)
    shown = " | ".join(rows(response))
    assert re.search(r"renamed-1 Name \S+ → changed to renamed-1 between \d\d:\d\d and \d\d:\d\d", shown), shown
    assert re.search(r"Tags \+ blue − \S+", shown), shown
    assert re.search(r"Metadata \+ team=payments .*− team=\S+", shown), shown
    assert f"Today, {timezone.localdate():%-d %b %Y}" in words(response)
    assert otto_client.get(link(response, "renamed-1")).status_code == 200


def test_a_walk_that_finds_many_gone_is_one_row_that_unfolds(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    gone = look(otto_client, clock)[:8]
    for instance_id in gone:
        upstream.change(instance_id, action="delete", seconds=0)
    walk(otto_client, clock)
    assert rows(see(otto_client)) == []
    walk(otto_client, clock)
    response = see(otto_client, "?kind=vanished")
    (row,) = rows(response)
    assert re.match(r"8 instances .* Vanished between \d\d:\d\d and \d\d:\d\d", row), row
    assert "<details" in text(response)
    assert sum("/instances/" in href and href.split("/")[3] in gone for href in links(response)) == 8


def test_each_filter_narrows_the_changes(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first, second = look(otto_client, clock)[:2]
    upstream.change(first, action="rename", name="renamed-1")
    look(otto_client, clock)
    come_back(otto_client, clock, hours=3)
    upstream.change(second, action="set", fields={"tags": ["quite-new"]})
    look(otto_client, clock)
    assert len(rows(see(otto_client))) == 2
    for query, expected in {
        "?since=1h": ["Tags"],
        "?since=24h": ["Tags", "Name"],
        f"?since={datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%MZ}": ["Tags"],
        "?kind=name": ["Name"],
        "?kind=name&kind=tags": ["Tags", "Name"],
        "?kind=vanished": [],
        "?q=tag:quite-new": ["Tags"],
        "?q=renamed": ["Name"],
        f"?instance={first}": ["Name"],
        f"?instance={second}&since=1h&kind=tags": ["Tags"],
    }.items():
        found = rows(see(otto_client, query))
        assert len(found) == len(expected), query
        assert all(kind in row for kind, row in zip(expected, found, strict=True)), query
    assert "No recorded changes match these filters" in words(see(otto_client, "?kind=vanished"))


def test_the_filters_are_links_that_add_and_take_away(otto_client: Client) -> None:
    chosen = otto_client.get(link(see(otto_client), "Vanished"))
    both = otto_client.get(link(chosen, "State"))
    assert link(both, "Last hour") == f"{CHANGES}?since=1h&kind=vanished,state"
    assert link(both, "Vanished (chosen)") == f"{CHANGES}?kind=state"


def test_an_address_has_one_spelling(otto_client: Client, otto: Member) -> None:
    otto.time_zone = "America/Sao_Paulo"
    otto.save()
    for given, canonical in {
        "?kind=tags&kind=name&utm=x": "?kind=name,tags",
        f"?kind={','.join(ChangeKind)}": "",
        "?since=24h&moment=": "?since=24h",
        "?since=24h&moment=2026-11-29T11:02": "?since=2026-11-29T14%3A02Z",
        "?q=TAG:web++": "?q=tag%3Aweb",
    }.items():
        response = otto_client.get(f"{CHANGES}{given}")
        assert (response.status_code, response["Location"]) == (302, f"{CHANGES}{canonical}"), given
    assert 'value="2026-11-29T11:02"' in text(see(otto_client, "?since=2026-11-29T14%3A02Z"))


@pytest.mark.parametrize(
    "query",
    [
        *("?since=often", "?since=2026-13-01T00:00", "?kind=colour", "?instance=7", "?before=x", "?before=01-2"),
        *("?since=1h&since=24h", "?q=" + "x" * 1001, "?before=99999999999999999-1&moment=x"),
    ],
)
def test_what_cannot_be_is_refused_and_named(otto_client: Client, query: str) -> None:
    response = see(otto_client, query)
    assert response.status_code == 400
    assert "This address has invalid parameters" in words(response)
    assert link(response, "Remove them") == CHANGES


def test_pages_follow_each_other_and_lose_nothing(otto_client: Client) -> None:
    fleet, now = IndexedFleet.objects.get(), timezone.now()
    ObservedChange.objects.bulk_create(
        ObservedChange(
            fleet=fleet, instance_id=f"{number}", name=f"web-{number}", kind=ChangeKind.NAME, until=now, since=now
        )
        for number in range(2 * PAGE_SIZE + 3)
    )
    response, seen = see(otto_client), []
    while True:
        shown = text(response)
        assert f"{2 * PAGE_SIZE + 3} instances" in words(response)
        seen += re.findall(r"<bdi>(web-\d+)</bdi>", shown)
        if 'rel="next"' not in shown:
            break
        response = otto_client.get(link(response, "Older"))
    assert sorted(seen) == sorted(f"web-{number}" for number in range(2 * PAGE_SIZE + 3))
    assert link(response, "Newest") == CHANGES


def test_an_open_page_refreshes_itself(otto_client: Client, upstream: Upstream, clock: time_machine.Traveller) -> None:
    page = see(otto_client)
    first = look(otto_client, clock)[0]
    page = see(otto_client)
    assert refresh(otto_client, page).status_code == 204
    upstream.change(first, action="rename", name="renamed-1")
    look(otto_client, clock)
    response = refresh(otto_client, page)
    assert response.status_code == 200
    assert "<html" not in text(response)
    assert re.search(r'data-announce="renamed-1: \S+ → renamed-1"', text(response))


def test_since_my_last_visit_is_what_was_recorded_after_it(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first, second = look(otto_client, clock)[:2]
    upstream.change(first, action="rename", name="renamed-1")
    look(otto_client, clock)
    assert len(rows(see(otto_client, "?since=visit"))) == 1
    assert "This is your first visit" in words(see(otto_client, "?since=visit"))
    come_back(otto_client, clock, hours=1)
    upstream.change(second, action="rename", name="renamed-2")
    look(otto_client, clock)
    for _ in range(3):
        # Opened again and again: still the same visit.
        response = see(otto_client, "?since=visit")
        assert [row.split()[0] for row in rows(response)] == ["renamed-2"]
        assert "Your last visit:" in words(response)
        come_back(otto_client, clock, minutes=20)
    come_back(otto_client, clock, minutes=31)
    assert rows(see(otto_client, "?since=visit")) == []


def test_nobody_but_a_person_makes_a_visit(otto_client: Client, clock: time_machine.Traveller) -> None:
    page = see(otto_client)
    before = Visit.objects.values_list().get()
    come_back(otto_client, clock, hours=1)
    refresh(otto_client, page)
    otto_client.head(CHANGES)
    see(otto_client, **{"Sec-Purpose": "prefetch;prerender"})
    # What is filtered does not show everything that was new.
    see(otto_client, "?kind=vanished")
    see(otto_client, "?q=web")
    assert Visit.objects.values_list().get() == before
    see(otto_client)
    assert Visit.objects.values_list().get() != before


def test_each_member_has_visits_of_their_own(otto_client: Client, vera: Member, clock: time_machine.Traveller) -> None:
    keep(vera, BearerToken("sandbox-acme-token"))
    client = Client()
    client.force_login(vera)
    see(otto_client)
    see(client)
    assert Visit.objects.count() == 2
    come_back(client, clock, hours=1)
    see(client)
    assert Visit.objects.get(member=vera).since_at
    assert not Visit.objects.exclude(member=vera).get().since_at


def test_that_an_instance_vanished_before_the_visit_is_told_when_it_is_known_later(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    upstream.change(look(otto_client, clock)[0], action="delete", seconds=0)
    walk(otto_client, clock)
    come_back(otto_client, clock, hours=1)
    see(otto_client)
    come_back(otto_client, clock, hours=1)
    walk(otto_client, clock)
    (row,) = rows(see(otto_client, "?since=visit"))
    assert "Vanished" in row


def test_a_visit_that_cannot_be_noted_fails_no_page(otto_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(Visit.objects, "get_or_create", fail)
    assert see(otto_client).status_code == 200
    assert not Visit.objects.exists()


def test_without_an_index_the_page_says_so_and_is_not_offered(otto_client: Client, settings: Settings) -> None:
    assert link(otto_client.get(LIST, follow=True), "Changes") == CHANGES
    settings.FLEET_INDEX = False
    response = see(otto_client)
    assert response.status_code == 200
    assert "The index cannot answer" in words(response)
    assert otto_client.get(link(response, "Open the live list")).status_code == 200
    assert f'href="{CHANGES}"' not in text(otto_client.get(LIST, follow=True))


def test_with_a_locked_index_the_page_says_so(otto_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("portal.changes.services.read_changes", fail)
    assert "The index cannot answer" in words(see(otto_client))


def test_no_change_of_one_credential_is_shown_to_another(
    otto_client: Client, viewing: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    walk(viewing, clock)
    first, second = look(otto_client, clock)[:2]
    upstream.change(first, action="rename", name="secret-1")
    upstream.change(second, action="set", fields={"tags": ["secret-2"]})
    look(otto_client, clock)
    for query in ("", "?since=1h", "?since=visit", "?q=secret", f"?instance={first}", "?kind=name,tags"):
        response = see(viewing, query)
        assert response.status_code == 200
        assert rows(response) == []
        assert "secret" not in words(response)
    assert len(rows(see(otto_client))) == 2
    before = re.search(r"before=[\d-]+", text(see(otto_client)))
    assert not before
    history = viewing.get(f"{LIST}{first}/", follow=True)
    assert 'id="history"' not in text(history)
    assert "secret" not in words(history)


def test_hostile_texts_are_shown_as_such(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first = look(otto_client, clock)[0]
    upstream.change(first, action="set", fields={"name": "<b>x</b>\u202e", "tags": ["<i>\u200b"]})
    look(otto_client, clock)
    for response in (see(otto_client), otto_client.get(f"{LIST}{first}/", follow=True)):
        shown = response.content.decode()
        assert "<b>x" not in shown
        assert "<i>" not in shown
        assert 'data-symbol="U+202E"' in shown
        assert 'data-symbol="U+200B"' in shown


def test_an_instance_has_its_history(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller, settings: Settings
) -> None:
    first = look(otto_client, clock)[0]
    page = otto_client.get(detail_url(otto_client.get(LIST, {"limit": "100"})))
    assert "No changes recorded in the last 30 days" in words(page)
    for number in range(12):
        upstream.change(first, action="rename", name=f"renamed-{number}")
        look(otto_client, clock)
    page = otto_client.get(f"{LIST}{first}/?name=renamed-11")
    shown = words(page)
    assert "renamed-10 → changed to renamed-11" in shown
    assert "renamed-1 → changed to renamed-2" in shown
    assert "renamed-0 → changed to renamed-1 " not in shown
    assert "First observed" in shown
    assert "Older changes are on the page with all changes" in shown
    every = otto_client.get(link(page, "All changes"))
    assert len(rows(every)) == 12
    assert "Instance: renamed-11" in words(every)
    settings.FLEET_INDEX = False
    assert 'id="history"' not in text(otto_client.get(f"{LIST}{first}/?name=renamed-11"))


def test_an_open_instance_shows_what_has_changed(
    otto_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    first = look(otto_client, clock)[0]
    page = otto_client.get(f"{LIST}{first}/", follow=True)
    upstream.change(first, action="set", fields={"tags": ["quite-new"]})
    clock.shift(timedelta(minutes=1))
    response = refresh(otto_client, page)
    assert response.status_code == 200
    assert re.search(r"Tags\s*</span>.*quite-new", text(response).partition('id="history"')[2], re.DOTALL)


def test_a_locked_index_takes_the_history_from_the_page_and_nothing_else(
    otto_client: Client, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OperationalError("database is locked")

    first = look(otto_client, clock)[0]
    monkeypatch.setattr("portal.instances.history.list_changes", fail)
    page = otto_client.get(f"{LIST}{first}/", follow=True)
    assert page.status_code == 200
    assert 'id="found"' in text(page)
    assert 'id="history"' not in text(page)


def test_someone_without_a_credential_is_asked_for_one(client: Client, vera: Member, sandbox: Sandbox) -> None:
    client.force_login(vera)
    response = see(client)
    assert "credential" in words(response).lower()
    assert ask_htmx(client, CHANGES, "changes").headers["HX-Redirect"] == CHANGES
