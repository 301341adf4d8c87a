"""One HTTP GET with a deadline. The only module that imports requests. Knows nothing of instances or retries.

`requests` has a timeout per read, not per request. So the connections here set the timeout from the remaining time
before every read of header or body bytes, for each address tried, for the TLS handshake and for a proxy's response.
Names are resolved in a separate thread, because the system's resolver has no timeout.
"""

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import msgspec
import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from portal.bycloud.errors import ByCloudError, InvalidResponse, TimedOut, Unreachable

CHUNK_BYTES = 65536
REFUSAL_BYTES = 65536
OK = 200
SHORTEST_WAIT_SECONDS = 0.001

Headers = Mapping[str, str]


class Deadline(msgspec.Struct, frozen=True):
    """The time, on the monotonic clock, at which a request times out."""

    ends_at: float

    def left(self) -> float:
        """Seconds left, as a socket timeout: never zero."""
        return max(self.ends_at - time.monotonic(), SHORTEST_WAIT_SECONDS)

    def has_passed(self) -> bool:
        return time.monotonic() >= self.ends_at


class Reply(msgspec.Struct, frozen=True):
    """A response with any status. `headers` are case-insensitive. The body of anything but a 200 may be truncated."""

    status: int
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        """Omits the response, which may contain the credential."""
        return f"Reply({self.status}, {len(self.body)} bytes)"


class Failure(msgspec.Struct, frozen=True):
    """There was no response. A value and not an exception, so that the error raised from it has no reference to the
    request and its headers.
    """

    error: ByCloudError
    is_transient: bool = False


class _Oversized(Exception):  # noqa: N818 -- never leaves this module
    """More decompressed bytes than allowed."""


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
        for place, address in enumerate(addresses):
            try:
                # An address that does not respond must not use up the time of the others.
                sock = socket.create_connection(address, timeout=deadline.left() / (len(addresses) - place))
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


def send_get(
    url: str,
    *,
    headers: Headers,
    sign: Callable[[], Headers],
    deadline: Deadline,
    body_bytes: int,
    proxy: str | None = None,
    ca_bundle: str | None = None,
) -> Reply | Failure:
    """One attempt. A 200 comes with its whole body, decompressed, of at most `body_bytes`.

    `sign` returns the headers with the credential. It is called when the request is built, so that no traceback frame
    holds them.
    """

    def put_signature(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(sign())
        return request

    _thread.deadline = deadline
    try:
        with _thread.session.get(
            url,
            headers=headers,
            auth=put_signature,
            stream=True,
            allow_redirects=False,
            timeout=deadline.left(),
            proxies={"http": proxy, "https": proxy} if proxy else {},
            verify=ca_bundle or True,
        ) as response:
            body = _read_body(response.raw, body_bytes) if response.status_code == OK else _read_refusal(response.raw)
            return Reply(status=response.status_code, headers=response.headers, body=body)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, _Oversized) as error:
        return _explain(error, deadline)


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


def _read_body(raw: urllib3.HTTPResponse, most: int) -> bytes:
    body = bytearray()
    while chunk := raw.read1(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > most:
            raise _Oversized
    return bytes(body)


def _read_refusal(raw: urllib3.HTTPResponse) -> bytes:
    """As much of an error's body as can be read: a broken body must not hide the status."""
    body = bytearray()
    try:
        while len(body) < REFUSAL_BYTES and (chunk := raw.read1(CHUNK_BYTES, decode_content=True)):
            body += chunk
    except urllib3.exceptions.HTTPError:
        pass
    return bytes(body)


class _Reading(msgspec.Struct, frozen=True):
    """What a low-level exception means."""

    causes: tuple[type[BaseException], ...]
    kind: type[ByCloudError]
    sentence: str
    status: int | None = None
    is_transient: bool = False


# The first match counts: an SSLEOFError is also an SSLError, and RemoteDisconnected also an HTTPException.
_READINGS = (
    _Reading((requests.Timeout, urllib3.exceptions.ReadTimeoutError), TimedOut, "ByCloud did not answer in time"),
    _Reading((_Oversized,), InvalidResponse, "The answer is larger than the portal takes", status=OK),
    _Reading((urllib3.exceptions.DecodeError,), InvalidResponse, "The answer cannot be unpacked", status=OK),
    _Reading((NameResolutionError,), Unreachable, "The name of ByCloud's host could not be looked up"),
    _Reading((ssl.SSLCertVerificationError,), Unreachable, "ByCloud's host has no certificate that is trusted here"),
    _Reading((ConnectionRefusedError,), Unreachable, "The connection to ByCloud was refused", is_transient=True),
    _Reading(
        (ConnectionError, ssl.SSLEOFError, http.client.IncompleteRead),
        Unreachable,
        "The connection to ByCloud broke before the whole answer was there",
        is_transient=True,
    ),
    _Reading((ssl.SSLError,), Unreachable, "No TLS connection to ByCloud could be made"),
    _Reading((http.client.HTTPException, urllib3.exceptions.InvalidHeader), InvalidResponse, "The answer is not HTTP"),
)
_NO_ROAD = _Reading((), Unreachable, "No connection to ByCloud could be made")


def _explain(error: Exception, deadline: Deadline) -> Failure:
    """Our own message for the error. The exception's text may contain a proxy and its password."""
    if deadline.has_passed():
        return Failure(TimedOut("ByCloud did not answer in time"))
    causes = list(_list_causes(error))
    reading = next((row for row in _READINGS if any(isinstance(cause, row.causes) for cause in causes)), _NO_ROAD)
    return Failure(reading.kind(reading.sentence, status=reading.status), is_transient=reading.is_transient)


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all errors that it wraps; requests and urllib3 wrap by arguments, by `reason` and by `from`."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__):
        if isinstance(inner, BaseException):
            yield from _list_causes(inner)
