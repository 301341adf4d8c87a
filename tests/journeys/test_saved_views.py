"""Saved views: created on the list, opened by their URL, private unless shared."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from portal.accounts.models import Member
from portal.audit.models import Event
from portal.bycloud import BearerToken
from portal.saved_views.models import DefaultView, SavedView
from portal.saved_views.services import MOST_VIEWS
from tests.credentials.rows import keep
from tests.journeys.pages import LIST, Response, ask_htmx, ids, link, press, text, words

VIEWS = "/spo1/views/"
REQUEST_ID = re.compile(r"Request [0-9a-f-]{36}")
COLUMNS = "columns=name,state,addresses,flavor,image,tags,age&density=comfortable"


def save(client: Client, query: str, name: str, *, shared: bool = False) -> Response:
    """The page that follows: the list under its new name, or the form once more. (Django's client would spell its
    address in another way.)
    """
    sent = {"query": query, "name": name} | ({"is_shared": "on"} if shared else {})
    response = client.post(f"{LIST}save-view/", sent)
    return client.get(response.headers["Location"]) if response.status_code == 303 else response


def pk(name: str) -> int:
    return SavedView.objects.get(name=name).pk


def acts() -> list[tuple[str, str]]:
    return list(Event.objects.filter(act__startswith="view-").order_by("id").values_list("act", "subject"))


@pytest.fixture
def administering(ada: Member, operator_client: Client) -> Client:
    """Ada, with the credential of the same organization as Otto's."""
    keep(ada, BearerToken("sandbox-acme-token"))
    client = Client()
    client.force_login(ada)
    return client


def test_a_view_holds_filters_columns_density_and_size_but_no_place(operator_client: Client) -> None:
    second = operator_client.get(link(operator_client.get(f"{LIST}?tags=web"), "Next"))
    saved = save(operator_client, second.request["QUERY_STRING"], "Web, fifty")
    assert saved.request["QUERY_STRING"] == f"tags=web&{COLUMNS}"
    assert "View Web, fifty saved." in words(saved)
    assert link(saved, "Web, fifty") == f"{LIST}?tags=web&{COLUMNS}"


def test_a_view_keeps_the_columns_that_were_seen_when_their_own_change(operator_client: Client, otto: Member) -> None:
    Member.objects.filter(pk=otto.pk).update(columns="name,ram", density="compact")
    save(operator_client, "status=ACTIVE&limit=50", "Active")
    Member.objects.filter(pk=otto.pk).update(columns="", density="comfortable")
    url = link(operator_client.get(LIST), "Active")
    assert url == f"{LIST}?status=ACTIVE&limit=50&columns=name,ram&density=compact"
    assert re.search(">RAM(</a>)?</th>", text(operator_client.get(url)))


def test_the_current_view_is_marked_on_each_of_its_pages_and_no_other_is(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web")
    first = operator_client.get(f"{LIST}?tags=web")
    for page in (operator_client.get(f"{LIST}?tags=web"), operator_client.get(link(first, "Next"))):
        assert text(page).count('aria-current="page"') == 1
        assert f'tags=web&amp;{COLUMNS.replace("&", "&amp;")}" aria-current="page"' in page.content.decode()
    assert f'{LIST}?limit=20" aria-current="page">All instances' in text(operator_client.get(LIST))
    assert 'aria-current="page"' not in text(operator_client.get(f"{LIST}?tags=db"))


def test_htmx_is_told_which_view_is_current_when_the_filters_change(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web")
    typed = ask_htmx(operator_client, f"{LIST}?name=&tags=web", "results", **{"HX-Trigger": "filters"})
    assert 'id="view-links"' in text(typed)
    assert 'aria-current="page"><bdi>Web</bdi>' in text(typed)
    assert 'id="save-view"' not in text(typed)
    assert 'id="view-links"' not in text(ask_htmx(operator_client, f"{LIST}?tags=web", "results"))


def test_a_form_of_a_page_that_htmx_has_changed_means_the_present_address(operator_client: Client) -> None:
    saved = save(operator_client, f"{LIST}?status=ERROR&limit=50", "Errors")
    assert link(saved, "Errors") == f"{LIST}?status=ERROR&limit=50&{COLUMNS}"


def test_a_private_view_is_no_one_elses(operator_client: Client, administering: Client) -> None:
    save(operator_client, "tags=secret-project", "Secret project")
    for page in (administering.get(LIST), administering.get(VIEWS)):
        assert "Secret project" not in words(page)
        assert "secret-project" not in text(page)
    number = pk("Secret project")
    unknown = number + 1000
    for address in ("", "default/", "remove/"):
        given = {"name": "Mine now", "view": str(number)}
        private = administering.post(f"{VIEWS}{number}/{address}", given)
        missing = administering.post(f"{VIEWS}{unknown}/{address}", given)
        assert (private.status_code, missing.status_code) == (404, 404)
        assert REQUEST_ID.sub("", words(private)) == REQUEST_ID.sub("", words(missing))
    assert administering.get(f"{VIEWS}{number}/remove/").status_code == 404
    assert administering.get(f"{VIEWS}{number}/").status_code == 404
    taken = administering.post(f"{LIST}save-view/", {"query": "", "view": str(number)})
    assert taken.status_code == 404
    kept = SavedView.objects.get(pk=number)
    assert (kept.name, kept.query) == ("Secret project", f"tags=secret-project&{COLUMNS}")


def test_a_shared_view_is_used_by_all_and_changed_by_its_owner_alone(
    operator_client: Client, administering: Client
) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    page = administering.get(LIST)
    assert ids(administering.get(link(page, "Web (shared by otto)")))
    assert administering.get(f"{VIEWS}{pk('Web')}/").status_code == 404
    assert administering.post(f"{VIEWS}{pk('Web')}/", {"name": "Ours"}).status_code == 404
    given = {"query": "", "view": str(pk("Web"))}
    assert administering.post(f"{LIST}save-view/", given).status_code == 404
    assert SavedView.objects.get(name="Web").query == f"tags=web&{COLUMNS}"


def test_only_who_keeps_the_team_removes_what_another_shares(
    operator_client: Client, viewing: Client, administering: Client
) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    assert "Remove" not in words(viewing.get(VIEWS))
    assert viewing.post(f"{VIEWS}{pk('Web')}/remove/").status_code == 404
    viewing.post(f"{VIEWS}{pk('Web')}/default/")
    asked = administering.get(link(administering.get(VIEWS), "Remove…"))
    assert (
        "otto shares this view with the team. It will be removed for everyone. It is the default view of 1 member."
        in words(asked)
    )
    assert SavedView.objects.exists()
    assert "View Web deleted." in words(press(administering, asked, "Remove Web"))
    assert not SavedView.objects.exists()
    assert acts() == [("view-shared", "spo1: Web (otto)"), ("view-removed", "spo1: Web (otto)")]


def test_a_view_is_renamed_and_shared_and_made_private_again(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web")
    address = f"{VIEWS}{pk('Web')}/"
    assert 'value="Web"' in text(operator_client.get(address))
    shared = operator_client.post(address, {"name": "All of the web", "is_shared": "on"}, follow=True)
    assert "View All of the web updated." in words(shared)
    assert "The team" in words(shared)
    operator_client.post(address, {"name": "All of the web"})
    operator_client.post(address, {"name": "The web"})
    assert acts() == [("view-shared", "spo1: All of the web (otto)"), ("view-unshared", "spo1: All of the web (otto)")]


def test_a_view_is_changed_to_what_is_seen_now_and_keeps_its_name_and_readers(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    changed = press(operator_client, operator_client.get(f"{LIST}?tags=db&limit=50"), "Save")
    assert changed.status_code == 422
    operator_client.post(f"{LIST}save-view/", {"query": "tags=db&limit=50", "view": str(pk("Web"))})
    kept = SavedView.objects.get()
    assert (kept.name, kept.query, kept.is_shared) == ("Web", f"tags=db&limit=50&{COLUMNS}", True)


def test_members_remove_their_own_views(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web")
    press(operator_client, operator_client.get(f"{VIEWS}{pk('Web')}/remove/"), "Remove Web")
    assert "No saved views yet" in words(operator_client.get(VIEWS))
    assert acts() == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "required"), ("WEB", "You already have a view with this name"), ("x" * 61, "60"), ("a\x0bb", "control")],
)
def test_a_name_that_cannot_be_is_said_beside_it_and_nothing_is_lost(
    operator_client: Client, name: str, problem: str
) -> None:
    save(operator_client, "tags=web", "Web")
    refused = operator_client.post(f"{LIST}save-view/", {"query": "tags=db", "name": name})
    assert refused.status_code == 422
    assert problem in words(refused)
    assert 'name="query" value="tags=db"' in text(refused)
    assert press(operator_client, refused, "Save").status_code == 422
    save(operator_client, "tags=db", "Db")
    renamed = operator_client.post(f"{VIEWS}{pk('Db')}/", {"name": name})
    assert renamed.status_code == 422
    assert problem in words(renamed)
    assert SavedView.objects.count() == 2


def test_two_members_may_have_a_view_of_one_name(operator_client: Client, viewing: Client) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    assert save(viewing, "tags=web", "Web", shared=True).status_code == 200
    assert SavedView.objects.count() == 2


def test_there_is_an_end_to_the_views_one_keeps(operator_client: Client, otto: Member) -> None:
    SavedView.objects.bulk_create(
        SavedView(owner=otto, region="spo1", name=str(number), query="limit=50") for number in range(MOST_VIEWS)
    )
    refused = save(operator_client, "", "One more")
    assert refused.status_code == 422
    assert "You have reached the limit of" in words(refused)
    assert SavedView.objects.count() == MOST_VIEWS


def test_filters_that_are_too_long_to_be_kept_are_refused(operator_client: Client) -> None:
    refused = save(operator_client, f"tags={'%C3%A7' * 700}", "Long")
    assert refused.status_code == 422
    assert "These filters are too long to save" in words(refused)


def test_what_is_no_list_is_not_kept(operator_client: Client) -> None:
    refused = save(operator_client, "sort=name&columns=colour", "Sorted")
    assert refused.status_code == 400
    assert "Unknown columns: colour." in words(refused)
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("number", ["x", "-1", "٢", "9" * 40])
def test_a_number_of_no_view_is_not_found(operator_client: Client, number: str) -> None:
    assert operator_client.post(f"{LIST}save-view/", {"query": "", "view": number}).status_code == 404


def test_the_list_begins_with_the_default_view_by_a_redirect_to_its_address(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web")
    chosen = press(operator_client, operator_client.get(VIEWS), "Set as default")
    assert "Web is now your default view." in words(chosen)
    opened = operator_client.get(LIST)
    assert (opened.status_code, opened.headers["Location"]) == (302, f"{LIST}?tags=web&{COLUMNS}")
    page = operator_client.get(opened.headers["Location"])
    assert "Default view" in words(operator_client.get(VIEWS))
    whole = operator_client.get(link(page, "Clear filters"))
    assert whole.status_code == 200
    assert "1–20 of 150" in words(whole)
    press(operator_client, operator_client.get(VIEWS), "Use all instances as default")
    assert operator_client.get(LIST).status_code == 200


def test_another_default_takes_the_place_of_the_first(operator_client: Client) -> None:
    for name in ("Web", "Db"):
        save(operator_client, f"tags={name.lower()}", name)
        operator_client.post(f"{VIEWS}{pk(name)}/default/")
    assert operator_client.get(LIST).headers["Location"] == f"{LIST}?tags=db&{COLUMNS}"


def test_a_default_that_is_private_by_now_or_gone_counts_no_more(operator_client: Client, viewing: Client) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    viewing.post(f"{VIEWS}{pk('Web')}/default/")
    assert viewing.get(LIST).status_code == 302
    operator_client.post(f"{VIEWS}{pk('Web')}/", {"name": "Web"})
    assert viewing.get(LIST).status_code == 200
    assert "Web" not in words(viewing.get(VIEWS)).partition("Saved views")[2]
    operator_client.post(f"{VIEWS}{pk('Web')}/remove/")
    assert viewing.get(LIST).status_code == 200


def test_a_view_with_a_column_that_is_gone_since_is_shown_without_it(operator_client: Client) -> None:
    save(operator_client, "tags=web&columns=name,ram", "Web")
    SavedView.objects.update(query="tags=web&columns=name,colour,ram&density=comfortable")
    operator_client.post(f"{VIEWS}{pk('Web')}/default/")
    opened = operator_client.get(LIST)
    assert opened.headers["Location"] == f"{LIST}?tags=web&columns=name,ram&density=comfortable"
    page = operator_client.get(opened.headers["Location"])
    assert page.status_code == 200
    assert 'aria-current="page"><bdi>Web</bdi>' in text(page)


@pytest.mark.parametrize(("place", "given"), [("edit", {"name": "Mine"}), ("list", {"query": "tags=db"})])
def test_a_view_that_is_removed_while_its_owner_saves_it_is_not_found(
    operator_client: Client, otto: Member, place: str, given: dict[str, str]
) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    number = pk("Web")
    tables: list[str] = []

    def remove_in_between(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """An admin does it after the view was found and before it is written: while its owner is locked."""
        tables.extend(re.findall(r'^SELECT .* FROM "(\w+)"', sql))
        if tables[-2:] == [SavedView._meta.db_table, Member._meta.db_table]:
            SavedView.objects.filter(pk=number).delete()
        return execute(sql, *rest)

    address = f"{VIEWS}{number}/" if place == "edit" else f"{LIST}save-view/"
    with connection.execute_wrapper(remove_in_between):
        assert operator_client.post(address, {"view": str(number)} | given).status_code == 404


def test_no_default_is_left_of_a_view_that_is_removed_as_soon_as_it_was_found(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web", shared=True)
    number, depth = pk("Web"), len(connection.savepoint_ids)
    found: list[str] = []

    def remove_in_between(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """An admin does it, as soon as no transaction keeps them from it."""
        if len(found) == 1 and len(connection.savepoint_ids) == depth:
            found.append(sql)
            SavedView.objects.filter(pk=number).delete()
        elif not found and f'FROM "{SavedView._meta.db_table}"' in sql:
            found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(remove_in_between):
        operator_client.post(f"{VIEWS}{number}/default/")
    assert len(found) == 2
    assert not DefaultView.objects.exists()


def test_a_view_is_of_one_region(operator_client: Client, otto: Member) -> None:
    save(operator_client, "tags=web", "Web")
    keep(otto, BearerToken("sandbox-acme-token"), region="sao2")
    assert operator_client.get(f"/sao2/views/{pk('Web')}/").status_code == 404
    assert "Web" not in words(operator_client.get("/sao2/views/"))


def test_a_hostile_name_is_text_and_nothing_else(operator_client: Client, viewing: Client) -> None:
    save(operator_client, "tags=web", '"><script>alert(1)</script>', shared=True)
    for page in (operator_client.get(LIST), viewing.get(LIST), operator_client.get(VIEWS)):
        assert "<script>alert" not in page.content.decode()
        assert "alert(1)" in page.content.decode()


def test_a_view_and_a_default_say_what_they_are(operator_client: Client) -> None:
    save(operator_client, "tags=web", "Web")
    operator_client.post(f"{VIEWS}{pk('Web')}/default/")
    assert str(SavedView.objects.get()) == "Web"
    assert str(DefaultView.objects.get()) == "otto spo1"
