"""The benchmark's HTTP client reads complete responses and counts their bytes."""

import pytest

from portal.sandbox.server import Sandbox
from tests.benchmarks.servers import TOKEN, control, count_requests
from tests.benchmarks.wire import Wire, is_whole, load, read_status, write_request

AS_ACME = {"Authorization": f"Bearer {TOKEN}"}


def test_a_request_is_written_as_a_browser_would() -> None:
    request = write_request("http://127.0.0.1:8000", "/a?b=c", cookie="sessionid=1", headers={"HX-Request": "true"})
    assert request == (
        b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept-Encoding: gzip, br\r\nCookie: sessionid=1\r\n"
        b"HX-Request: true\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", True),
        (b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", True),
    ],
)
def test_an_answer_is_whole_when_its_length_is_there(text: bytes, *, whole: bool) -> None:
    assert is_whole(text) is whole


def test_an_answer_whose_end_cannot_be_seen_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="without a length"):
        is_whole(b"HTTP/1.1 200 OK\r\n\r\nabc")


def test_large_answers_come_whole_on_one_connection(sandbox: Sandbox) -> None:
    request = write_request(sandbox.url, "/v1/instances?limit=100", headers=AS_ACME)
    with Wire(sandbox.url) as wire:
        first, second = wire.ask(request), wire.ask(request)
    assert first.status == second.status == 200
    assert first.size > 65536
    assert first.body.endswith(b"}")
    assert 0 < first.first_byte_seconds < 5


def test_a_server_that_goes_away_inside_an_answer_is_noticed(sandbox: Sandbox) -> None:
    control(sandbox.url, "POST", "faults", {"mode": "cut"})
    with Wire(sandbox.url) as wire, pytest.raises(ConnectionError):
        wire.ask(write_request(sandbox.url, "/v1/instances", headers=AS_ACME))


def test_a_load_counts_each_answer_once(sandbox: Sandbox) -> None:
    request = write_request(sandbox.url, "/v1/instances?limit=1", headers=AS_ACME)
    control(sandbox.url, "DELETE", "requests")
    loaded = load(sandbox.url, request, seconds=0.3, connections=4)
    assert loaded.statuses == {200}
    assert loaded.answers == count_requests(sandbox.url) > 4
    assert loaded.seconds >= 0.3


def test_the_status_is_read_from_the_first_line() -> None:
    assert read_status(b"HTTP/1.1 503 Service Unavailable\r\n") == 503
