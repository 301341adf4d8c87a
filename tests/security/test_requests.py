"""Requests that no page of the portal makes: files, unusual methods, endless bodies."""

import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import Member
from portal.core.uploads import NoUploads
from tests.conventions.test_access import ROUTES
from tests.memory import undone


class Endless:
    """A file that notes how much of it was asked for, and never ends."""

    def __init__(self, head: bytes) -> None:
        self.head, self.read_bytes = head, 0

    def read(self, size: int = -1) -> bytes:
        given, self.head = self.head[:size], self.head[size:] if size >= 0 else b""
        self.read_bytes += size if size >= 0 else len(given)
        return given + b"x" * (size - len(given))

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)


def test_a_file_that_someone_sends_is_not_read(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\nContent-Type: text/plain\r\n\r\n'
    body = Endless(head)
    environ: dict[str, Any] = {
        "wsgi.input": body,
        "CONTENT_LENGTH": str(10**12),
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
    }
    response = Client(enforce_csrf_checks=True).post("/sign-in/", **environ)
    assert response.status_code == 403
    assert body.read_bytes < 2**20
    assert list(tmp_path.iterdir()) == []


def test_a_form_with_a_file_is_read_up_to_the_file_alone(client: Client, ada: Member) -> None:
    client.force_login(ada)
    response = client.post(
        "/preferences/theme/", {"theme": "dark", "file": SimpleUploadedFile("evil.html", b"<script>"), "z": "after"}
    )
    assert response.status_code == 302
    assert response.wsgi_request.FILES == {}
    assert "z" not in response.wsgi_request.POST
    assert list(Path(tempfile.gettempdir()).glob("*.upload.html")) == []


def test_the_handler_keeps_nothing() -> None:
    handler = NoUploads()
    handler.receive_data_chunk(b"x", 0)
    handler.file_complete(1)
    assert vars(handler) == vars(NoUploads())


def test_a_body_that_is_too_large_is_refused(client: Client, ada: Member) -> None:
    client.force_login(ada)
    response = client.post("/preferences/theme/", {"theme": "d" * 3_000_000})
    assert response.status_code == 400


def test_no_route_takes_a_method_that_tells_what_it_was_sent(client: Client, ada: Member) -> None:
    client.force_login(ada)
    for route, method in product(ROUTES.values(), ("TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND")):
        with undone():
            response = client.generic(method, route.path, headers={"x-echo": "told-back"})
        assert response.status_code in {403, 405}, (method, route.path)
        assert "told-back" not in response.content.decode(), (method, route.path)
