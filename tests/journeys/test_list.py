"""The list of instances in a browser without scripts, and the fragments for htmx."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from tests.credentials.rows import keep
from tests.journeys.pages import (
    LIST,
    ask_htmx,
    detail_url,
    form,
    has_rows,
    ids,
    is_due,
    link,
    links,
    removal,
    text,
    words,
)
from tests.upstream import Upstream

OLD = timedelta(minutes=1)
GONE = "00000000-0000-4000-8000-000000000000"
FLAVOR = re.compile(r"flavor_id=([0-9a-f-]{36})")


def test_the_list_shows_twenty_rows_their_total_and_their_age(operator_client: Client) -> None:
    response = operator_client.get(LIST)
    assert response.status_code == 200
    assert len(ids(response)) == 20
    assert "Instances (150)" in words(response)
    assert "Updated" in words(response)
    assert "just now" in words(response)
    assert "1–20 of 150" in words(response)


def test_nothing_is_shown_as_none(operator_client: Client) -> None:
    seen = "".join(words(operator_client.get(f"{LIST}?limit=100")))
    assert "None" not in seen
    assert "–" in seen


def test_next_next_previous_previous_shows_the_same_ids(operator_client: Client) -> None:
    first = operator_client.get(LIST)
    second = operator_client.get(link(first, "Next"))
    third = operator_client.get(link(second, "Next"))
    assert "41–60 of 150" in words(third)
    assert not set(ids(first)) & set(ids(second)) | set(ids(second)) & set(ids(third))
    back = operator_client.get(link(third, "Previous"))
    again = operator_client.get(link(back, "Previous"))
    assert (ids(back), ids(again)) == (ids(second), ids(first))
    assert link(third, "First") == f"{LIST}?limit=20"


def test_the_last_page_has_no_next_and_the_first_no_previous(operator_client: Client) -> None:
    page = operator_client.get(f"{LIST}?limit=100")
    last = operator_client.get(link(page, "Next"))
    assert "101–150 of 150" in words(last)
    with pytest.raises(AssertionError, match="no link"):
        link(last, "Next")
    with pytest.raises(AssertionError, match="no link"):
        link(page, "Previous")


def test_a_page_whose_past_is_unknown_leads_to_the_first(operator_client: Client, upstream: Upstream) -> None:
    marker = ids(operator_client.get(LIST))[-1]
    rows = {"instances": [{"id": GONE}], "meta": {"has_more": False}}
    upstream.script(status=200, body=json.dumps(rows), match="status=BUILD")
    page = operator_client.get(f"{LIST}?status=BUILD&marker={marker}")
    assert ids(page) == [GONE]
    with pytest.raises(AssertionError, match="no link"):
        link(page, "Previous")
    assert link(page, "First") == f"{LIST}?status=BUILD"


def test_another_page_size_begins_at_the_first_page(operator_client: Client) -> None:
    second = operator_client.get(link(operator_client.get(LIST), "Next"))
    assert link(second, "50") == f"{LIST}?limit=50"
    assert len(ids(operator_client.get(f"{LIST}?limit=50"))) == 50


def test_the_form_as_a_browser_sends_it_leads_to_the_canonical_address(operator_client: Client) -> None:
    sent = f"{LIST}?name=web-*&status=active&tags=web%2C+production%2Cweb&flavor_id=&image_id=&limit=50"
    response = operator_client.get(sent)
    assert response.status_code == 302
    assert response.headers["Location"] == f"{LIST}?name=web-%2A&status=ACTIVE&tags=web,production&limit=50"
    assert operator_client.get(response.headers["Location"]).status_code == 200


@pytest.mark.parametrize("query", ["tags=a,b", "tags=a%2Cb", "tags=a%2cb", "tags=a%5Fb", "tags=a_b"])
def test_an_address_that_a_client_escapes_in_its_own_way_is_not_redirected(operator_client: Client, query: str) -> None:
    assert operator_client.get(f"{LIST}?{query}").status_code == 200


def test_a_canonical_address_is_answered_at_once(operator_client: Client) -> None:
    for name in ("web%5F%7E", "web_~"):
        assert operator_client.get(f"{LIST}?name={name}").status_code == 200, (
            "programs that decode it would be led on for ever"
        )
    assert operator_client.get(f"{LIST}?name=web-%2A&tags=web,production").status_code == 200


def test_filters_stand_as_tokens_that_take_themselves_away(operator_client: Client) -> None:
    response = operator_client.get(f"{LIST}?name=web-%2A&tags=web,production&limit=50")
    assert ids(response)
    assert removal(response, "Name: web-*") == f"{LIST}?tags=web,production&limit=50"
    assert removal(response, "Tag: web") == f"{LIST}?name=web-%2A&tags=production&limit=50"
    assert link(response, "Clear filters") == f"{LIST}?limit=50"


def test_every_filter_of_the_api_reaches_it(operator_client: Client, upstream: Upstream) -> None:
    query = f"name=web-%2A&status=ACTIVE&tags=web,production&flavor_id={GONE}&image_id={GONE}&limit=50"
    upstream.clear()
    operator_client.get(f"{LIST}?{query}&marker={GONE}")
    sent = upstream.requests()[0]["query"]
    for parameter in ("name", "status", "tags", "flavor_id", "image_id", "limit", "marker"):
        assert parameter in sent


def test_an_image_and_a_tag_in_a_row_filter_the_list(operator_client: Client) -> None:
    response = operator_client.get(LIST)
    image = next(href for href in links(response) if "image_id=" in href)
    assert ids(operator_client.get(image))
    assert f"{LIST}?tags=web" in links(response)


def test_the_star_rule_is_tied_to_the_name_field(operator_client: Client) -> None:
    body = text(operator_client.get(LIST))
    name_field = re.search(r'<input[^>]*name="name"[^>]*id="id_name"[^>]*>', body)
    assert name_field
    assert 'aria-describedby="id_name_helptext"' in name_field[0]
    assert "Exact name, or a prefix: web-*" in body


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=1000", "Enter a whole number from 1 to 100"),
        ("marker=here", "Not a valid ID"),
        ("flavor_id=m9.none", "Unknown name. Use the ID instead"),
        ("name=a&name=b", "Given 2 times"),
        ("name=%00", "control character"),
    ],
)
def test_bad_parameters_are_named_and_the_list_is_shown_without_them(
    operator_client: Client, upstream: Upstream, query: str, named: str
) -> None:
    upstream.clear()
    response = operator_client.get(f"{LIST}?tags=web&{query}")
    assert response.status_code == 400
    assert named in words(response)
    assert ids(response) == ids(operator_client.get(f"{LIST}?tags=web"))
    assert [request["query"] for request in upstream.requests()] == ["tags=web&limit=20"]
    assert link(response, "Remove them") == f"{LIST}?tags=web"
    # What the rest of the page offers belongs to the list that is shown.
    assert removal(response, "Tag: web") == f"{LIST}?limit=20"
    assert "Save view" in words(response)


def test_bad_parameters_replace_the_form_too_whatever_region_asked(operator_client: Client) -> None:
    response = ask_htmx(operator_client, f"{LIST}?tags=web&limit=x", "results")
    assert (response.status_code, response.headers["HX-Retarget"]) == (400, "#instances")
    assert re.match(r'<title>[^<]+</title>\s*<section id="instances"', text(response))
    # The counter stands in what is swapped in.
    assert "hx-swap-oob" not in text(response)
    assert "Enter a whole number" in words(response)
    assert ids(response)
    assert "HX-Push-Url" not in response.headers


@pytest.mark.parametrize("wrong", ["density=x", "limit=x", "flavor_id=m9.none"])
def test_the_tools_of_a_list_without_what_is_wrong_work_on_what_it_shows(operator_client: Client, wrong: str) -> None:
    address = f"{LIST}?tags=web&{wrong}"
    action, fields = form(operator_client.get(address), "Refresh")
    sent = {"HX-Request": "true", "HX-Target": "instances", "HX-Current-URL": f"http://testserver{address}"}
    response = operator_client.post(action, fields, headers=sent, follow=True)
    assert response.status_code == 200
    assert ids(response) == ids(operator_client.get(f"{LIST}?tags=web"))


def test_a_position_in_a_list_that_cannot_be_is_left_out_with_it(operator_client: Client) -> None:
    last = ids(operator_client.get(LIST))[-1]
    response = operator_client.get(f"{LIST}?name=%00&marker={last}")
    assert ids(response) == ids(operator_client.get(LIST))
    long = operator_client.get(LIST, {"tags": "web", "q": "ю" * 800, "name": "web-*"})
    assert link(long, "Remove them") == f"{LIST}?name=web-%2A&tags=web"
    # So does what is too long by itself beside something that is wrong.
    several = operator_client.get(LIST, {"tags": "ю" * 900, "q": "ю" * 950, "name": "ю" * 250, "limit": "x"})
    assert words(several).count("Too long for a URL") == 2
    assert link(several, "Remove them").startswith(f"{LIST}?name=%D1%8E")


def test_what_is_wrong_is_named_while_bycloud_fails_or_the_index_answers(
    operator_client: Client, upstream: Upstream
) -> None:
    assert "Use comfortable or compact" in words(operator_client.get(f"{LIST}?q=web&density=x"))
    upstream.script(times=None, status=503)
    response = operator_client.get(f"{LIST}?tags=never-asked-for&density=x")
    assert "Use comfortable or compact" in words(response)
    assert "ByCloud is unavailable (503)" in words(response)


def test_what_was_typed_is_kept_beside_its_error(operator_client: Client) -> None:
    response = operator_client.get(f"{LIST}?name=web-*&flavor_id=m9.none&limit=7000")
    for typed in ('value="web-*"', 'value="m9.none"', 'value="7000"'):
        assert typed in text(response)
    assert 'aria-invalid="true"' in text(response)


def test_nothing_matches_is_not_nothing_exists(operator_client: Client) -> None:
    response = operator_client.get(f"{LIST}?name=no-such-name")
    assert "No matches" in words(response)
    assert "Instances (0)" in words(response)
    assert 'data-announce="No matches"' in text(response)
    assert removal(response, "Name: no-such-name") == f"{LIST}?limit=20"
    assert "No instances yet" not in words(response)


def test_an_empty_organization_says_so(client: Client, vera: Member, upstream: Upstream) -> None:
    keep(vera, BearerToken("sandbox-initech-token"))
    client.force_login(vera)
    response = client.get(LIST)
    assert "No instances yet" in words(response)
    assert not has_rows(response)


def test_a_marker_that_leads_nowhere_is_survived_in_plain_words(operator_client: Client) -> None:
    response = operator_client.get(f"{LIST}?marker={GONE}")
    assert response.status_code == 200
    assert "This page no longer exists" in words(response)
    assert ids(response) == ids(operator_client.get(LIST))


def test_a_fresh_page_asks_nothing_upstream(operator_client: Client, upstream: Upstream) -> None:
    operator_client.get(LIST)
    upstream.clear()
    response = operator_client.get(LIST)
    assert len(ids(response)) == 20
    assert not is_due(response)
    assert upstream.requests() == []


def test_a_stale_page_is_shown_at_once_and_then_asks_once(
    operator_client: Client, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    rows = ids(operator_client.get(LIST))
    upstream.clear()
    clock.shift(OLD)
    stale = operator_client.get(LIST)
    assert ids(stale) == rows
    assert "1 minute ago" in words(stale)
    assert is_due(stale)
    assert upstream.requests() == []
    fresh = ask_htmx(operator_client, LIST, "results", **{"Portal-Refresh": "1"})
    assert len(upstream.requests()) == 1
    assert "just now" in words(fresh)
    assert not is_due(fresh)


def test_a_page_that_is_never_fresh_does_not_ask_forever(
    operator_client: Client, settings: Settings, clock: time_machine.Traveller
) -> None:
    settings.PAGE_FRESH_SECONDS = 0
    operator_client.get(LIST)
    assert not is_due(ask_htmx(operator_client, LIST, "results", **{"Portal-Refresh": "1"}))


def test_an_operator_refreshes_a_page_that_is_fresh(operator_client: Client, upstream: Upstream) -> None:
    page = operator_client.get(f"{LIST}?status=ACTIVE")
    assert f'action="{LIST}refresh/"' in text(page)
    upstream.clear()
    response = operator_client.post(f"{LIST}refresh/", {"query": "status=ACTIVE"})
    assert (response.status_code, response.headers["Location"]) == (303, f"{LIST}?status=ACTIVE")
    assert len(upstream.requests()) == 1


def test_a_viewer_revalidates_and_may_not_force(viewing: Client, upstream: Upstream) -> None:
    page = viewing.get(LIST)
    assert f'action="{LIST}revalidate/"' in text(page)
    assert f'action="{LIST}refresh/"' not in text(page)
    upstream.clear()
    response = viewing.post(f"{LIST}revalidate/", {"query": ""})
    assert (response.status_code, response.headers["Location"]) == (303, f"{LIST}?limit=20")
    assert upstream.requests() == []
    assert viewing.post(f"{LIST}refresh/", {"query": ""}).status_code == 403


def test_a_refresh_of_a_bad_query_is_refused(operator_client: Client, upstream: Upstream) -> None:
    upstream.clear()
    response = operator_client.post(f"{LIST}refresh/", {"query": "limit=0&next=https://elsewhere.example"})
    assert response.status_code == 400
    assert upstream.requests() == []


def test_two_members_at_one_address_never_see_each_others_rows(operator_client: Client, viewing: Client) -> None:
    own = [set(ids(client.get(f"{LIST}?limit=100"))) for client in (operator_client, viewing)]
    again = [set(ids(client.get(f"{LIST}?limit=100"))) for client in (operator_client, viewing)]
    assert own == again
    assert (len(own[0]), len(own[1])) == (100, 12)
    assert not own[0] & own[1]


def test_htmx_gets_the_region_it_asks_for(operator_client: Client) -> None:
    instances = ask_htmx(operator_client, LIST, "instances")
    assert re.match(r'<title>[^<]+</title>\s*<section id="instances"', text(instances))
    results = ask_htmx(operator_client, LIST, "results")
    assert re.match(r'<title>[^<]+</title>\s*<div id="results"', text(results))
    assert 'id="counter" class="muted num" hx-swap-oob="true"' in text(results)
    for response in (instances, results):
        assert "<html" not in text(response)
        assert len(ids(response)) == 20
        assert {"HX-Request", "HX-Target", "Cookie"} <= set(response.headers["Vary"].split(", "))
    assert "hx-swap-oob" not in text(instances)


@pytest.mark.parametrize("headers", [{"HX-History-Restore-Request": "true"}, {"HX-Target": "somewhere"}])
def test_a_history_restore_or_an_unknown_target_gets_the_whole_page(
    operator_client: Client, headers: dict[str, str]
) -> None:
    response = ask_htmx(operator_client, LIST, "instances", **headers)
    assert "<html" in text(response)
    assert len(ids(response)) == 20


def test_htmx_is_told_the_canonical_address_instead_of_sent_to_it(operator_client: Client) -> None:
    response = ask_htmx(operator_client, f"{LIST}?name=web-%2A&status=", "instances")
    assert response.status_code == 200
    assert response.headers["HX-Push-Url"] == f"{LIST}?name=web-%2A"
    assert "HX-Push-Url" not in ask_htmx(operator_client, f"{LIST}?name=web-%2A", "instances").headers


def test_a_refused_form_asks_for_all_that_is_missing_beside_it(operator_client: Client) -> None:
    for response in (
        operator_client.get(f"{LIST}?limit=none"),
        ask_htmx(operator_client, f"{LIST}?limit=none", "results"),
    ):
        form_tag = re.search(r'<form id="filters"[^>]*>', text(response))
        assert form_tag
        assert "hx-target" not in form_tag[0]
    assert 'hx-target="#results"' in text(operator_client.get(LIST))


def test_an_unknown_region_is_not_found(operator_client: Client) -> None:
    assert operator_client.get("/atlantis/instances/").status_code == 404


def test_someone_who_is_not_signed_in_is_sent_to_sign_in_and_back(client: Client, upstream: Upstream) -> None:
    upstream.clear()
    response = client.get(f"{LIST}?name=web-*")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/sign-in/?next=/spo1/instances/")
    assert upstream.requests() == []


def test_a_get_writes_nothing(operator_client: Client) -> None:
    operator_client.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        operator_client.get(LIST)
    assert all(query["sql"].lstrip().startswith("SELECT") for query in queries.captured_queries)


@pytest.mark.parametrize(
    ("age", "signs"),
    [(20, set()), (60, set()), (61, {"the word"}), (300, {"the word"}), (301, {"the word", "the look"})],
)
def test_facts_are_called_stale_after_a_minute_and_warned_about_after_five(
    operator_client: Client, clock: time_machine.Traveller, age: int, signs: set[str]
) -> None:
    instance_url = detail_url(operator_client.get(LIST))
    operator_client.get(instance_url)
    clock.shift(timedelta(seconds=age))
    for url in (LIST, instance_url):
        line = re.search(r'<p id="freshness".*?</p>', text(operator_client.get(url)), re.DOTALL)
        assert line
        seen = {"the look": "is-stale" in line[0], "the word": "hidden> · stale<" not in line[0]}
        assert {sign for sign, is_there in seen.items() if is_there} == signs
