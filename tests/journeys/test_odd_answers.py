"""Invalid parts of ByCloud's responses are dropped without affecting the rest, and oversized ones are cut."""

import csv
import io
import json
import logging
import re
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import time_machine
from django.core.cache import caches
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from portal.bycloud import Instance
from portal.gateway.memory_cache import MemoryCache
from portal.instances import columns
from portal.sandbox.malformed import FAR_TOO_MANY, MILLION, NO_RECORDS, ODD_FIELDS, TEN_MEGABYTES
from portal.sandbox.server import Sandbox
from tests.journeys.pages import LIST, Response, ids, link, text, words
from tests.memory import undone
from tests.upstream import Upstream

PLACE = 7
COLUMNS = ",".join(columns.COLUMNS)
WIDE = f"{LIST}?columns={COLUMNS}"
# Far more than any page here is, and far less than what is sent.
MOST_BYTES = 500_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    # Half of a pair of surrogates, too.
    | st.text(st.characters())
    | st.sampled_from(["", "2024-01-15", "2024-01-15T10:30:00Z", "0001-01-01T00:00:00+23:59", 10**400, 4096.0, "20"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture
def page(sandbox: Sandbox) -> dict[str, Any]:
    """The first page as ByCloud sends it."""
    answer = requests.get(
        f"{sandbox.url}/v1/instances", headers={"Authorization": "Bearer sandbox-acme-token"}, timeout=5
    )
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What goes to standard error, by the settings' own handler and formatter."""
    stream = io.StringIO()
    handler = next(handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before or handler.stream)


def serve(upstream: Upstream, page: dict[str, Any], record: object, place: int = PLACE) -> str:
    """From now on, the page with this record in its eighth place; gives the record's text."""
    caches["pages"].clear()
    upstream.clear()
    records = page["instances"]
    upstream.script(
        times=None, body=json.dumps(page | {"instances": [*records[:place], record, *records[place + 1 :]]})
    )
    return json.dumps(record)


def rows(response: Response) -> list[str]:
    return re.findall(r"<tr data-instance-id=.*?</tr>", text(response), re.DOTALL)


def export(client: Client, form: str) -> Response:
    return client.post(f"{LIST}export/", {"format": form, "query": f"columns={COLUMNS}"})


def check_the_others(before: list[str], response: Response, place: int = PLACE) -> str:
    """The odd row; all others are as they were."""
    assert response.status_code == 200
    after = rows(response)
    assert len(after) == len(before)
    assert after[:place] + after[place + 1 :] == before[:place] + before[place + 1 :]
    return after[place]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("odd", ODD_FIELDS, ids=str)
def test_an_odd_field_costs_that_field(
    operator_client: Client,
    upstream: Upstream,
    page: dict[str, Any],
    log_lines: io.StringIO,
    odd: dict[str, Any],
) -> None:
    before = rows(operator_client.get(WIDE))
    record = page["instances"][PLACE] | {"status": "ERROR"} | odd
    source = serve(upstream, page, record)
    log_lines.truncate(0)
    response = operator_client.get(WIDE)
    row = check_the_others(before, response)
    is_read = odd in ({"fault": {"code": "500", "message": "No valid host was found"}}, {"name": "half \ud800 a pair"})
    assert ("unreadable" in row) is not is_read
    assert "1–20 of 150" in words(response)
    assert link(response, "Next")
    warnings = [line for line in log_lines.getvalue().splitlines() if "bycloud_response_incomplete" in line]
    assert len(warnings) == (not is_read)
    assert "No valid host" not in "".join(warnings)
    exported = export(operator_client, "json")
    assert len(json.loads(exported.content)["instances"]) == 20
    lines = list(csv.reader(io.StringIO(export(operator_client, "csv").content.decode("utf-8-sig"))))
    assert len(lines) == 21
    assert (lines[0][-1] == "unreadable") is not is_read
    if record["id"] == 7:
        assert json.dumps(record)[:100] in row
        return
    detail = operator_client.get(f"{LIST}{record['id']}/")
    assert detail.status_code == 200
    assert ("Part of ByCloud's response can't be read" in words(detail)) is not is_read
    raw_url = f"{LIST}{record['id']}.json"
    raw = operator_client.get(raw_url)
    assert (raw.status_code, raw.content.decode()) == (200, source)
    if not is_read:
        assert link(response, "unreadable").partition("?")[0] == raw_url


@pytest.mark.parametrize("record", NO_RECORDS, ids=str)
def test_a_record_that_cannot_be_read_costs_that_record(
    operator_client: Client, upstream: Upstream, page: dict[str, Any], clock: time_machine.Traveller, record: object
) -> None:
    before = rows(operator_client.get(WIDE))
    source = serve(upstream, page, record)
    row = check_the_others(before, operator_client.get(WIDE))
    assert "This record cannot be read" in row
    assert f"<bdi>{source}</bdi>" in row
    assert json.loads(export(operator_client, "json").content)["instances"][PLACE]["unreadable"] == ["$"]
    assert export(operator_client, "csv").content.decode().splitlines()[PLACE + 1].endswith('"$"')


@pytest.mark.parametrize(
    "spoilt",
    [
        {"meta": {"limit": "20", "total": 150, "has_more": True}},
        {"links": []},
        {"meta": [], "links": "none"},
        {"meta": {"total": {}, "limit": [], "marker": 5, "has_more": "perhaps"}},
    ],
    ids=str,
)
def test_what_is_odd_about_a_page_costs_no_row(
    operator_client: Client,
    upstream: Upstream,
    page: dict[str, Any],
    clock: time_machine.Traveller,
    spoilt: dict[str, Any],
) -> None:
    before = rows(operator_client.get(WIDE))
    serve(upstream, page | spoilt, page["instances"][PLACE])
    response = operator_client.get(WIDE)
    check_the_others(before, response)
    assert link(response, "Next")


@pytest.mark.parametrize("slip", ["\ufeff", "\ufeff \n"], ids=["mark", "mark and spaces"])
def test_a_byte_order_mark_hides_nothing(
    operator_client: Client, upstream: Upstream, page: dict[str, Any], slip: str
) -> None:
    upstream.script(body=slip + json.dumps(page))
    response = operator_client.get(LIST)
    assert len(rows(response)) == 20
    assert "unreadable" not in words(response)


def test_a_lone_surrogate_breaks_no_page_no_file_and_no_log_line(
    operator_client: Client, upstream: Upstream, page: dict[str, Any], log_lines: io.StringIO
) -> None:
    half = "half \udc80 a pair"
    record = page["instances"][PLACE] | {
        "name": half,
        "status": half,
        "tags": [half],
        "metadata": {half: half},
        "addresses": {half: [{"addr": half}]},
        "flavor": {"id": half, "name": half},
        "junk": {half: half},
    }
    source = serve(upstream, page, record)
    response = operator_client.get(WIDE)
    assert "half \ufffd a pair" in rows(response)[PLACE]
    again = operator_client.get(f"{LIST}?name=web-%2A")
    detail = operator_client.get(f"{LIST}{record['id']}/")
    assert (again.status_code, detail.status_code) == (200, 200)
    assert operator_client.get(f"{LIST}{record['id']}.json").content.decode() == source
    assert "half \ufffd a pair" in export(operator_client, "csv").content.decode()
    assert "half \ufffd a pair" in export(operator_client, "json").content.decode()
    assert "Traceback" not in log_lines.getvalue()


def list_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value within a value, and to itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in list_places(each, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """A copy with another value at this path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.usefixtures("clock")
def test_any_value_in_the_place_of_any_value_of_a_record_leaves_the_other_rows_alone(
    operator_client: Client,
    upstream: Upstream,
    page: dict[str, Any],
    settings: Settings,
    data: st.DataObject,
) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = settings.BYCLOUD_RATE_PER_HOUR = 1_000_000
    place = data.draw(st.integers(0, 19))
    record = page["instances"][place]
    odd = put(record, data.draw(st.sampled_from(list_places(record))), data.draw(JSON))
    upstream.clear()
    # All rounds are one minute, in which a member may send so many forms.
    with undone():
        before = rows(operator_client.get(WIDE))
        serve(upstream, page, odd, place)
        check_the_others(before, operator_client.get(WIDE), place)
        assert export(operator_client, "csv").status_code == export(operator_client, "json").status_code == 200
        given_id = odd.get("id") if isinstance(odd, dict) else None
        if given_id == record["id"]:
            assert operator_client.get(f"{LIST}{given_id}/").status_code == 200
            assert operator_client.get(f"{LIST}{given_id}.json").status_code == 200


def count_cached_bytes() -> int:
    """In the memory of this process; 0 where the cache is Redis."""
    cache = caches["pages"]
    return int(cache.entries.currsize) if isinstance(cache, MemoryCache) else 0


def test_rows_beyond_what_was_asked_for_are_cut_and_said(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="too-many")
    response = operator_client.get(LIST)
    assert len(ids(response)) == 20
    assert len(response.content) < MOST_BYTES
    assert f"ByCloud sent {FAR_TOO_MANY - 20:,} more instances than requested" in words(response)
    # The list goes on after the last row that is shown.
    assert link(response, "Next") == f"{LIST}?marker={ids(response)[-1]}"
    assert count_cached_bytes() < MOST_BYTES
    again = operator_client.get(LIST)
    assert ids(again) == ids(response)
    assert "more instances than requested" in words(again)
    assert len(upstream.requests()) == 1
    assert not set(ids(operator_client.get(link(response, "Next")))) & set(ids(response))


def test_a_million_tags_are_counted_and_not_shown(operator_client: Client, upstream: Upstream) -> None:
    upstream.script(mode="crowded", times=2)
    response = operator_client.get(LIST)
    assert len(ids(response)) == 20
    assert len(response.content) < MOST_BYTES
    assert f"and {MILLION - 30:,} more" in words(response)
    detail = operator_client.get(f"{LIST}{ids(response)[0]}/")
    assert len(detail.content) < MOST_BYTES
    assert f"and {MILLION - 200:,} more" in words(detail)
    assert re.search(r"and [\d,]+ more characters", words(detail))
    raw = operator_client.get(f"{LIST}{ids(response)[0]}.json")
    assert len(json.loads(raw.content)["tags"]) == MILLION


def test_an_instance_given_twice_has_two_rows_and_no_two_ids_of_the_page(
    operator_client: Client, upstream: Upstream, page: dict[str, Any]
) -> None:
    records = page["instances"][:10]
    upstream.script(body=json.dumps(page | {"instances": records + records}))
    response = operator_client.get(WIDE)
    assert len(rows(response)) == 20
    given = re.findall(r' id="([^"]*)"', text(response))
    assert len(given) == len(set(given))
    assert records[0]["id"] in given


def test_nesting_costs_neither_the_list_nor_memory(
    operator_client: Client, upstream: Upstream, page: dict[str, Any]
) -> None:
    """The page of an instance indents what is nested: of 400 KB in this way, that would be 160 MB."""
    first, *others = page["instances"]
    for nested in ("[" * 10_000 + "]" * 10_000, "[" + ",".join(["[" * 400 + "]" * 400] * 500) + "]"):
        caches["pages"].clear()
        body = json.dumps(page | {"instances": [first | {"new": "@"}, *others]}).replace('"@"', nested)
        upstream.clear()
        upstream.script(times=None, body=body)
        assert len(ids(operator_client.get(LIST))) == 20
        tracemalloc.start()
        detail = operator_client.get(f"{LIST}{first['id']}/")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert detail.status_code == 200
        assert most < 50_000_000
        assert nested in operator_client.get(f"{LIST}{first['id']}.json").content.decode()


def test_ten_megabytes_of_a_status_are_in_no_page_now_or_later(operator_client: Client, upstream: Upstream) -> None:
    regular = len(operator_client.get(f"{LIST}?name=web-%2A").content)
    refused = len(operator_client.get(f"{LIST}?name=no-such-name%2A").content)
    caches["pages"].clear()
    # With an index, the page of the instance needs no request.
    upstream.script(mode="overlong", times=2)
    response = operator_client.get(LIST)
    assert len(ids(response)) == 20
    assert len(response.content) < MOST_BYTES
    detail = operator_client.get(f"{LIST}{ids(response)[0]}/")
    assert len(detail.content) < MOST_BYTES
    assert f"and {TEN_MEGABYTES - 1000:,} more characters" in words(detail)
    assert len(operator_client.get(f"{LIST}{ids(response)[0]}.json").content) > TEN_MEGABYTES
    upstream.clear()
    # What is suggested is gathered from the pages seen, so these are a little longer than without any.
    assert len(operator_client.get(f"{LIST}?name=web-%2A").content) < regular + 50_000
    assert len(operator_client.get(f"{LIST}?name=no-such-name%2A").content) < refused + 50_000


@pytest.mark.parametrize(
    "field",
    [name for name in Instance.__struct_fields__ if not name.endswith("_at")],
)
def test_no_field_makes_a_page_long(
    operator_client: Client, upstream: Upstream, page: dict[str, Any], field: str, settings: Settings
) -> None:
    """A hundred thousand signs in every text of the field, and of what has entries a few thousand."""
    settings.BYCLOUD_LIMITS = type(settings.BYCLOUD_LIMITS)(deadline_seconds=10, body_bytes=16 * 1024 * 1024)
    long = "L" * 100_000
    many = 3000
    values: dict[str, Any] = {
        "tags": [long, *(f"t{number}" for number in range(many))],
        "key_names": [long, *(f"k{number}" for number in range(many))],
        "metadata": {long: long} | {f"m{number}": "v" for number in range(many)},
        "addresses": {long: [{"addr": long, "type": long, "mac_addr": long}]} | {f"n{n}": [] for n in range(many)},
        "security_groups": [{"name": long}, *({"name": f"g{number}"} for number in range(many))],
        "volumes_attached": [{"id": long, "device": long}, *({"id": f"v{number}"} for number in range(many))],
        "flavor": {"id": long, "name": long, "vcpus": 10**400, "ram": 10**400, "disk": 10**400},
        "image": {"id": long, "name": long},
        "fault": {"code": 10**400, "message": long, "details": long},
    }
    record = page["instances"][PLACE] | {"status": "ERROR"} | {field: values.get(field, long)}
    caches["pages"].clear()
    upstream.script(times=None, body=json.dumps({"instances": [record], "meta": {"total": 1, "has_more": False}}))
    response = operator_client.get(WIDE)
    assert len(ids(response)) == 1
    assert len(response.content) < MOST_BYTES
    if field != "id":
        detail = operator_client.get(f"{LIST}{record['id']}/")
        assert detail.status_code == 200
        assert len(detail.content) < MOST_BYTES
        assert long in operator_client.get(f"{LIST}{record['id']}.json").content.decode()
