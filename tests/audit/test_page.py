"""The audit page: filters, pages, and invalid values."""

import re
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.audit import views
from portal.audit.models import Action, Event
from portal.audit.services import record_event

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def as_ada(client: Client, ada: Member) -> Client:
    """Ada, who signed in before anything that the tests write."""
    client.force_login(ada)
    return client


def write(*, name: str = "vera", act: Action = Action.SIGNED_IN, at: datetime = START, **rest: Any) -> int:
    event = Event(name=name, act=act, at=at, **rest)
    event.save()
    return event.pk


def get_page(client: Client, **query: Any) -> Any:
    return client.get("/audit/", query)


def ids(response: Any) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-event-id="(\d+)"', text_of(response))]


def find_link(response: Any, words: str) -> str:
    """The address of a link of the pager; empty if there is no such page."""
    links = re.findall(r'<a class="button small" href="([^"]*)"[^>]*>(.*?)</a>', text_of(response), re.DOTALL)
    return next((unescape(url) for url, content in links if re.sub(r"<[^>]*>", "", content).strip() == words), "")


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_the_newest_event_stands_first_with_its_exact_time(as_ada: Client, ada: Member) -> None:
    first, second = write(name="vera"), write(name="otto", address="203.0.113.9", subject="<b>x</b>")
    response = as_ada.get("/audit/")
    assert ids(response)[:2] == [second, first]
    text = text_of(response)
    assert "1 Mar 2026, 12:00:00 (UTC)" in text
    assert "203.0.113.9" in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text


def test_each_event_says_what_happened(as_ada: Client) -> None:
    write(act=Action.SINGLE_SIGN_ON_FAILED)
    assert "<td>Single sign-on failed</td>" in text_of(get_page(as_ada))


def test_a_browser_is_named_and_all_that_it_says_is_folded(as_ada: Client) -> None:
    header = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 <b>"
    write(user_agent=header, request_id="0123456789abcdef")
    text = text_of(get_page(as_ada, member="vera"))
    folded = re.search(r"<details [^>]*><summary>Firefox 128 on Linux</summary>(.*?)</details>", text, re.DOTALL)
    assert folded
    assert escape(header) in folded[1]
    assert "<code>0123456789abcdef</code>" in folded[1]


def test_times_are_in_the_readers_own_zone(as_ada: Client, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(time_zone="America/Sao_Paulo")
    write()
    assert "1 Mar 2026, 09:00:00 (UTC−03:00)" in text_of(as_ada.get("/audit/"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"member": "vera"}, {"a", "c"}),
        ({"member": "VERA"}, {"a", "c"}),
        ({"member": "ver"}, set()),
        ({"act": "role-changed"}, {"b"}),
        ({"member": "vera", "act": "signed-out"}, {"c"}),
        ({"since": "2026-03-02"}, {"b", "c"}),
        ({"until": "2026-03-02"}, {"a", "b"}),
        ({"since": "2026-03-02", "until": "2026-03-02"}, {"b"}),
        ({"member": "", "act": "", "until": "2026-03-03"}, {"a", "b", "c"}),
    ],
)
def test_filters_combine(as_ada: Client, query: dict[str, str], found: set[str]) -> None:
    names = {
        write(name="vera", at=START): "a",
        write(name="otto", act=Action.ROLE_CHANGED, at=START + timedelta(days=1)): "b",
        write(name="vera", act=Action.SIGNED_OUT, at=START + timedelta(days=2)): "c",
    }
    response = as_ada.get("/audit/", query | {"until": query.get("until", "2026-03-31")})
    assert {names[pk] for pk in ids(response)} == found
    if not found:
        assert "No matches" in text_of(response)


def test_a_day_is_the_readers_day(as_ada: Client, ada: Member) -> None:
    Member.objects.filter(pk=ada.pk).update(time_zone="America/Sao_Paulo")
    late = write(at=datetime(2026, 3, 2, 2, 59, 59, 999999, tzinfo=UTC))
    write(at=datetime(2026, 3, 2, 3, 0, tzinfo=UTC))
    assert ids(as_ada.get("/audit/", {"since": "2026-03-01", "until": "2026-03-01"})) == [late]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"act": "exploded"}, "act"),
        ({"since": "yesterday"}, "since"),
        ({"since": "0001-01-01"}, "since"),
        ({"until": "9999-12-31"}, "until"),
        ({"until": "2026-02-30"}, "until"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "until"),
        ({"member": "x" * 151}, "member"),
        ({"member": "\x00"}, "member"),
    ],
)
def test_a_bad_value_is_named_beside_its_field_and_nothing_is_listed(
    as_ada: Client, query: dict[str, str], field: str
) -> None:
    response = as_ada.get("/audit/", query)
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in text_of(response)
    assert "No results" in text_of(response)
    assert "<table" not in text_of(response)


@pytest.mark.parametrize("query", [{"before": "x"}, {"after": "-1"}, {"before": "0"}, {"before": "9" * 30}])
def test_a_page_that_cannot_be_is_said_to_be_none(as_ada: Client, query: dict[str, str]) -> None:
    response = as_ada.get("/audit/", query)
    assert response.status_code == 422
    assert "The address contains an invalid page" in text_of(response)


def test_a_parameter_that_means_nothing_is_named(as_ada: Client) -> None:
    text = text_of(as_ada.get("/audit/", {"nmae": "vera", "<x>": "1"}, follow=True))
    assert "Unknown parameters were ignored: nmae, &lt;x&gt;." in text


def test_pages_go_there_and_back_over_the_same_events(as_ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    wanted = [write(name="vera") for _ in range(5)][::-1]
    first = get_page(as_ada, member="vera")
    assert ids(first) == wanted[:2]
    assert find_link(first, "Older") == f"?member=vera&before={wanted[1]}"
    assert find_link(first, "Newer") == ""
    write(name="vera")
    second = get_page(as_ada, member="vera", before=wanted[1])
    assert ids(second) == wanted[2:4]
    third = get_page(as_ada, member="vera", before=wanted[3])
    assert ids(third) == wanted[4:]
    assert find_link(third, "Older") == ""
    back = as_ada.get(f"/audit/{find_link(third, 'Newer')}")
    assert ids(back) == wanted[2:4]
    assert ids(get_page(as_ada, member="vera", after=wanted[2])) == wanted[:2]


def test_the_newest_page_from_behind_has_nothing_newer(as_ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    wanted = [write(name="vera") for _ in range(3)][::-1]
    page = get_page(as_ada, member="vera", after=wanted[2])
    assert ids(page) == wanted[:2]
    assert (find_link(page, "Newer"), find_link(page, "Older")) == ("", f"?member=vera&before={wanted[1]}")


def test_only_what_was_typed_is_marked_as_typed(as_ada: Client, vera: Member) -> None:
    write(name="vera", member=vera)
    assert "(as typed)" not in text_of(get_page(as_ada, member="vera"))
    write(name="mallory", act=Action.SIGN_IN_FAILED)
    assert "(as typed)" in text_of(as_ada.get("/audit/", {"member": "mallory"}))


def test_what_was_typed_and_is_no_name_is_said_to_be_none(as_ada: Client) -> None:
    Client().post("/sign-in/", {"login": "my secret!", "password": "x"})
    text = text_of(get_page(as_ada, act="sign-in-failed"))
    assert "<em>not a name</em>" in text
    assert "(as typed)" not in text


def test_what_the_command_line_did_is_told_apart_from_what_anyone_typed(as_ada: Client) -> None:
    record_event(Action.MEMBER_ADDED, subject="eve (viewer)")
    text = text_of(get_page(as_ada, member="command line"))
    assert "eve (viewer)" in text
    assert "<em>command line</em>" in text
    assert "(as typed)" not in text
    write(name="command line", act=Action.SIGN_IN_FAILED)
    text = text_of(get_page(as_ada, act="sign-in-failed"))
    assert "<em>command line</em>" not in text
    assert "(as typed)" in text


def test_a_person_who_asks_for_a_new_password_is_not_called_the_command_line(
    as_ada: Client, settings: Settings
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    Client().post("/password/forgotten/", {"login": "eve"})
    text = text_of(as_ada.get("/audit/", {"act": "password-link-made"}))
    assert "eve" in text
    assert "<em>command line</em>" not in text


def test_reading_writes_nothing(as_ada: Client, settings: Settings) -> None:
    before = Event.objects.count()
    as_ada.get("/audit/")
    assert Event.objects.count() == before
