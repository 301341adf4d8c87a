"""A scripted server on raw sockets: complete, slow, truncated or missing responses."""

import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

Answering = Callable[["Line"], bool]
"""Does something with a connection whose request has been read; says whether the connection stays open."""


class Heard(msgspec.Struct, frozen=True):
    """One request as it came over the wire. Header names are in lower case."""

    line: str
    headers: dict[str, str]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True, strict_parsing=bool(self.target[13:]))


class Line:
    """One connection, as an answering function sees it."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self.stopping = stopping

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_slowly(self, data: Iterable[bytes], every: float) -> None:
        for piece in data:
            if self.stopping.wait(every):
                return
            self.sock.sendall(piece)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Wire:
    """Listens on loopback. Each request takes the next of `answers`; the last one stays."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.answers: list[Answering] = [reply()]
        self.on_connect: Answering | None = None
        self.heard: list[Heard] = []
        self.moments: list[float] = []
        self.connections = 0
        self._tls = tls
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Closing a listening socket wakes no one who waits in accept(): one more connection does.
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def script(self, *answers: Answering) -> None:
        self.answers = list(answers)

    def _listen(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopping.is_set():
                sock.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(5)
        line = Line(sock, self._stopping)
        with contextlib.suppress(OSError, EOFError), contextlib.ExitStack() as stack:
            stack.callback(line.close)
            if self.on_connect and not self.on_connect(line):
                return
            if self._tls:
                line.sock = self._tls.wrap_socket(sock, server_side=True)
            while True:
                self.heard.append(self._hear(line.sock))
                self.moments.append(time.monotonic())
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if not answer(line):
                    return

    def _hear(self, sock: socket.socket) -> Heard:
        data = b""
        sock.settimeout(0.1)
        while b"\r\n\r\n" not in data:
            if self._stopping.is_set():
                raise EOFError
            try:
                piece = sock.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                raise EOFError
            data += piece
        sock.settimeout(5)
        first, *rest = data.decode("ascii").split("\r\n")
        headers = dict(line.split(": ", 1) for line in rest if line)
        assert len(headers) == len([line for line in rest if line]), "a header came twice"
        return Heard(first, {name.lower(): value for name, value in headers.items()})


def reply(
    status: int = 200, body: bytes = b"{}", *, headers: Mapping[str, str] | None = None, length: int | None = None
) -> Answering:
    """A whole answer on a connection that stays open; with `length`, one that says more bytes than come, and closes."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body) if length is None else length)}
    head = "".join(f"{name}: {value}\r\n" for name, value in (lines | dict(headers or {})).items())
    data = f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + body

    def answer(line: Line) -> bool:
        line.send(data)
        return length is None

    return answer


def packed(body: bytes, **headers: str) -> Answering:
    return reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip", **headers})


def raw(data: bytes) -> Answering:
    """These bytes, and the connection closed."""

    def answer(line: Line) -> bool:
        line.send(data)
        return False

    return answer


def drip(data: bytes, *, at_once: bytes = b"", every: float = 0.05) -> Answering:
    """Some bytes at once, the rest one at a time."""

    def answer(line: Line) -> bool:
        line.send(at_once)
        line.send_slowly((bytes([byte]) for byte in data), every)
        return False

    return answer


def hang(line: Line) -> bool:
    line.stopping.wait(5)
    return False


def hang_up(line: Line) -> bool:
    return False


def break_off(line: Line) -> bool:
    line.reset()
    return False


def flood(line: Line) -> bool:
    """A body without end, as fast as it goes, until the client hangs up."""
    line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        line.send(b"8\r\n        \r\n" * 1000)
