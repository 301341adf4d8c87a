"""The sandbox's HTTP server: HTTP/1.1 with keep-alive, a thread per connection, regular responses in one send."""

import contextlib
import re
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from portal.sandbox import control
from portal.sandbox.http import Request, Response, error_response, new_request_id
from portal.sandbox.service import Service

LARGEST_REQUEST_BODY = 1024 * 1024
IDLE_SECONDS = 60.0
_MANY = 1_000_000
_LENGTH = re.compile(r"[0-9]{1,9}")


class Sandbox:
    """A ByCloud API that runs in a thread until the end of the `with` block.

    `instances` is the size of the fleet of `acme`; `port` 0 picks a free one. Raises `OSError` if the port is in use.
    """

    def __init__(
        self,
        instances: int = 150,
        latency: float = 0.0,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        rate_per_minute: int = _MANY,
        rate_per_hour: int = _MANY,
        settle_seconds: float = 5.0,
    ) -> None:
        self._service = Service(
            instances=instances,
            latency=latency,
            rate_per_minute=rate_per_minute,
            rate_per_hour=rate_per_hour,
            settle_seconds=settle_seconds,
        )
        self._server = _Server(self._service, host, port)
        self.url = f"http://{host}:{self._server.socket.getsockname()[1]}"
        self._service.base_url = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True)

    def reset(self) -> None:
        """Reset to the initial state: no changes, no faults, an empty request log, unused rate limits."""
        self._service.reset()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, service: Service, host: str, port: int) -> None:
        self.service = service
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (names of the base class)
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()

    def stop(self) -> None:
        """Stop listening and close all connections, including those that wait or send slowly."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        ends_at = time.monotonic() + 1
        while self.connections and time.monotonic() < ends_at:
            time.sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        """All methods go to the sandbox, so that it can send its own 405."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Requests that cannot be parsed get the error envelope, too."""
        self.close_connection = True
        self._send(error_response(code, details=message, request_id=new_request_id()))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (name of the base class)
        """No output: the request log is at /_sandbox/requests."""

    def _handle(self) -> None:
        body = self._read_body()
        if body is None:
            self.close_connection = True
            self._send(error_response(413, details="Too long, or of no stated length", request_id=new_request_id()))
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, body)
        try:
            is_control = path.startswith(control.PREFIX)
            answer = control.answer(self.server.service, request) if is_control else self.server.service.answer(request)
        except Exception:  # noqa: BLE001 (the documented 500, whatever the fault)
            traceback.print_exc()
            answer = error_response(500, request_id=new_request_id())
        if answer.wait_seconds:
            self.server.stopping.wait(answer.wait_seconds)
        self._send(answer)

    def _read_body(self) -> bytes | None:
        """The request's body; None if it cannot or must not be read."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not _LENGTH.fullmatch(length):
            return None
        return self.rfile.read(int(length)) if int(length) <= LARGEST_REQUEST_BODY else None

    def _send(self, answer: Response) -> None:
        whole = self._head(answer)
        if self.command != "HEAD":
            whole += answer.body
        if answer.delivery == "whole":
            self.wfile.write(whole)
            return
        self.close_connection = True
        head = len(whole) - len(answer.body)
        match answer.delivery:
            case "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
            case "cut":
                self.wfile.write(whole[: head + len(answer.body) // 2])
            case "drip":
                self._drip(whole, head, answer.drip_seconds)
            case "drip-head":
                self._drip(whole, 0, answer.drip_seconds)

    def _drip(self, whole: bytes, start: int, pause: float) -> None:
        """Send everything after the first `start` bytes one byte at a time, until done or stopped."""
        self.wfile.write(whole[:start])
        for position in range(start, len(whole)):
            if self.server.stopping.wait(pause):
                return
            self.wfile.write(whole[position : position + 1])

    def _head(self, answer: Response) -> bytes:
        return "".join(f"{line}\r\n" for line in self._head_lines(answer)).encode("latin-1", "replace") + b"\r\n"

    def _head_lines(self, answer: Response) -> Iterator[str]:
        try:
            phrase = HTTPStatus(answer.status).phrase
        except ValueError:
            phrase = "Scripted"
        yield f"HTTP/1.1 {answer.status} {phrase}"
        headers = {"Date": formatdate(usegmt=True), "Content-Length": str(len(answer.body)), **answer.headers}
        if self.close_connection:
            headers.setdefault("Connection", "close")
        for name, value in headers.items():
            yield f"{name}: {value}"
