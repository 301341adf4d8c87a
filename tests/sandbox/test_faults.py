"""Scripted faults: each kind affects only the next responses, in the expected way."""

import gzip
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from portal.sandbox.bodies import BODIES
from portal.sandbox.changes import ACTIONS
from portal.sandbox.faults import MODES
from tests.sandbox.conftest import ACME, Api


def test_a_fault_is_used_up_after_its_times(api: Api) -> None:
    api.script(status=503, times=2)
    assert [api.get().status_code for _ in range(3)] == [503, 503, 200]
    assert [each["status"] for each in api.log()] == [503, 503, 200]


def test_a_fault_for_always_ends_when_the_faults_are_cleared(api: Api) -> None:
    api.script(status=500, times=None)
    assert {api.get().status_code for _ in range(4)} == {500}
    api.control("DELETE", "faults")
    assert api.get().status_code == 200


def test_faults_are_used_in_the_order_they_were_set(api: Api) -> None:
    api.script(status=502)
    api.script(status=504)
    assert [api.get().status_code for _ in range(3)] == [502, 504, 200]


def test_a_fault_can_be_kept_for_one_organization_or_one_query(api: Api) -> None:
    other = Api(api.url, "sandbox-globex-token")
    api.script(status=500, organization="globex")
    api.script(status=404, match="name=db")
    assert [api.get().status_code, other.get().status_code] == [200, 500]
    assert [api.get("name=web-*").status_code, api.get("name=db-*").status_code] == [200, 404]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 502, 503, 504, 599])
def test_a_status_comes_with_the_error_envelope(api: Api, status: int) -> None:
    api.script(status=status)
    answer = api.get()
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    assert error["request_id"] == answer.headers["X-Request-Id"]


def test_a_429_has_a_retry_after_only_when_it_is_scripted(api: Api) -> None:
    api.script(status=429)
    api.script(status=429, headers={"Retry-After": "7", "x-ratelimit-reset": None})
    without, given = api.get(), api.get()
    assert "Retry-After" not in without.headers
    assert "request_id" not in without.json()["error"]
    assert given.headers["Retry-After"] == "7"
    assert "X-RateLimit-Limit" in given.headers
    assert "X-RateLimit-Reset" not in given.headers


@pytest.mark.parametrize(
    ("body", "sent"),
    [("<plain> ü", "<plain> ü".encode()), ({"instances": 5}, b'{"instances":5}'), (None, b"null"), ([], b"[]")],
)
def test_a_given_body_is_sent_as_it_is(api: Api, body: object, sent: bytes) -> None:
    api.script(body=body)
    answer = api.get()
    assert (answer.status_code, answer.content) == (200, sent)


def test_a_success_status_keeps_the_regular_page(api: Api) -> None:
    regular = api.get().json()
    api.script(status=203)
    answer = api.get()
    assert (answer.status_code, answer.json()) == (203, regular)


def test_a_delay_holds_the_answer_back(api: Api) -> None:
    api.script(delay=0.3)
    started = time.monotonic()
    assert api.get().status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_request_is_in_the_log_while_its_answer_is_held_back(api: Api) -> None:
    api.script(delay=30)
    with pytest.raises(requests.ReadTimeout):
        api.get(timeout=0.2)
    assert len(api.log()) == 1


@pytest.mark.parametrize("mode", ["close", "reset"])
def test_a_connection_can_end_before_any_byte(api: Api, mode: str) -> None:
    api.script(mode=mode)
    with pytest.raises(requests.ConnectionError):
        api.get()
    assert api.get().status_code == 200


def test_a_body_can_be_cut_in_half(api: Api) -> None:
    api.script(mode="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        api.get()


@pytest.mark.parametrize("mode", ["drip", "drip-head"])
def test_an_answer_can_drip(api: Api, mode: str) -> None:
    api.script(mode=mode, interval=0.004, body={})
    started = time.monotonic()
    assert api.get().json() == {}
    assert time.monotonic() - started >= (0.008 if mode == "drip" else 0.4)


def test_a_drip_leaves_the_head_whole_or_not(api: Api) -> None:
    whole = {}
    for mode in ("drip", "drip-head"):
        api.script(mode=mode, interval=0.1, body={})
        with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=20) as caller:
            caller.sendall(f"GET /v1/instances HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ACME}\r\n\r\n".encode())
            whole[mode] = b"\r\n\r\n" in caller.recv(65536)
    assert whole == {"drip": True, "drip-head": False}


def test_a_body_can_be_something_else_altogether(api: Api) -> None:
    regular = api.get().headers["Content-Type"]
    for mode in ("not-json", "html", "array", "empty-object", "empty"):
        api.script(mode=mode)
    broken, html, array, empty_object, empty = [api.get() for _ in range(5)]
    with pytest.raises(json.JSONDecodeError):
        broken.json()
    assert (html.status_code, html.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert (array.json(), empty_object.json(), empty.content) == ([], {}, b"")
    assert {each.headers["Content-Type"] for each in (broken, array, empty_object, empty)} == {regular}


def test_a_body_can_be_huge_as_it_stands_or_once_it_is_unpacked(api: Api) -> None:
    api.script(mode="huge", bytes=3_000_000)
    api.script(mode="gzip-bomb", bytes=3_000_000)
    huge, bomb = api.get(), api.get(stream=True)
    assert (len(huge.content), huge.json()) == (3_000_000, {"instances": []})
    packed = bomb.raw.read(decode_content=False)
    assert len(packed) < 10_000
    assert len(gzip.decompress(packed)) == 3_000_000
    assert bomb.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("size", [1, 17, 5_000, 2 * 1024 * 1024, 64 * 1024 * 1024])
def test_a_bomb_of_any_size_unpacks_to_the_page_it_stands_for(size: int) -> None:
    packed, _ = BODIES["gzip-bomb"](size)
    assert gzip.decompress(packed) == BODIES["huge"](size)[0]
    assert len(packed) < 100_000


def test_a_redirect_leads_where_it_is_told(api: Api) -> None:
    api.script(mode="redirect")
    api.script(mode="redirect", status=307, location="http://127.0.0.1:1/")
    first, second = api.get(), api.get()
    assert (first.status_code, first.headers["Location"]) == (302, "/v1/instances?redirected=yes")
    assert (second.status_code, second.headers["Location"]) == (307, "http://127.0.0.1:1/")


def distorted(api: Api, mode: str, query: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    regular = api.page(query)
    api.script(mode=mode)
    return regular, api.page(query)


def test_links_can_lead_elsewhere(api: Api) -> None:
    regular, page = distorted(api, "links-elsewhere")
    assert page["instances"] == regular["instances"]
    assert all(link.startswith("https://elsewhere.invalid/") for link in page["links"].values())


def test_a_cursor_can_be_without_end(api: Api) -> None:
    regular, page = distorted(api, "endless", "limit=100&name=web-*")
    assert (regular["meta"]["has_more"], page["meta"]["has_more"]) == (False, True)
    assert page["links"]["next"] == page["links"]["self"]
    api.script(mode="endless")
    assert api.page(f"limit=100&name=web-*&marker={page['meta']['marker']}")["instances"] == page["instances"]


def test_instances_can_come_twice(api: Api) -> None:
    regular, page = distorted(api, "duplicates")
    assert page["instances"][::2] == page["instances"][1::2] == regular["instances"]


@pytest.mark.parametrize("name", ["instances", "meta", "links"])
def test_a_part_of_the_page_can_be_missing(api: Api, name: str) -> None:
    regular, page = distorted(api, f"no-{name}")
    assert page == {key: value for key, value in regular.items() if key != name}


def test_every_field_can_be_null_or_missing(api: Api) -> None:
    regular, nulls = distorted(api, "nulls")
    _, only_ids = distorted(api, "only-ids")
    _, null_page = distorted(api, "null-page")
    assert all(set(each.values()) == {None} and len(each) == 21 for each in nulls["instances"])
    assert only_ids["instances"] == [{"id": each["id"]} for each in regular["instances"]]
    assert null_page == {"instances": None, "meta": None, "links": None}


def test_fields_can_have_wrong_types_and_odd_times(api: Api) -> None:
    _, wrong = distorted(api, "wrong-types")
    _, odd = distorted(api, "odd-times")
    assert (wrong["instances"][0]["name"], wrong["instances"][0]["tags"]) == (7, "web")
    assert odd["instances"][0]["created_at"] == "yesterday"


def test_unknown_fields_can_come_along(api: Api) -> None:
    regular, page = distorted(api, "unknown-fields")
    assert all(each["locked"] is True for each in page["instances"])
    assert [each | before == each for each, before in zip(page["instances"], regular["instances"], strict=True)]


def test_every_text_can_be_hostile(api: Api) -> None:
    regular, page = distorted(api, "hostile", "limit=100")
    first = page["instances"][0]
    assert first["name"] == first["status"] == first["tags"][0] == "<script>alert(1)</script>"
    assert [each["id"] for each in page["instances"]] == [each["id"] for each in regular["instances"]]
    names = {each["name"] for each in page["instances"]}
    assert any("\x00" in name for name in names)
    assert list(first["metadata"]) == list(first["addresses"]) == [first["name"]]
    assert any(len(name) == 10_000 for name in names)


def test_a_distorted_page_needs_a_page(api: Api) -> None:
    api.script(mode="nulls")
    assert api.get("limit=x").status_code == 400
    api.script(mode="nulls")
    assert Api(api.url, "wrong").get().status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "no-such-mode"},
        {"status": 99},
        {"status": "500"},
        {"status": True},
        {"times": 0},
        {"delay": -1},
        {"bytes": 0},
        {"headers": ["a"]},
        {"headers": {"a": 1}},
        {"headers": {"a": "b\r\nc: d"}},
        {"statuses": 500},
    ],
)
def test_a_fault_that_cannot_be_understood_is_refused(api: Api, body: dict[str, Any]) -> None:
    answer = api.control("POST", "faults", **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]
    assert api.get().status_code == 200


def test_reset_drops_faults_and_log(api: Api) -> None:
    api.script(status=500, times=None)
    api.get()
    api.control("POST", "reset")
    assert api.log() == []
    assert api.get().status_code == 200


def test_the_docs_page_names_every_mode_and_every_action() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name in (*MODES, *ACTIONS) if f"`{name}`" not in page] == []
