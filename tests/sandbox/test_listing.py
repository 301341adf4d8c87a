"""The pages of `GET /v1/instances`: its parameters, `meta` and `links`."""

import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.sandbox.conftest import Api

FIELDS = [
    *("id", "crn", "name", "description", "status", "power_state", "task_state", "vm_state", "flavor", "image"),
    *("addresses", "security_groups", "volumes_attached", "key_names", "metadata", "tags", "fault"),
    *("created_at", "updated_at", "launched_at", "terminated_at"),
]


def test_the_first_page_has_twenty_instances_with_the_fields_of_the_docs_in_their_order(api: Api) -> None:
    page = api.page()
    assert list(page) == ["instances", "meta", "links"]
    assert len(page["instances"]) == 20
    assert all(list(each) == FIELDS for each in page["instances"])
    assert page["meta"] == {"total": 150, "limit": 20, "marker": page["instances"][-1]["id"], "has_more": True}
    assert page["links"] == {
        "self": f"{api.url}/v1/instances?limit=20",
        "next": f"{api.url}/v1/instances?limit=20&marker={page['meta']['marker']}",
        "previous": None,
    }


def test_walking_forward_meets_every_instance_once_newest_first(api: Api) -> None:
    found = api.every("limit=7")
    assert len(found) == len({each["id"] for each in found}) == 150
    created = [each["created_at"] for each in found]
    assert created == sorted(created, reverse=True)
    newest = datetime.now(UTC) - datetime.fromisoformat(created[0])
    assert 60 < newest.total_seconds() < 600
    assert (datetime.now(UTC) - datetime.fromisoformat(created[-1])).days > 1000


@pytest.mark.parametrize("query", ["limit=20", "limit=100", "limit=7&name=web-*", "limit=1&status=build"])
def test_following_the_links_back_shows_the_same_pages_as_on_the_way_out(api: Api, query: str) -> None:
    pages = [api.page(query)]
    while pages[-1]["links"]["next"]:
        pages.append(api.page(urlsplit(pages[-1]["links"]["next"]).query))
    assert pages[-1]["meta"]["has_more"] is False
    back = [pages[-1]]
    while back[-1]["links"]["previous"]:
        back.append(api.page(urlsplit(back[-1]["links"]["previous"]).query))
    assert [page["instances"] for page in back] == [page["instances"] for page in reversed(pages)]
    assert "marker" not in parse_qs(urlsplit(back[-1]["links"]["self"]).query)


def test_the_links_repeat_every_parameter_that_was_given(api: Api) -> None:
    given = {"limit": "2", "name": "web-*", "status": "ACTIVE", "tags": "web,production"}
    page = api.page(urlencode(given))
    link = {name: values[0] for name, values in parse_qs(urlsplit(page["links"]["next"]).query).items()}
    assert link == {**given, "marker": page["meta"]["marker"]}


def test_the_page_after_the_last_instance_is_empty_and_leads_back(api: Api) -> None:
    oldest = api.every()[-1]["id"]
    page = api.page(f"limit=50&marker={oldest}")
    assert (page["instances"], page["meta"]["marker"], page["meta"]["has_more"]) == ([], None, False)
    assert page["meta"]["total"] == 150
    assert api.page(urlsplit(page["links"]["previous"]).query)["instances"][-1]["id"] == oldest


def test_an_organization_without_instances_gets_an_empty_page(api: Api) -> None:
    page = Api(api.url, "sandbox-initech-token").page()
    assert page["instances"] == []
    assert page["meta"] == {"total": 0, "limit": 20, "marker": None, "has_more": False}
    assert (page["links"]["next"], page["links"]["previous"]) == (None, None)


@pytest.mark.parametrize(
    ("asked", "answered"), [("1", 1), ("100", 100), ("0100", 100), ("101", 100), ("9" * 5000, 100)]
)
def test_a_limit_above_a_hundred_is_taken_as_a_hundred(api: Api, asked: str, answered: int) -> None:
    page = api.page(f"limit={asked}")
    assert page["meta"]["limit"] == len(page["instances"]) == answered


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%D9%A1", "limit"),
        ("marker=5", "marker"),
        ("marker=", "marker"),
        ("marker=6f1c2d3e4b5a49788f9eadbccbdaedfc", "marker"),
        ("marker=6f1c2d3e-4b5a-4978-8f9e-adbccbdaedfc", "marker"),
        ("flavor_id=m1.small", "flavor_id"),
        ("image_id=ubuntu", "image_id"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_answered_400_and_named(api: Api, query: str, field: str) -> None:
    answer = api.get(query)
    assert answer.status_code == 400
    assert f"'{field}'" in answer.json()["error"]["details"]
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_a_marker_of_another_organization_is_answered_400(api: Api) -> None:
    foreign = Api(api.url, "sandbox-globex-token").page()["meta"]["marker"]
    assert api.get(f"marker={foreign}").status_code == 400


def test_a_marker_may_be_written_in_upper_case(api: Api) -> None:
    marker = api.page()["meta"]["marker"]
    assert api.page(f"marker={marker.upper()}")["instances"] == api.page(f"marker={marker}")["instances"]


def test_a_marker_that_does_not_fit_the_filter_still_says_where_to_go_on(api: Api) -> None:
    everything = api.every()
    middle = everything[60]
    expected = [each["id"] for each in everything[61:] if each["name"].startswith("db-")]
    assert [each["id"] for each in api.page(f"limit=100&name=db-*&marker={middle['id']}")["instances"]] == expected


def test_unknown_parameters_are_ignored_and_of_a_repeated_one_the_first_counts(api: Api) -> None:
    assert api.page("sort=name&limit=3&limit=5")["meta"]["limit"] == 3


def test_empty_text_filters_are_as_good_as_none(api: Api) -> None:
    assert api.page("name=&status=&tags=,%20,")["meta"]["total"] == 150


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("name=web-01", 1),
        ("name=web-1", 0),
        ("name=WEB-01", 0),
        ("name=web-*", 28),
        ("name=web-1*", 10),
        ("name=web-0*", 9),
        ("name=web-staging-*", 6),
        ("name=*", 150),
        ("name=report*final", 1),
        ("name=intranet, old (floor 2)", 1),
        ("name=canary", 2),
        ("status=ACTIVE&name=web-*", 25),
        ("status=active&name=web-*", 25),
        ("status=Build", 2),
        ("status=NO_SUCH_STATUS", 0),
        ("tags=web,frontend", 28),
        ("tags=web,staging", 6),
        ("tags=web&tags=no-such-tag", 29),
        ("tags=web,no-such-tag", 0),
        ("tags=данные", 1),
    ],
)
def test_filters_take_what_the_docs_page_of_the_sandbox_says(api: Api, query: str, total: int) -> None:
    pairs = [pair.partition("=")[::2] for pair in query.split("&")]
    assert api.page(urlencode(pairs))["meta"]["total"] == total


def test_flavor_and_image_filter_by_id(api: Api) -> None:
    everything = api.every()
    flavor, image = everything[5]["flavor"]["id"], everything[5]["image"]["id"]
    found = api.every(f"limit=100&flavor_id={flavor.upper()}&image_id={image}")
    assert found == [
        each
        for each in everything
        if each["flavor"] and each["flavor"]["id"] == flavor and each["image"] and each["image"]["id"] == image
    ]
    assert found


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/instances/", f"/v1/instances/{uuid.UUID(int=0)}", "/v1/volumes"])
def test_every_other_path_is_answered_404_with_the_envelope(api: Api, path: str) -> None:
    answer = api.get(path=path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "HEAD"])
def test_every_other_method_is_answered_405(api: Api, method: str) -> None:
    answer = api.session.request(method, f"{api.url}/v1/instances", timeout=5)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert method == "HEAD" or answer.json()["error"]["code"] == 405
