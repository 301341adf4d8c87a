"""One HTTP GET with a deadline. Knows nothing of instances or retries."""

import http.client
import ssl
from collections.abc import Callable, Iterator, Mapping

import msgspec
import requests
import requests.adapters
import urllib3
from urllib3.exceptions import NameResolutionError

from portal.bycloud.connections import Deadline, open_session
from portal.bycloud.errors import ByCloudError, InvalidResponse, TimedOut, Unreachable

CHUNK_BYTES = 65536
REFUSAL_BYTES = 65536
OK = 200

Headers = Mapping[str, str]


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

    try:
        with open_session(deadline).get(
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
