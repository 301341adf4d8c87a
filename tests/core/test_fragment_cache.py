"""Cached markup: identical to a new rendering, never shown to a member it was not rendered for, and limited in size."""

import re

import pytest
from django.template import Context
from django.test import Client, RequestFactory
from django.utils import timezone, translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from pytest_django import Settings

from portal.accounts.models import Member
from portal.core import fragment_cache
from portal.core.fragment_cache import MOST_BYTES, LruCache, name_values, render_cached

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
THEME = "layout/_theme.html"


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> LruCache[bytes]:
    empty: LruCache[bytes] = LruCache(MOST_BYTES)
    monkeypatch.setattr(fragment_cache, "_cache", empty)
    return empty


def render(reader: str = "somebody", **given: object) -> str:
    page = Context({"csrf_token": reader, "theme": "dark", "request": RequestFactory().get("/")})
    return render_cached(page, THEME, {"theme": "light"} | given)


def test_the_same_values_are_rendered_once_and_other_values_anew(shelf: LruCache[bytes]) -> None:
    first = render()
    taken = shelf.total_bytes
    assert render() == first
    assert shelf.total_bytes == taken
    assert render(theme="dark") != first
    assert shelf.total_bytes > taken


def test_it_sees_nothing_of_the_page_but_what_it_is_given() -> None:
    assert re.search(r'value="light" aria-pressed="true"', render())


def test_each_reader_gets_her_own_token_and_none_is_kept(shelf: LruCache[bytes]) -> None:
    assert TOKEN.findall(render("one")) == ["one"]
    assert TOKEN.findall(render("another")) == ["another"]
    assert b"one" not in TOKEN.findall(b"".join(shelf._values.values()).decode())


def test_a_reader_whose_markup_has_no_form_is_given_no_token() -> None:
    class Token:
        def __str__(self) -> str:
            raise AssertionError("made for nothing")

    render_cached(Context({"csrf_token": Token()}), "instances/_counter.html", {"count": "150"})


def test_each_reader_comes_back_to_where_she_is(otto: Member, shelf: LruCache[bytes]) -> None:
    client = Client()
    client.force_login(otto)
    addresses = ["/preferences/", '/preferences/?a=1&b="']
    for address in addresses:
        page = client.get(address).content.decode()
        shown = address.replace("&", "&amp;").replace('"', "%22")
        assert f'name="next" value="{shown}"' in page
    assert b"/preferences/?" not in b"".join(shelf._values.values())


def test_a_language_and_a_time_zone_have_words_of_their_own() -> None:
    english = render()
    with translation.override("pt-br"):
        assert render() != english
    assert render() == english
    here = name_values("the same")
    with timezone.override("America/Sao_Paulo"):
        assert name_values("the same") != here


def test_texts_of_all_kinds_are_named_by_what_they_say() -> None:
    assert name_values(gettext_lazy("Theme")) == name_values("Theme")
    assert name_values(mark_safe("<b>")) == name_values(mark_safe("<b>")) != name_values("<b>")


def test_what_cannot_be_named_by_its_value_is_not_kept(otto: Member) -> None:
    with pytest.raises(TypeError, match="Member cannot be named"):
        render(member=otto)


def test_what_was_not_used_for_longest_goes_first() -> None:
    small: LruCache[bytes] = LruCache(most_bytes=10)
    for key in (b"a", b"b"):
        small.keep(key, b"12345")
    small.keep(b"a", b"12345")
    assert small.find(b"a")
    small.keep(b"c", b"12345")
    assert (small.find(b"b"), small.total_bytes) == (None, 10)
    assert small.find(b"a")
    small.keep(b"large", b"x" * 11)
    assert (small.find(b"large"), small.total_bytes) == (None, 0)


def test_a_template_that_is_worked_on_is_rendered_each_time(settings: Settings, shelf: LruCache[bytes]) -> None:
    settings.DEBUG = True
    assert render() == render()
    assert shelf.total_bytes == 0


def test_two_people_at_one_address_see_their_own_names_and_tokens(otto: Member, vera: Member) -> None:
    pages = []
    for member in (otto, vera, otto):
        client = Client()
        client.force_login(member)
        pages.append(client.get("/preferences/").content.decode())
    named = [re.findall(r"Signed in as</span>\s*(?:<[^>]*>)*\s*(\w+)", page) for page in pages]
    assert [names[:1] for names in named] == [["otto"], ["vera"], ["otto"]]
    assert all(len(set(TOKEN.findall(page))) == 1 for page in pages)
