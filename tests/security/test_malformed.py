"""Malformed requests get an error message, and never cause a 500."""

import http.client
import json
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from portal.accounts.models import Member
from tests.conventions.test_access import EVERYONE, ROUTES

OPEN = [route.path for route in ROUTES.values() if route.people == EVERYONE] + [
    "/nothing-here/",
    "/static/nothing.css",
]
FORM = "application/x-www-form-urlencoded"
BODY = b"login=a&password=b&credential=%7B%7D&code=1&next=%2F"
CHARSETS = (
    "zlib",
    "hex",
    "rot13",
    "base64",
    "bz2",
    "quopri",
    "uu",
    "undefined",
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-7",
    "utf-16",
    "utf-32",
    "cp037",
    "mbcs",
    "no-such-charset",
    "x" * 5000,
    '"',
)
TYPES = (
    *(f"{FORM}; charset={charset}" for charset in CHARSETS),
    *(f"multipart/form-data; boundary=x; charset={charset}" for charset in ("zlib", "undefined", "utf-16")),
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=" + "x" * 500,
    "multipart/form-data; boundary=\xff",
    "multipart/form-data; boundary*=zlib''x",
    "multipart/form-data; " + "a=b;" * 2000,
    "application/json; charset=zlib",
    "/",
    ";",
    "\xff\xfe",
)
PARTS = (
    b"--x\r\nContent-Disposition: form-data; name*=zlib''login\r\n\r\na\r\n--x--\r\n",
    b"--x\r\nContent-Disposition: form-data; name*=undefined''login\r\n\r\na\r\n--x--\r\n",
    b"--x\r\nContent-Disposition: form-data; name*=''%ff\r\n\r\na\r\n--x--\r\n",
    b"--x\r\nContent-Disposition: form-data; name*=x\r\n\r\na\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="login"\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="login"\r\nContent-Type: a/b; charset=zlib\r\n\r\na\r\n--x--\r\n',
    b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename*=zlib''x\r\n\r\na\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="../.."\r\nContent-Length: x\r\n\r\na\r\n--x--\r\n',
    b"--x\r\n\r\n\r\n--x--\r\n",
    b"--x\r\n" + b"A: b\r\n" * 3000 + b"\r\na\r\n--x--\r\n",
    b"--x",
    b"",
)
DEEP = "[" * 50_000 + "]" * 50_000
JSONS = (
    DEEP[49_000:51_000],
    "[" * 9_000,
    '{"a":' * 3_000,
    DEEP,
    "9" * 5_000,
    '{"id": "\\ud800", "rawId": "\\ud800", "type": "public-key", "response": {}}',
    "NaN",
    "[]",
    "null",
    '"x"',
    json.dumps({"rawId": 1, "response": [], "id": None}),
    "\x00",
)
HEADERS: tuple[dict[str, str], ...] = (
    {"HTTP_ACCEPT_LANGUAGE": "," * 8000},
    {"HTTP_ACCEPT_LANGUAGE": "x" * 8000},
    {"HTTP_ACCEPT_LANGUAGE": "en;q=" + "9" * 4000},
    {"HTTP_ACCEPT_LANGUAGE": "pt-BR-\xff\x00"},
    {"HTTP_ACCEPT_ENCODING": "br;q=" + "0" * 8000 + "x"},
    {"HTTP_ACCEPT": "\xff/\xff;q=zlib"},
    {"HTTP_COOKIE": "=" * 8000},
    {"HTTP_COOKIE": "sessionid=\xff\x00; csrftoken=" + "x" * 5000},
    {"HTTP_COOKIE": 'messages="\ud7ff\\777"; sessionid="\\"'.encode().decode("latin-1")},
    {"HTTP_REFERER": "http://[", "HTTP_ORIGIN": "http://["},
    {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://[::1", "HTTP_HX_TARGET": "\xff"},
    {"HTTP_HX_CURRENT_URL_URI_AUTOENCODED": "true", "HTTP_HX_CURRENT_URL": "%ff%00", "HTTP_HX_REQUEST": "true"},
    {"HTTP_X_FORWARDED_FOR": "," * 8000, "HTTP_X_FORWARDED_PROTO": "zlib"},
    {"HTTP_IF_MODIFIED_SINCE": "\xff", "HTTP_IF_NONE_MATCH": '"' * 8000, "HTTP_RANGE": "bytes=" + "9" * 5000},
    {"HTTP_USER_AGENT": "\x00\xff\u0085"},
    {"CONTENT_LENGTH": "9" * 20},
    {"QUERY_STRING": "next=%ff%00&next=" + "a&" * 2000},
    {"QUERY_STRING": "&".join(f"a{number}=1" for number in range(900))},
    {"QUERY_STRING": "code=%ed%a0%80&state=%00"},
)


@pytest.fixture
def stranger(db: None) -> Client:
    client = Client()
    client.raise_request_exception = False
    return client


def send(client: Client, path: str, method: str, body: bytes, content_type: str, **environ: Any) -> None:
    given = {"CONTENT_TYPE": content_type} | environ
    response = client.generic(method, path, body, content_type, **given)
    text = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    what = (method, path, content_type[:60], body[:60], {name: str(value)[:60] for name, value in environ.items()})
    assert response.status_code < 500, what
    assert response.status_code != 400 or b"Bad request" in text, what


@pytest.mark.parametrize("path", OPEN)
def test_no_header_and_no_body_of_a_stranger_is_an_error_of_ours(stranger: Client, path: str) -> None:
    for content_type in TYPES:
        send(stranger, path, "POST", BODY, content_type)
    for part in PARTS:
        send(stranger, path, "POST", part, "multipart/form-data; boundary=x")
    for headers in HEADERS:
        for method in ("GET", "POST"):
            send(stranger, path, method, BODY, FORM, **headers)
    for method in ("PUT", "PROPFIND", "x", "G\xc9T"):
        send(stranger, path, method, BODY, FORM)


@pytest.mark.parametrize("path", ["/sign-in/passkey/", "/sign-in/second-factor/", "/second-factor/passkeys/"])
@pytest.mark.parametrize("number", range(len(JSONS)))
def test_no_json_of_a_passkey_is_an_error_of_ours(stranger: Client, vera: Member, path: str, number: int) -> None:
    if path.startswith("/second-factor/"):
        stranger.force_login(vera)
        stranger.post("/second-factor/again/", {"password": "a-long-enough-password"})
    response = stranger.post(path, {"credential": JSONS[number], "name": "x"})
    assert response.status_code < 500


def test_over_real_http_too(live_server: LiveServer) -> None:
    host = live_server.url.partition("://")[2]
    for content_type in (f"{FORM}; charset=zlib", f"{FORM}; charset=undefined", "multipart/form-data; boundary="):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("POST", "/sign-in/", BODY, {"Content-Type": content_type})
        assert connection.getresponse().status in {200, 400, 403}
        connection.close()
