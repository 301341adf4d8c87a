"""Slow clients and gunicorn in its production configuration: they do not delay others, and are timed out."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from portal import worker
from portal.worker import PatientSocket
from tests.test_gunicorn import BEHIND_A_PROXY, COMMAND, serve

IMPATIENT = [*COMMAND[:-2], "python:tests.impatient", COMMAND[-1]]
# More than there are threads.
MANY = 135
HEAD = "POST /sign-in/ HTTP/1.1\r\nHost: portal.example.com\r\nX-Forwarded-Proto: https\r\n"
# Each sends one sign of it at a time.
DRIPS = {
    "nothing": "",
    "head": HEAD,
    "line": "GET /",
    "body": f"{HEAD}Content-Length: 1000\r\n\r\na=",
    "chunked": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\na=",
    "blank lines": "\r\n\r\n",
    "too long": f"{HEAD}Content-Length: 100000000\r\n\r\n",
    "unread": "GET /health/live/ HTTP/1.1\r\nHost: portal.example.com\r\nContent-Length: 9000\r\n\r\n",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("portal"), IMPATIENT, TRUSTED_PROXY_COUNT="1") as address:
        assert ask(address) < 60
        yield address


def ask(address: str, path: str = "/health/live/") -> float:
    """How long a person waits for a page."""
    began_at = time.monotonic()
    answer = requests.get(f"{address}{path}", headers=BEHIND_A_PROXY, timeout=60)
    assert answer.status_code == 200
    return time.monotonic() - began_at


def test_more_connections_than_there_are_file_descriptors_end_no_process(tmp_path: Path) -> None:
    limited = ["sh", "-c", 'ulimit -n 120; exec "$@"', "sh", *COMMAND]
    with serve(tmp_path, limited, TRUSTED_PROXY_COUNT="1") as address:
        assert ask(address) < 60
        with connect(address, MANY):
            assert ask(address) < 5
        assert ask(address) < 5
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert log.count("Booting worker") == 1
    assert "Too many open files" not in log


def test_a_request_that_is_dropped_while_its_next_bytes_arrive_ends_no_process(tmp_path: Path) -> None:
    with serve(tmp_path, COMMAND, TRUSTED_PROXY_COUNT="1") as address:
        assert ask(address) < 60
        drop_a_request(address, tmp_path / "log")


def drop_a_request(address: str, log: Path) -> None:
    with connect(address, worker.MOST_RECEIVING) as (oldest, *_, newest):
        (process,) = re.findall(r"Booting worker with pid: (\d+)", log.read_text(encoding="utf-8"))
        # The answer says that all of them have been accepted.
        newest.sendall(f"{HEAD}Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n".encode())
        assert newest.recv(100).startswith(b"HTTP/1.1 100 ")
        # Both are waiting when the worker looks: one more connection, for which the oldest is dropped, and its bytes.
        os.kill(int(process), signal.SIGSTOP)
        with connect(address, 1):
            oldest.send(b"x")
            os.kill(int(process), signal.SIGCONT)
            assert ask(address) < 5
        assert log.read_text(encoding="utf-8").count("Booting worker") == 1


@contextlib.contextmanager
def connect(address: str, count: int) -> Iterator[list[socket.socket]]:
    port = int(address.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(count)]


@pytest.mark.parametrize("kind", DRIPS)
def test_many_who_send_a_sign_at_a_time_hold_no_one_up_and_come_to_an_end(address: str, kind: str) -> None:
    with connect(address, MANY) as slow:
        for connection in slow:
            connection.sendall(DRIPS[kind].encode())
        for _ in range(3):
            for connection in slow:
                with contextlib.suppress(OSError):
                    connection.send(b"x")
            assert ask(address) < 2
        # They go on for as long as they are let.
        ends_at = time.monotonic() + 25
        waiting = {connection.fileno(): connection for connection in slow}
        while waiting and time.monotonic() < ends_at:
            for number, connection in list(waiting.items()):
                connection.settimeout(0.001)
                try:
                    connection.send(b"x")
                    if not connection.recv(4096):
                        del waiting[number]
                except TimeoutError:
                    continue
                except OSError:
                    del waiting[number]
            time.sleep(0.2)
        assert not waiting
    assert ask(address) < 2


def test_a_head_of_many_lines_is_read_once_however_slowly_the_body_comes() -> None:
    here, there = socket.socketpair()
    with PatientSocket(fileno=here.detach()) as receiving, there:
        receiving.begin((HEAD + "a:\r\n" * 15_000 + "Content-Length: 2000\r\n\r\n").encode())
        receiving.setblocking(False)
        began_at = time.process_time()
        assert not receiving.is_whole()
        once = time.process_time() - began_at
        for _ in range(1999):
            there.send(b"x")
            assert receiving.gather()
            assert not receiving.is_whole()
        # Reading it each time would take two thousand times as long.
        assert time.process_time() - began_at < 100 * once + 1
        there.send(b"x")
        assert receiving.gather()
        assert receiving.is_whole()


def test_who_sends_on_after_a_refusal_gets_a_turn_like_anyone() -> None:
    here, there = socket.socketpair()
    with PatientSocket(fileno=here.detach()) as receiving, there:
        receiving.begin(b"")
        receiving.setblocking(False)
        receiving.refuse("411 Length Required")
        there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
        there.sendall(b"x" * 200_000)
        assert receiving.gather()
        assert len(receiving.recv(10)) == 0
        # The rest is there for the loop's next time, so that no client keeps it from the others.
        assert len(socket.socket.recv(receiving, 65536, socket.MSG_PEEK)) > 0


def test_who_does_not_send_in_time_is_told_so(address: str) -> None:
    with connect(address, 1) as (connection,):
        connection.sendall(DRIPS["body"].encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.parametrize(
    ("kind", "status"), [("chunked", "411 Length Required"), ("too long", "413 Content Too Large")]
)
def test_what_cannot_be_gathered_is_refused_in_words(address: str, kind: str, status: str) -> None:
    with connect(address, 1) as (connection,):
        connection.sendall(DRIPS[kind].encode())
        assert connection.recv(4096).startswith(f"HTTP/1.1 {status}\r\n".encode())


def test_a_head_without_an_end_is_refused(address: str) -> None:
    with connect(address, 1) as (connection,):
        connection.sendall(f"{HEAD}X-Long: ".encode() + b"x" * 70_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 431 ")


def test_many_who_do_not_read_what_they_asked_for_hold_no_one_up(address: str) -> None:
    asked = b"GET /health/live/ HTTP/1.1\r\nHost: portal.example.com\r\nX-Forwarded-Proto: https\r\n\r\n"
    with connect(address, MANY) as slow:
        for connection in slow:
            connection.sendall(asked * 20)
        assert ask(address) < 5
    assert ask(address) < 2


def test_many_who_do_not_close_what_has_been_answered_hold_no_one_up(address: str) -> None:
    asked = b"GET /health/live/ HTTP/1.0\r\nHost: portal.example.com\r\nX-Forwarded-Proto: https\r\n\r\n"
    with connect(address, MANY) as slow:
        for connection in slow:
            connection.sendall(asked)
        assert ask(address) < 2


def test_requests_that_come_in_pieces_and_one_behind_the_other_are_answered(address: str) -> None:
    asked = b"GET /health/live/ HTTP/1.1\r\nHost: portal.example.com\r\nX-Forwarded-Proto: https\r\n\r\n"
    last = asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with connect(address, 1) as (connection,):
        for piece in (asked + asked + asked[:30], asked[30:], last[:-1], last[-1:]):
            connection.sendall(piece)
            time.sleep(0.3)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.count(b"alive\n") == 4


def test_who_asks_whether_to_send_is_told_to(address: str) -> None:
    with connect(address, 1) as (connection,):
        connection.sendall(DRIPS["unread"].replace("9000", "3\r\nExpect: 100-continue").encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(b"a=b")
        assert b"HTTP/1.1 200 " in connection.recv(4096) + connection.recv(4096)


def test_an_answer_that_is_read_a_little_at_a_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SEND_SECONDS", 0.5)
    here, there = socket.socketpair()
    with PatientSocket(fileno=here.detach()) as sending, there:
        sending.begin(b"")
        began_at = time.monotonic()
        reader = threading.Thread(target=read_slowly, args=(there,))
        reader.start()
        with pytest.raises(BrokenPipeError):
            send_in_pieces(sending)
        assert time.monotonic() - began_at < 5
        reader.join()


def test_a_long_answer_may_take_longer_than_a_page_while_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SEND_SECONDS", 0.5)
    here, there = socket.socketpair()
    with PatientSocket(fileno=here.detach()) as sending, there:
        sending.begin(b"")
        reader = threading.Thread(target=read_steadily, args=(there,))
        reader.start()
        send_in_pieces(sending)
        sending.shutdown(socket.SHUT_WR)
        reader.join()


def read_steadily(there: socket.socket) -> None:
    """All of it, in four times as long as a page may take."""
    while there.recv(256 * 1024, socket.MSG_WAITALL):
        time.sleep(0.05)


def read_slowly(there: socket.socket) -> None:
    for _ in range(20):
        there.recv(10)
        time.sleep(0.05)


def send_in_pieces(sending: PatientSocket) -> None:
    """As an export is written."""
    for _ in range(1000):
        sending.sendall(b"x" * 10_000)


@pytest.mark.parametrize("length", [2_048, 8_190, 60_000])
def test_an_address_that_is_long_is_answered_by_the_portal(address: str, length: int) -> None:
    """Gunicorn's own answer to it would be a bare 414."""
    asked = f"{address}/spo1/instances/?name={'a' * length}"
    answer = requests.get(asked, headers=BEHIND_A_PROXY, timeout=60, allow_redirects=False)
    assert answer.status_code == 302
    assert "/sign-in/" in answer.headers["Location"]
