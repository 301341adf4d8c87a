"""Connections that keep a deadline over a whole request.

`requests` has a timeout per read, not per request. So the connections here set the timeout from the remaining time
before every read of header or body bytes, for each address tried, for the TLS handshake and for a proxy's response.
Names are resolved in a separate thread, because the system's resolver has no timeout.
"""

import http.client
import io
import queue
import socket
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import msgspec
import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

SHORTEST_WAIT_SECONDS = 0.001


class Deadline(msgspec.Struct, frozen=True):
    """The time, on the monotonic clock, at which a request times out."""

    ends_at: float

    def left(self) -> float:
        """Seconds left, as a socket timeout: never zero."""
        return max(self.ends_at - time.monotonic(), SHORTEST_WAIT_SECONDS)

    def has_passed(self) -> bool:
        return time.monotonic() >= self.ends_at


class _Thread(threading.local):
    """The state of each thread: its session with open connections, and the deadline of the current request."""

    def __init__(self) -> None:
        self.session = _Session()
        self.deadline = Deadline(0.0)


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, each with the remaining time as its timeout."""

    def __init__(self, source: io.RawIOBase, sock: socket.socket) -> None:
        self._source = source
        self._sock = sock
        self._deadline = _thread.deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline.has_passed():
            raise TimeoutError
        self._sock.settimeout(self._deadline.left())
        count: int | None = self._source.readinto(buffer)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """Reads status line, headers and body, and a proxy's response to CONNECT, within the deadline."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _Connecting:
    """Connects within the deadline, however many addresses the host has."""

    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        deadline = _thread.deadline
        problem: OSError = OSError()
        try:
            addresses = _look_up(self.host, self.port, deadline)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "The name lookup timed out") from error
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        for tried, address in enumerate(addresses):
            try:
                # An address that does not respond must not use up the time of the others.
                sock = socket.create_connection(address, timeout=deadline.left() / (len(addresses) - tried))
            except OSError as error:
                problem = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(deadline.left())
            return sock
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, "The connection timed out") from problem
        raise NewConnectionError(self, "No connection") from problem  # type: ignore[arg-type]


class _PlainConnection(_Connecting, HTTPConnection):
    response_class = _Response


class _TlsConnection(_Connecting, HTTPSConnection):
    response_class = _Response


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _PlainPool, "https": _TlsPool}


class _Adapter(requests.adapters.HTTPAdapter):
    """Uses the connections above, directly and through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Session(requests.Session):
    """Takes nothing from the environment, keeps no cookies, follows no redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=1))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Always None. Otherwise requests reads a redirect's whole body, without a limit, even if not following it."""


_thread = _Thread()


def open_session(deadline: Deadline) -> requests.Session:
    """Return the session of this thread, with its open connections. Its next request must end by the deadline."""
    _thread.deadline = deadline
    return _thread.session


def _look_up(host: str, port: int, deadline: Deadline) -> list[tuple[str, int]]:
    """The host's addresses. Raises the resolver's error, or `TimeoutError`."""
    results: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            results.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.put(error)

    threading.Thread(target=ask, name="bycloud-lookup", daemon=True).start()
    try:
        result = results.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return [address[:2] for *_, address in result]
