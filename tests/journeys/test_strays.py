"""Unknown parameters, such as newsletters, chats and mail gateways append to URLs."""

from urllib.parse import quote

import pytest
from django.test import Client

from portal.accounts.models import Member
from portal.saved_views.models import SavedView
from tests.conftest import PASSWORD, enter
from tests.conventions.test_access import READ, ROUTES, Route
from tests.journeys.pages import LIST, ask_htmx, detail_url, ids, text, words

STRAYS = "utm_source=mail&utm_medium=x&utm_medium=y&fbclid=IwAR1&gclid&_=1"
NAMED = "Unknown parameters were ignored: utm_source, utm_medium, fbclid, gclid, _."
PAGES = [route for route in ROUTES.values() if set(READ) <= set(route.methods)]


@pytest.mark.parametrize("query", ["name=web-%2A&status=ACTIVE", "tags=web,production&limit=50", "limit=20"])
def test_rows_are_shown_and_what_was_not_understood_is_named_and_leaves_the_address(
    operator_client: Client, query: str
) -> None:
    response = operator_client.get(f"{LIST}?{STRAYS}&{query}")
    assert (response.status_code, response.headers["Location"]) == (302, f"{LIST}?{query}")
    page = operator_client.get(response.headers["Location"])
    assert (page.status_code, ids(page)) == (200, ids(operator_client.get(f"{LIST}?{query}")))
    assert NAMED in words(page)
    # Once.
    assert "parameters were ignored" not in words(operator_client.get(f"{LIST}?{query}"))


def test_the_list_that_one_begins_with_is_opened_with_strays_too(operator_client: Client) -> None:
    operator_client.post(f"{LIST}save-view/", {"query": "status=ACTIVE", "name": "Mine"})
    operator_client.post(f"/spo1/views/{SavedView.objects.get().pk}/default/")
    opened = operator_client.get(LIST)
    assert "status=ACTIVE" in opened.headers["Location"]
    assert operator_client.get(f"{LIST}?{STRAYS}").headers["Location"] == opened.headers["Location"]
    assert NAMED in words(operator_client.get(opened.headers["Location"]))


def test_an_instance_is_shown_and_its_address_is_clean(operator_client: Client) -> None:
    url = detail_url(operator_client.get(LIST))
    response = operator_client.get(f"{url}&{STRAYS}")
    assert (response.status_code, response.headers["Location"]) == (302, url)
    page = operator_client.get(url)
    assert 'id="summary"' in text(page)
    assert NAMED in words(page)


def test_the_json_of_an_instance_is_given(operator_client: Client) -> None:
    path = detail_url(operator_client.get(LIST)).partition("?")[0].rstrip("/")
    assert operator_client.get(f"{path}.json?{STRAYS}").content == operator_client.get(f"{path}.json").content


def test_the_way_back_may_have_gathered_some(operator_client: Client) -> None:
    path = detail_url(operator_client.get(LIST)).partition("?")[0]
    response = operator_client.get(f"{path}?back={quote('tags=web&utm_source=mail')}")
    assert response.headers["Location"] == f"{path}?back=tags%3Dweb"


def test_events_are_listed_and_the_filter_is_kept(client: Client, ada: Member) -> None:
    enter(client, ada)
    response = client.get(f"/audit/?{STRAYS}&member=ada&act=")
    assert (response.status_code, response.headers["Location"]) == (302, "/audit/?member=ada")
    page = client.get(response.headers["Location"])
    assert "<table" in text(page)
    assert NAMED in words(page)


def test_a_person_who_signs_in_on_the_way_gets_there(client: Client, otto: Member, operator_client: Client) -> None:
    operator_client.logout()
    there = operator_client.get(f"{LIST}?status=ACTIVE&{STRAYS}").headers["Location"]
    response = operator_client.post(there, {"login": "otto", "password": PASSWORD}, follow=True)
    assert (response.status_code, response.request["QUERY_STRING"]) == (200, "status=ACTIVE")
    assert NAMED in words(response)


def test_an_open_page_that_htmx_leads_there_says_so_in_place(operator_client: Client) -> None:
    response = ask_htmx(operator_client, f"{LIST}?status=ACTIVE&utm_source=mail", "results")
    assert (response.status_code, response.headers["HX-Push-Url"]) == (200, f"{LIST}?status=ACTIVE")
    assert ids(response)
    assert "Unknown parameters were ignored: utm_source." in words(response)


@pytest.mark.parametrize("bad", ["limit=0", "name=a&name=b", "marker=here"])
def test_bad_values_of_known_ones_stay_errors_and_strays_are_named_beside_them(
    operator_client: Client, bad: str
) -> None:
    response = operator_client.get(f"{LIST}?{bad}&utm_source=mail")
    assert response.status_code == 400
    assert "Unknown parameters were ignored: utm_source." in words(response)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 5000, "items", "a\u200bb", "\x00", "n\nm"])
def test_their_names_are_a_strangers_words(operator_client: Client, name: str) -> None:
    page = operator_client.get(f"{LIST}?limit=20&{quote(name)}=1", follow=True)
    assert (page.status_code, len(ids(page))) == (200, 20)
    assert "<script>alert" not in page.content.decode()
    assert "x" * 100 not in text(page)
    assert "Unknown parameters were ignored: " in words(page)
    assert ("a[U+200B]b" in words(page)) == (name == "a\u200bb")


def test_names_of_any_script_and_length_fit_where_they_are_kept(operator_client: Client) -> None:
    page = operator_client.get(f"{LIST}?{'&'.join(quote(letter * 500) for letter in 'жя名😀𝕏')}", follow=True)
    assert "Unknown parameters were ignored: ж" in words(page)


def test_of_many_the_first_few_are_named(operator_client: Client) -> None:
    page = operator_client.get(f"{LIST}?{'&'.join(f'p{number}=1' for number in range(200))}", follow=True)
    assert "Unknown parameters were ignored: p0, p1, p2, p3, p4 and 195 more." in words(page)


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_every_page_answers_as_without_them(client: Client, ada: Member, operator_client: Client, route: Route) -> None:
    enter(client, ada)
    plain, with_strays = client.get(route.path), client.get(f"{route.path}?{STRAYS}")
    if with_strays.status_code == 302 and plain.status_code != 302:
        assert "utm_source" not in with_strays.headers["Location"]
        with_strays = client.get(with_strays.headers["Location"])
    assert with_strays.status_code == plain.status_code
    if plain.status_code == 302:
        assert with_strays.headers["Location"].partition("?")[0] == plain.headers["Location"].partition("?")[0]
