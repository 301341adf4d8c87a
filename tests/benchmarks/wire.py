"""A minimal HTTP client: raw sockets with keep-alive, sequential or concurrent requests."""

import re
import selectors
import socket
from time import perf_counter
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import requests

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_BODILESS = {204, 304}


class Reply(NamedTuple):
    """An answer off the wire. `size` counts head and body."""

    status: int
    first_byte_seconds: float
    size: int
    head: bytes
    body: bytes


class Load(NamedTuple):
    """What several connections at once were answered. `seconds` from the first request to the last answer."""

    answers: int
    seconds: float
    statuses: frozenset[int]


class Wire:
    """One connection to a server on this machine."""

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> Reply:
        began_at = perf_counter()
        self.socket.sendall(request)
        text = receive(self.socket)
        first_byte_seconds = perf_counter() - began_at
        while not is_whole(text):
            text += receive(self.socket)
        head, _, body = text.partition(b"\r\n\r\n")
        return Reply(read_status(text), first_byte_seconds, len(text), head, body)


def write_request(url: str, path: str, *, cookie: str = "", headers: dict[str, str] | None = None) -> bytes:
    """A GET as a browser would send it, as far as the server looks."""
    given = {"Host": urlsplit(url).netloc, "Accept-Encoding": "gzip, br", **({"Cookie": cookie} if cookie else {})}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (given | (headers or {})).items())]
    return "\r\n".join([*lines, "", ""]).encode()


def receive(connection: socket.socket) -> bytes:
    """What has arrived next. Raises `ConnectionError` when nothing more will."""
    text = connection.recv(65536)
    if not text:
        raise ConnectionError("The server closed the connection inside an answer")
    return text


def is_whole(text: bytes) -> bool:
    """Whether an answer has arrived to its end. Answers here have a length, or no body."""
    head, end_of_head, body = text.partition(b"\r\n\r\n")
    if not end_of_head:
        return False
    length = _LENGTH.search(head)
    if length:
        return len(body) >= int(length[1])
    if read_status(text) in _BODILESS:
        return True
    raise ValueError("An answer without a length")


def read_status(text: bytes) -> int:
    return int(text[9:12])


def load(url: str, request: bytes, *, seconds: float, connections: int = 8) -> Load:
    """Ask on all connections, each as soon as it was answered, until the time is over."""
    statuses: set[int] = set()
    answers = 0
    wires = [Wire(url) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire.socket, selectors.EVENT_READ, [wire, b""])
        began_at = perf_counter()
        ends_at = began_at + seconds
        for wire in wires:
            wire.socket.sendall(request)
        waiting = len(wires)
        while waiting:
            for key, _ in selector.select():
                wire, text = key.data
                text += receive(wire.socket)
                key.data[1] = text
                if not is_whole(text):
                    continue
                answers += 1
                statuses.add(read_status(text))
                key.data[1] = b""
                if perf_counter() < ends_at:
                    wire.socket.sendall(request)
                else:
                    waiting -= 1
        elapsed = perf_counter() - began_at
    for wire in wires:
        wire.socket.close()
    return Load(answers, elapsed, frozenset(statuses))


def sign_in(url: str, name: str, password: str) -> str:
    """Sign in by the portal's own form. Gives the `Cookie` header from then on."""
    with requests.Session() as session:
        session.trust_env = False
        form = session.get(f"{url}/sign-in/", timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token, "The sign-in page has no form"
        fields = {"login": name, "password": password, "csrfmiddlewaretoken": token[1]}
        answer = session.post(f"{url}/sign-in/", data=fields, allow_redirects=False, timeout=30)
        assert answer.status_code == 302, f"Signing in was answered {answer.status_code}"
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
