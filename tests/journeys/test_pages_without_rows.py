"""Empty pages that are not the last, totals that change, and a maximum page size that is not documented."""

import csv
import re
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from portal.bycloud import BearerToken
from portal.gateway import ApiSession
from portal.instances.lookup import find_instance
from portal.instances.services import MOST_SKIPPED
from tests.journeys.pages import LIST, ask_htmx, form, has_rows, ids, link, refresh, text, words
from tests.upstream import Upstream


def asked(upstream: Upstream) -> list[str]:
    return [request["query"] for request in upstream.requests()]


def every_id(client: Client, query: str = "limit=20") -> list[str]:
    """By Next, to the end."""
    found: list[str] = []
    response = client.get(f"{LIST}?{query}")
    while True:
        found += ids(response)
        try:
            url = link(response, "Next" if has_rows(response) else "Continue")
        except AssertionError:
            return found
        response = client.get(url)


def test_pages_without_a_row_are_passed_over_as_one_view(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="empty-page", times=3)
    upstream.clear_log()
    response = operator_client.get(LIST)
    assert len(ids(response)) == 20
    assert len(asked(upstream)) == 4
    assert "No match" not in words(response)
    assert "1–20 of 150" in words(response)
    # Once they are stored, nothing is asked.
    assert ids(operator_client.get(LIST)) == ids(response)
    assert len(asked(upstream)) == 4


def test_going_back_leads_to_where_one_came_from_and_not_in_a_circle(
    operator_client: Client, upstream: Upstream
) -> None:
    first = operator_client.get(LIST)
    upstream.script(mode="empty-page", times=2)
    second = operator_client.get(link(first, "Next"))
    third = operator_client.get(link(second, "Next"))
    assert len({*ids(first), *ids(second), *ids(third)}) == 60
    back = operator_client.get(link(third, "Previous"))
    assert ids(back) == ids(second)
    assert ids(operator_client.get(link(back, "Previous"))) == ids(first)


@pytest.mark.parametrize(
    ("query", "title"), [("status=ACTIVE&limit=10", "No match on this page"), ("", "No instances on this page")]
)
def test_after_some_the_reader_decides(operator_client: Client, upstream: Upstream, query: str, title: str) -> None:
    upstream.script(mode="empty-page", times=MOST_SKIPPED + 1)
    upstream.clear_log()
    response = operator_client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert len(asked(upstream)) == MOST_SKIPPED + 1
    assert title in words(response)
    assert f'data-announce="{title}"' in text(response)
    for wrong in ("No matches", "No instances yet", "(0)"):
        assert wrong not in words(response)
    following = operator_client.get(link(response, "Continue"))
    assert len(asked(upstream)) == MOST_SKIPPED + 2
    if not query:
        assert len(ids(following)) == 20
        assert ids(operator_client.get(link(following, "First"))) == []


def test_an_open_page_that_becomes_one_without_rows_says_so(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.PAGE_FRESH_SECONDS = 0
    seen = operator_client.get(f"{LIST}?status=ACTIVE&limit=10")
    upstream.script(mode="empty-page", times=None)
    response = refresh(operator_client, seen)
    assert "No match on this page" in words(response)
    assert "No matches" not in words(response)
    export = operator_client.post(f"{LIST}export/", {"query": "status=ACTIVE&limit=10", "format": "csv"})
    assert len(list(csv.reader(StringIO(export.content.decode("utf-8-sig"), newline="")))) == 1


def test_what_goes_wrong_on_the_way_is_told_and_the_way_stays(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="empty-page")
    upstream.script(status=500)
    response = operator_client.get(f"{LIST}?status=ACTIVE&limit=10")
    assert response.status_code == 200
    assert "ByCloud is unavailable (500)" in words(response)
    assert "No match on this page" in words(response)
    assert link(response, "Continue")


def test_a_limit_that_is_used_up_ends_the_passing_over(
    operator_client: Client, upstream: Upstream, settings: Settings
) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 3
    upstream.script(mode="empty-page", times=None)
    upstream.clear_log()
    response = operator_client.get(f"{LIST}?status=ACTIVE&limit=10")
    assert len(asked(upstream)) <= 3
    assert "No match on this page" in words(response)


def test_an_instance_behind_a_page_without_rows_is_found(operator_client: Client, upstream: Upstream) -> None:
    wanted = every_id(operator_client, "limit=100")[-1]
    access = ApiSession(configured.BYCLOUD_REGIONS["spo1"], BearerToken("sandbox-acme-token"))
    caches["pages"].clear()
    upstream.script(mode="empty-page")
    assert find_instance(access, wanted).cached.value.instance.id == wanted


def test_every_instance_is_reached_where_nothing_says_whether_more_follow(
    operator_client: Client, upstream: Upstream
) -> None:
    upstream.script(mode="no-way-on", times=None)
    found = every_id(operator_client)
    assert len(set(found)) == 150


@pytest.mark.parametrize("links", [{}, None, {"next": None}])
@pytest.mark.parametrize("meta", [{}, None, {"has_more": None}, {"total": 60}])
def test_a_full_page_offers_the_next_one(operator_client: Client, upstream: Upstream, links: Any, meta: Any) -> None:
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000"} for number in range(20)]
    upstream.script(body={"instances": rows, "meta": meta, "links": links})
    assert link(operator_client.get(LIST), "Next").endswith("?marker=00000019-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    "rest",
    [
        {"meta": {"total": 20}},
        {"meta": {"has_more": False, "total": 60}},
        {"links": {"self": "https://api.example/v1/instances", "next": None}},
    ],
)
def test_a_full_page_that_is_said_to_be_the_last_is(
    operator_client: Client, upstream: Upstream, rest: dict[str, Any]
) -> None:
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000"} for number in range(20)]
    upstream.script(body={"instances": rows, **rest})
    with pytest.raises(AssertionError, match="no link"):
        link(operator_client.get(LIST), "Next")


@pytest.mark.parametrize("mode", ["total-behind", "total-negative"])
def test_a_total_that_cannot_be_is_none(operator_client: Client, upstream: Upstream, mode: str) -> None:
    upstream.script(mode=mode, times=None)
    first = operator_client.get(LIST)
    second = operator_client.get(link(first, "Next"))
    for response, pages in ((first, "1–20"), (second, "21–40")):
        assert f"{pages} " in words(response)
        assert " of 19" not in words(response)
        assert "-1" not in re.sub(r"\w+-\d+", "", words(response).partition("Updated")[0])
        assert re.search(r"Instances \(at least \d+\)", words(response))
    assert "(at least 41)" in text(ask_htmx(operator_client, link(first, "Next"), "results"))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"instances": [], "meta": {"total": 3}}, "said"),
        ({"instances": [], "meta": {"total": 3, "has_more": True}}, "said"),
        ({"instances": [], "links": {"next": "?marker=../etc"}}, "said"),
        ({"instances": [], "meta": {"total": 3, "has_more": False}}, "end"),
        ({"instances": [], "meta": {"total": 0}}, "end"),
        ({"instances": []}, "end"),
        ({"instances": [], "meta": {"total": -3}}, "end"),
    ],
)
def test_no_matches_never_stands_beside_a_total(
    operator_client: Client, upstream: Upstream, body: dict[str, Any], status: str
) -> None:
    upstream.script(body=body)
    page = words(operator_client.get(f"{LIST}?name=web-%2A"))
    assert ("No matches" in page) == (status == "end")
    assert ("No match on this page" in page) == (status == "said")
    if status == "end":
        assert "Instances (0)" in page


def test_an_empty_list_that_says_it_is_not_and_not_where_it_goes_on_is_a_failure(
    operator_client: Client, upstream: Upstream
) -> None:
    upstream.script(mode="emptied", times=None)
    assert operator_client.get(LIST).status_code == 502


def test_a_credential_that_sees_less_than_nothing_sees_an_unknown_number(
    client: Client, vera: Any, upstream: Upstream
) -> None:
    client.force_login(vera)
    upstream.script(mode="total-negative", times=None)
    page = client.post("/credentials/spo1/", {"kind": "bearer", "token": "sandbox-acme-token"}, follow=True)
    assert page.status_code == 200
    assert "-1" not in re.sub(r"\w+-\d+", "", words(page))


REFUSALS = [
    {"status": 400, "body": {"error": {"code": 400, "message": "No", "details": "Field 'limit' must be at most 50"}}},
    {"status": 422, "body": {"error": {"code": 422, "message": "limit is too large"}}},
    {"status": 422, "body": {"error": {"code": 422, "message": "per_page too large"}}},
    {"status": 400},
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_page_size_that_is_refused_is_learned(
    operator_client: Client, upstream: Upstream, refusal: dict[str, Any]
) -> None:
    upstream.script(times=None, match="limit=100", **refusal)
    response = operator_client.get(f"{LIST}?limit=100")
    assert (response.status_code, len(ids(response))) == (200, 50)
    assert "ByCloud returns at most 50 instances per page; this URL requests 100." in words(response)
    assert "1–50 of 150" in words(response)
    sizes = text(response).partition('class="page-sizes"')[2].partition("</ul>")[0]
    assert re.findall(r">(\d+)</", sizes) == ["20", "50"]
    assert '<option value="100"' not in text(response)
    # What is learned is asked for at once from then on.
    upstream.clear_log()
    second = operator_client.get(link(response, "Next"))
    assert "51–100 of 150" in words(second)
    assert all("limit=50" in query for query in asked(upstream))
    assert len(asked(upstream)) == 1


def test_a_page_size_that_is_refused_for_one_is_refused_for_all_of_the_region(
    operator_client: Client, viewing: Client, upstream: Upstream
) -> None:
    upstream.limit_pages(20, refuses=True)
    assert len(ids(operator_client.get(f"{LIST}?limit=100"))) == 20
    upstream.clear_log()
    assert len(ids(viewing.get(f"{LIST}?limit=50"))) == 12
    assert asked(upstream) == ["limit=20"]


@pytest.mark.parametrize(("largest", "offered"), [(50, ["20", "50"]), (30, ["20", "30"]), (10, ["10"])])
def test_a_page_that_is_cut_is_believed(
    operator_client: Client, upstream: Upstream, largest: int, offered: list[str]
) -> None:
    upstream.limit_pages(largest, refuses=False)
    response = operator_client.get(f"{LIST}?limit=100")
    assert len(ids(response)) == largest
    sizes = text(response).partition('class="page-sizes"')[2].partition("</ul>")[0]
    assert re.findall(r">(\d+)</", sizes) == offered
    assert len(every_id(operator_client, "limit=100")) == 150


@pytest.mark.parametrize("refuses", [True, False])
def test_an_instance_is_searched_for_in_pages_that_are_given(
    operator_client: Client, upstream: Upstream, *, refuses: bool
) -> None:
    wanted = ids(operator_client.get(f"{LIST}?name=web-20"))[0]
    caches["pages"].clear()
    upstream.limit_pages(50, refuses=refuses)
    assert operator_client.get(f"{LIST}{wanted}/", follow=True).status_code == 200
    assert "Summary" in words(operator_client.get(f"{LIST}{wanted}/?name=web-20"))


def test_a_page_that_merely_names_another_limit_teaches_nothing(operator_client: Client, upstream: Upstream) -> None:
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000"} for number in range(100)]
    upstream.script(body={"instances": rows, "meta": {"limit": 20, "total": 100}})
    response = operator_client.get(f"{LIST}?limit=100")
    assert len(ids(response)) == 100
    assert "at most" not in words(response)


ROWS = [{"id": f"{number:08}-0000-4000-8000-000000000000"} for number in range(7)]


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        # A last page, and one that was thinned out after paging, may name the number of their rows.
        ("limit=20", {"meta": {"limit": 7, "total": 7}}),
        ("limit=20", {"meta": {"limit": 7, "total": 7, "has_more": False}, "links": {}}),
        ("name=web-1&limit=20", {"meta": {"limit": 7, "has_more": True}}),
        ("name=web-1&limit=20", {"meta": {"limit": 7}, "links": {"next": f"?marker={ROWS[-1]['id']}"}}),
        (f"limit=20&marker={ROWS[0]['id']}", {"meta": {"limit": 7}}),
    ],
)
def test_a_page_that_names_the_number_of_its_rows_teaches_nothing(
    operator_client: Client, upstream: Upstream, query: str, rest: dict[str, Any]
) -> None:
    upstream.script(body={"instances": ROWS, **rest})
    response = operator_client.get(f"{LIST}?{query}", follow=True)
    assert len(ids(response)) == 7
    assert "at most 7" not in words(response)
    upstream.clear_log()
    assert len(ids(operator_client.get(f"{LIST}?limit=50"))) == 50
    assert asked(upstream) == ["limit=50"]


def test_pages_without_a_row_that_lead_in_a_circle_have_no_way_on(operator_client: Client, upstream: Upstream) -> None:
    here, there = ROWS[0]["id"], ROWS[1]["id"]
    for match, leads_to in ((f"marker={here}", there), (f"marker={there}", here), (None, here)):
        upstream.script(
            times=None, match=match or "", body={"instances": [], "meta": {"has_more": True, "marker": leads_to}}
        )
    for url in (f"{LIST}?limit=20", f"{LIST}?marker={here}"):
        response = operator_client.get(url)
        assert "No instances on this page" in words(response)
        assert "ByCloud reports that there are instances, but doesn't say where." in words(response)
        assert "Continue" not in words(response)


@pytest.mark.parametrize("details", ["Field 'name' is not allowed", "Field 'marker' names no instance"])
def test_what_is_refused_for_something_else_is_not_asked_for_in_other_sizes(
    operator_client: Client, upstream: Upstream, details: str
) -> None:
    upstream.script(times=None, status=400, body={"error": {"code": 400, "message": "Bad Request", "details": details}})
    upstream.clear_log()
    response = operator_client.get(f"{LIST}?name=web-%2A&limit=100")
    assert response.status_code == 502
    assert len(asked(upstream)) == 1
    assert form(response, "Retry")


def test_a_refusal_of_every_size_is_a_refusal_after_a_few_tries(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(times=None, status=422, body={"error": {"code": 422, "message": "limit"}})
    upstream.clear_log()
    response = operator_client.get(f"{LIST}?limit=100")
    assert response.status_code == 502
    assert "ByCloud rejected this request" in words(response)
    assert len(asked(upstream)) == 3


def test_a_refusal_of_the_documented_size_teaches_nothing(operator_client: Client, upstream: Upstream) -> None:
    upstream.clear_log()
    upstream.script(status=400, body={"error": {"code": 400, "message": "The limit of your account is exceeded"}})
    assert operator_client.get(f"{LIST}?limit=20").status_code == 502
    assert len(asked(upstream)) == 1
    assert len(ids(operator_client.get(f"{LIST}?limit=20"))) == 20


@pytest.mark.parametrize(("count", "limit"), [(7, 7), (9, 7)])
def test_a_last_row_without_a_readable_id_does_not_hide_what_follows(
    operator_client: Client, upstream: Upstream, count: int, limit: int
) -> None:
    rows: list[Any] = [*ROWS[:limit], *({"id": f"{number}"} for number in range(count - limit))]
    rows[limit - 2 : limit] = [{"id": 7}, None]
    upstream.script(body={"instances": rows, "meta": {"has_more": True, "total": 30}})
    response = operator_client.get(f"{LIST}?limit={limit}")
    assert f"marker={ROWS[limit - 3]['id']}" in link(response, "Next")


@pytest.mark.parametrize(
    "rest",
    [
        {"meta": {"has_more": True}},
        {"links": {"next": "?marker=7"}},
        {"meta": {"has_more": True, "marker": ROWS[0]["id"]}},
    ],
)
def test_a_search_that_cannot_go_on_does_not_say_that_there_is_no_such_instance(
    operator_client: Client, upstream: Upstream, settings: Settings, rest: dict[str, Any]
) -> None:
    url = f"{LIST}{ROWS[5]['id']}/"
    upstream.script(times=None, body={"instances": [*ROWS[:5], {"id": 7}], **rest})
    response = operator_client.get(url)
    assert response.status_code == 502
    assert "The list goes on, but does not say where" in words(response)
    assert "Instance not found" not in words(response)
    assert form(response, "Retry")
    settings.FLEET_INDEX = False
    caches["pages"].clear()
    assert operator_client.get(url).status_code == 502
    caches["pages"].clear()
    upstream.clear()
    upstream.script(times=None, body={"instances": ROWS[:5], "meta": {"has_more": False, "total": 9}})
    assert operator_client.get(url).status_code == 404
