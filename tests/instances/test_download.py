"""A long file through gunicorn, as in production: streamed, to clients of every pace, and never cut short unnoticed."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest
import requests

from tests.services.portals import LIST, Deployment, Portal, open_session, read_token

# Several times what the buffers between the two hold, and a few chunks.
INSTANCES, DESCRIPTION = 3000, 8000
FILL = f"""
import secrets
from uuid import uuid4
from django.conf import settings
from django.utils import timezone
from portal.bycloud import BearerToken, Instance
from portal.fleet.feed import find_fleet
from portal.gateway import ApiSession
from tests.fleet.rows import write_instances
fleet = find_fleet(ApiSession(settings.BYCLOUD_REGIONS["spo1"], BearerToken("sandbox-acme-token")))
fleet.completed_at = timezone.now()
fleet.save()
write_instances(fleet, [
    Instance(id=str(uuid4()), name=f"big-{{number}}", description=secrets.token_hex({DESCRIPTION} // 2))
    for number in range({INSTANCES})
])
"""
EMPTY = (
    "DELETE FROM fleet_facet",
    "DELETE FROM fleet_text",
    "DELETE FROM fleet_body",
    "DELETE FROM fleet_term",
    "DELETE FROM fleet_observedchange",
    "DELETE FROM fleet_pass",
    "DELETE FROM fleet_indexedinstance",
    "DELETE FROM fleet_indexedfleet",
)


@dataclass(frozen=True)
class Reader:
    """Otto, whose index has a fleet that is a large file."""

    portal: Portal
    cookie: str
    deployment: Deployment

    @contextmanager
    def download(self, **headers: str) -> Iterator[requests.Response]:
        page = self.portal.get(f"{LIST}?q=big", self.cookie)
        fields = {"csrfmiddlewaretoken": read_token(page.text), "query": "q=big", "format": "jsonl"}
        given = {"Cookie": self.cookie, "Accept-Encoding": "identity"} | headers
        address = f"{self.portal.url}{LIST}export-all/"
        with open_session() as session, session.post(address, fields, headers=given, stream=True, timeout=60) as answer:
            assert answer.status_code == 200
            yield answer

    def execute(self, *statements: str) -> None:
        path = self.deployment.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=30)) as database, database:
            for statement in statements:
                database.execute(statement)


@pytest.fixture
def reader(deployment: Deployment) -> Iterator[Reader]:
    deployment.sandbox.reset()
    with deployment.open_portals(1) as (portal,):
        reader = Reader(portal, deployment.sign_in(portal, "otto"), deployment)
        assert portal.get(LIST, reader.cookie).status_code == 200
        deployment.manage("shell", "-c", FILL)
        yield reader
        reader.execute(*EMPTY)


def test_a_long_file_arrives_whole_and_in_pieces(reader: Reader) -> None:
    for coding in ("identity", "gzip"):
        with reader.download(**{"Accept-Encoding": coding}) as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in answer.headers
            assert answer.headers.get("Content-Encoding", "identity") == coding
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Content-Security-Policy" in answer.headers
            about, *rows = map(json.loads, answer.iter_lines())
        assert about["export"]["instances"] == len(rows) == INSTANCES
        assert {row["name"] for row in rows} == {f"big-{number}" for number in range(INSTANCES)}


def test_a_file_that_cannot_be_ended_breaks_off_where_everybody_sees_it(reader: Reader) -> None:
    with reader.download() as answer:
        pieces = answer.iter_content(1000)
        assert b'"export"' in next(pieces)
        # As when the credential is removed meanwhile.
        reader.execute("DELETE FROM fleet_indexedinstance")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for _ in pieces:
                pass
    assert "ExportInterruptedError" in reader.portal.log.read_text(encoding="utf-8")
    assert reader.portal.get(LIST, reader.cookie).status_code == 200
