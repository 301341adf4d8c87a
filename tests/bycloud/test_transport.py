import contextlib
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portal.bycloud import (
    BearerToken,
    ByCloudError,
    Client,
    InstanceQuery,
    InvalidResponse,
    Limits,
    Region,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from tests.bycloud.conftest import TOKEN
from tests.bycloud.wire import Answering, Line, Wire, drip, flood, hang, hang_up, packed, raw, reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def make_client(url: str, **limits: Any) -> Client:
    return Client(Region("spo1", url), BearerToken(TOKEN), limits=Limits(**{"deadline_seconds": 2.0} | limits))


def ask(url: str, **limits: Any) -> bytes:
    return make_client(url, **limits).fetch_instances(InstanceQuery()).body


def assert_times_out(url: str, **limits: Any) -> None:
    began_at = time.monotonic()
    with pytest.raises(TimedOut):
        ask(url, **{"deadline_seconds": 0.5} | limits)
    assert 0.45 < time.monotonic() - began_at < 5


# The deadline


@pytest.mark.parametrize(
    "answer",
    [
        hang,
        drip(HEAD * 100),
        drip(b"X-Slow: " + b"x" * 1000, at_once=HEAD),
        drip(b"[" * 1000, at_once=HEAD + b"Content-Length: 1000\r\n\r\n"),
        drip(b"1\r\n \r\n" * 100, at_once=HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
        drip(b"A: b\r\n" * 100, at_once=HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, every=0.01),
        drip(b" " * 1000, at_once=HEAD + b"\r\n"),
        drip(gzip.compress(b" " * 1000), at_once=HEAD + b"Content-Encoding: gzip\r\nContent-Length: 999\r\n\r\n"),
    ],
    ids=["silence", "status line", "header", "body", "chunks", "trailer", "interim", "open end", "packed"],
)
def test_however_slowly_an_answer_drips_the_deadline_holds(wire: Wire, answer: Answering) -> None:
    wire.script(answer)
    assert_times_out(wire.url)
    assert len(wire.heard) == 1


def test_the_deadline_holds_on_a_kept_connection_too(wire: Wire) -> None:
    wire.script(reply(), drip(HEAD))
    ask(wire.url)
    assert_times_out(wire.url)
    assert wire.connections == 1


def test_a_slow_answer_that_is_done_in_time_is_taken(wire: Wire) -> None:
    wire.script(drip(b"{}", at_once=HEAD + b"Content-Length: 2\r\n\r\n", every=0.1))
    assert ask(wire.url) == b"{}"


def test_a_status_is_told_even_if_its_body_never_ends(wire: Wire) -> None:
    wire.script(drip(b" " * 1000, at_once=b"HTTP/1.1 401 Nope\r\nContent-Length: 1000\r\n\r\n"))
    began_at = time.monotonic()
    with pytest.raises(Unauthorized):
        ask(wire.url, deadline_seconds=0.5)
    assert time.monotonic() - began_at < 5


def test_a_host_that_takes_no_connection_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        # The queue of connections that no one accepts is full after these, and the next one gets no answer at all.
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        try:
            assert_times_out(f"http://127.0.0.1:{address[1]}")
        finally:
            for sock in waiting:
                sock.close()


def test_a_name_lookup_that_hangs_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(5) and [])
    assert_times_out("http://api.spo1.example")
    over.set()


def test_a_tls_handshake_that_drips_is_given_up_at_the_deadline(wire: Wire) -> None:
    wire.on_connect = drip(b"\x00" * 1000, at_once=b"\x16\x03\x03\x40\x00")
    assert_times_out(wire.url.replace("http", "https"))


def test_a_body_that_flows_without_a_pause_is_given_up_at_the_deadline(wire: Wire) -> None:
    wire.script(flood)
    assert_times_out(wire.url, body_bytes=10**12)


# The cap


def test_a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not(wire: Wire) -> None:
    wire.script(reply(body=b" " * 1000), packed(b" " * 1001))
    assert len(ask(wire.url, body_bytes=1000)) == 1000
    with pytest.raises(InvalidResponse) as caught:
        ask(wire.url, body_bytes=1000)
    assert caught.value.status == 200


@pytest.mark.parametrize("bomb", [gzip.compress(b" " * 50_000_000), gzip.compress(gzip.compress(b" " * 50_000_000))])
def test_a_gzip_bomb_is_refused_without_unpacking_it_whole(wire: Wire, bomb: bytes) -> None:
    encoding = "gzip" if len(bomb) > 10_000 else "gzip, gzip"
    wire.script(reply(body=bomb, headers={"Content-Encoding": encoding}))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponse, match="larger"):
            ask(wire.url, body_bytes=100_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_body_without_end_is_refused(wire: Wire) -> None:
    wire.script(flood)
    with pytest.raises(InvalidResponse, match="larger"):
        ask(wire.url, body_bytes=100_000)


@pytest.mark.parametrize("status", [302, 401])
def test_of_an_error_with_a_huge_body_only_the_beginning_is_read(wire: Wire, status: int) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    wire.script(reply(status, bomb, headers={"Content-Encoding": "gzip", "Location": "/"}))
    with pytest.raises(ByCloudError) as caught:
        ask(wire.url)
    assert caught.value.status == status


def test_an_error_whose_body_cannot_be_unpacked_keeps_its_status(wire: Wire) -> None:
    wire.script(reply(401, b"not gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(Unauthorized):
        ask(wire.url)


# What is not HTTP, or not what it says


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        raw(HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n"),
        raw(HEAD + b"X-Long: " + b"x" * 70_000 + b"\r\n\r\n"),
        raw(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
        reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
        reply(body=b"{}", headers={"Content-Encoding": ", ".join(["gzip"] * 9)}),
    ],
    ids=["another protocol", "200 headers", "a long header", "two lengths", "not gzip", "nine layers"],
)
def test_an_answer_that_cannot_be_read_is_a_bad_payload_and_not_asked_again(wire: Wire, answer: Answering) -> None:
    wire.script(answer)
    with pytest.raises(InvalidResponse):
        ask(wire.url)
    assert len(wire.heard) == 1


def test_a_chunk_without_a_size_is_a_broken_answer(wire: Wire) -> None:
    wire.script(raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"))
    with pytest.raises(Unreachable):
        ask(wire.url, extra_tries=0)


# Roads


def test_a_refused_connection_is_unreachable_after_all_tries() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began_at = time.monotonic()
    with pytest.raises(Unreachable, match="refused"):
        ask(f"http://127.0.0.1:{port}")
    assert time.monotonic() - began_at > 0.6


@pytest.mark.parametrize("problem", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_name_that_does_not_resolve_is_unreachable_at_once(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    lookups = []

    def look_up(*arguments: object, **_: object) -> None:
        lookups.append(arguments)
        raise problem

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(Unreachable, match="looked up"):
        ask("http://api.spo1.example")
    assert len(lookups) == 1


def test_the_second_address_of_a_host_is_tried_when_the_first_is_dead(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *rest, **options: (
            [
                *lookup("127.0.0.1", 1, type=socket.SOCK_STREAM),
                *lookup("127.0.0.1", wire.port, type=socket.SOCK_STREAM),
            ]
            if host == "api.spo1.example"
            else lookup(host, port, *rest, **options)
        ),
    )
    answer = make_client(f"http://api.spo1.example:{wire.port}").fetch_instances(InstanceQuery())
    assert (answer.body, answer.tries) == (b"{}", 1)


def test_a_name_with_no_address_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(Unreachable):
        ask("http://api.spo1.example")


def test_nothing_is_taken_from_the_environment(wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(wire.url) == b"{}"
    assert wire.heard[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_proxy_of_the_settings_is_used_and_its_password_is_for_it_alone() -> None:
    with Wire() as proxy:
        assert ask("http://api.spo1.example", proxy=f"http://somebody:something@127.0.0.1:{proxy.port}") == b"{}"
    assert proxy.heard[0].line == "GET http://api.spo1.example/v1/instances HTTP/1.1"
    assert proxy.heard[0].headers["proxy-authorization"].startswith("Basic ")


def test_the_deadline_holds_through_a_proxy(wire: Wire) -> None:
    wire.script(drip(HEAD))
    assert_times_out("http://api.spo1.example", proxy=wire.url)


def test_a_proxy_that_refuses_or_drips_its_answer_to_connect_gets_no_credential(wire: Wire) -> None:
    wire.script(reply(403, length=0), drip(b"HTTP/1.0 200 Yes\r\n" * 9))
    with pytest.raises(Unreachable):
        ask("https://api.spo1.example", proxy=wire.url)
    assert_times_out("https://api.spo1.example", proxy=wire.url)
    assert [heard.line for heard in wire.heard] == ["CONNECT api.spo1.example:443 HTTP/1.0"] * 2
    assert not any("authorization" in heard.headers for heard in wire.heard)


def test_a_proxy_that_is_down_is_unreachable() -> None:
    with pytest.raises(Unreachable) as caught:
        ask("http://api.spo1.example", proxy="http://somebody:something@127.0.0.1:1", extra_tries=0)
    assert "something" not in caught.value.message


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ByCloud on loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_wire(certificate: Path) -> Iterator[Wire]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Wire(tls=context) as server:
        yield server


def relay_to(port: int) -> Answering:
    """A proxy's answer to CONNECT, and then whatever either side sends."""

    def answer(line: Line) -> bool:
        line.send(b"HTTP/1.0 200 Connected\r\nVia: a proxy\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as far:
            back = threading.Thread(target=pump, args=(far, line.sock))
            back.start()
            pump(line.sock, far)
            back.join()
        return False

    return answer


def pump(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes until either end is closed, and then close both for the other direction."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def test_a_host_is_trusted_by_the_ca_bundle_of_the_settings(tls_wire: Wire, certificate: Path) -> None:
    assert ask(tls_wire.url, ca_bundle=str(certificate)) == b"{}"


def test_a_host_that_no_one_vouches_for_gets_no_request(
    tls_wire: Wire, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate))
    with pytest.raises(Unreachable, match="certificate"):
        ask(tls_wire.url)
    assert (len(tls_wire.heard), tls_wire.connections) == (0, 1)


def test_a_certificate_for_another_name_is_not_trusted(tls_wire: Wire, certificate: Path) -> None:
    with pytest.raises(Unreachable, match="certificate"):
        ask(tls_wire.url.replace("127.0.0.1", "localhost"), ca_bundle=str(certificate))
    assert not tls_wire.heard


def test_a_ca_bundle_that_is_not_there_is_told_as_unreachable(tls_wire: Wire, tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        ask(tls_wire.url, ca_bundle=str(tmp_path / "nothing.pem"))


def test_a_host_that_speaks_no_tls_is_unreachable_and_not_asked_again(wire: Wire) -> None:
    wire.on_connect = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(Unreachable, match="TLS"):
        ask(wire.url.replace("http", "https"))
    assert wire.connections == 1


def test_a_connection_that_closes_in_the_handshake_is_tried_again(wire: Wire) -> None:
    wire.on_connect = hang_up
    with pytest.raises(Unreachable):
        ask(wire.url.replace("http", "https"))
    assert wire.connections == 3


def test_the_deadline_holds_over_tls(tls_wire: Wire, certificate: Path) -> None:
    tls_wire.script(drip(HEAD * 10), drip(b" " * 1000, at_once=HEAD + b"\r\n"))
    assert_times_out(tls_wire.url, ca_bundle=str(certificate))
    assert_times_out(tls_wire.url, ca_bundle=str(certificate))


def test_a_tunnel_through_a_proxy_keeps_the_credential_from_the_proxy(
    wire: Wire, tls_wire: Wire, certificate: Path
) -> None:
    wire.script(relay_to(tls_wire.port))
    tls_wire.script(reply(body=b'{"links": null}'), drip(HEAD))
    assert ask(tls_wire.url, ca_bundle=str(certificate), proxy=wire.url) == b'{"links": null}'
    assert_times_out(tls_wire.url, ca_bundle=str(certificate), proxy=wire.url)
    assert tls_wire.heard[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert not any("authorization" in heard.headers for heard in wire.heard)
