"""The sandbox's HTTP server: keep-alive, a single send, size limits, fast shutdown."""

import socket
import socketserver
import threading
import time

import pytest
import requests

from portal.sandbox.http import Response
from portal.sandbox.server import Sandbox
from portal.sandbox.service import Service
from tests.sandbox.conftest import Api


def send_bytes(url: str, sent: bytes) -> bytes:
    """What comes back for raw bytes, until the sandbox ends the connection."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_one_connection_carries_many_requests(api: Api) -> None:
    both = send_bytes(api.url, b"GET /v1/instances HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert both.count(b"HTTP/1.1 401") == 2


def test_head_and_body_are_sent_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent apart, they cost some 40 ms a call on a connection that is kept."""
    sent: list[bytes] = []
    write = socketserver._SocketWriter.write  # type: ignore[attr-defined]

    def noting(self: object, data: bytes) -> int:
        sent.append(data)
        count: int = write(self, data)
        return count

    monkeypatch.setattr("socketserver._SocketWriter.write", noting)
    body = api.get().content
    assert [data.endswith(body) and data.startswith(b"HTTP/1.1 200 OK\r\n") for data in sent] == [True]


def test_latency_is_added_to_every_answer() -> None:
    with Sandbox(latency=0.2) as sandbox:
        started = time.monotonic()
        assert requests.get(f"{sandbox.url}/v1/instances", timeout=5).status_code == 401
        assert time.monotonic() - started >= 0.2


def test_requests_are_answered_side_by_side() -> None:
    with Sandbox(latency=1) as sandbox:
        threads = [threading.Thread(target=lambda: Api(sandbox.url).get()) for _ in range(10)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # One after the other takes ten seconds.
        assert time.monotonic() - started < 9


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /v1/instances HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431"),
        (b"POST /_sandbox/faults HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", b"413"),
        (b"POST /_sandbox/faults HTTP/1.1\r\nContent-Length: lots\r\n\r\n", b"413"),
        (b"POST /_sandbox/faults HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"413"),
    ],
)
def test_what_is_too_long_or_unreadable_is_answered_with_the_envelope_and_ends_the_connection(
    api: Api, sent: bytes, status: bytes
) -> None:
    head, _, body = send_bytes(api.url, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in head
    assert b'"error"' in body


def test_a_fault_of_its_own_is_answered_500_and_told_on_the_error_stream(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(Service, "answer", fail)
    answer = api.get()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 500)
    assert "broken on purpose" in capsys.readouterr().err


def test_a_caller_who_leaves_in_the_middle_is_no_news(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.script(mode="drip", interval=0.001)
    api.get(stream=True).close()
    time.sleep(0.3)
    assert api.get().status_code == 200
    assert capsys.readouterr().err == ""


def test_a_fault_while_sending_is_told_on_the_error_stream(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unsendable = Response(200, body="not bytes")  # type: ignore[arg-type]
    monkeypatch.setattr(Service, "answer", lambda *_: unsendable)
    with pytest.raises(requests.ConnectionError):
        api.get()
    assert "TypeError" in capsys.readouterr().err


def test_it_can_be_set_back_from_within_its_process(served: Sandbox, api: Api) -> None:
    api.script(status=500)
    served.reset()
    assert api.get().status_code == 200


def test_the_log_tells_method_path_query_organization_status_and_kind_of_credential(api: Api) -> None:
    api.get("name=web-*&limit=2", headers={"X-Region": "spo1", "User-Agent": "a-client/1"})
    entry = api.log()[0]
    assert entry.pop("at")
    assert entry == {
        "method": "GET",
        "path": "/v1/instances",
        "query": "name=web-*&limit=2",
        "organization": "acme",
        "credential": "bearer",
        "status": 200,
        "fault": None,
        "user_agent": "a-client/1",
        "region": "spo1",
    }
    assert api.control("DELETE", "requests").status_code == 204
    assert api.log() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "faults", 405),
        ("POST", "requests", 405),
        ("GET", "no-such-thing", 404),
        ("POST", "instances/550e8400-e29b-41d4-a716-446655440000", 404),
        ("GET", "instances/550e8400-e29b-41d4-a716-446655440000", 404),
        ("GET", "instances/" + "-" * 36, 404),
    ],
)
def test_an_unknown_switch_is_answered_with_the_envelope(api: Api, method: str, path: str, status: int) -> None:
    answer = api.control(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_switch_takes_a_json_object_only(api: Api, body: bytes) -> None:
    assert requests.post(f"{api.url}/_sandbox/faults", data=body, timeout=5).status_code == 400


def test_it_stops_at_once_though_connections_wait_and_drip() -> None:
    sandbox = Sandbox()
    with sandbox:
        api = Api(sandbox.url)
        api.get()
        api.script(delay=60)
        api.script(mode="drip", interval=1)
        for _ in range(2):
            with pytest.raises(requests.RequestException):
                api.get(timeout=0.2)
        started = time.monotonic()
    assert time.monotonic() - started < 40
    with pytest.raises(requests.ConnectionError):
        api.get()


def test_the_same_port_can_be_used_again_at_once_but_not_twice() -> None:
    with Sandbox() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=port)
    with Sandbox(port=port) as second:
        assert Api(second.url).get().status_code == 200
