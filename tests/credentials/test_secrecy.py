"""A credential exists only in the encrypted column and in the outgoing header: everything else is searched for it."""

import base64
import io
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from portal import gateway
from portal.accounts.models import Member
from portal.bycloud import InstanceQuery
from portal.credentials.models import Credential
from tests.conftest import enter
from tests.credentials.rows import find_credential
from tests.upstream import Upstream

EDIT = "/credentials/spo1/"
SECRETS = (
    "sandbox-acme-token",
    "sandbox-acme-secret",
    "sandbox-globex-token",
    "sandbox-forbidden-token",
    "a-refused-token",
    "a-refused-secret",
    "a pasted token",
    "a-pasted-secret",
)


@dataclass
class Traces:
    """All that a run leaves behind, in one heap of text per place."""

    answers: list[str] = field(default_factory=list)
    logs: str = ""
    tables: str = ""
    caches: str = ""

    def list_places(self) -> Iterator[tuple[str, str]]:
        yield "answers", "\n".join(self.answers)
        yield "logs", self.logs
        yield "tables", self.tables
        yield "caches", self.caches


def spell(secret: str) -> Iterable[str]:
    """The secret as it stands, percent-encoded, in base64 and in hex."""
    encoded = secret.encode()
    return {secret, quote(secret), base64.b64encode(encoded).decode().rstrip("="), encoded.hex()}


def dump_tables() -> str:
    """Every row of every table, bytes as the text they hold."""
    rows = (row for model in apps.get_models(include_auto_created=True) for row in model._default_manager.values())
    return "\n".join(
        f"{name}={bytes(value).decode('latin-1') if isinstance(value, bytes | memoryview) else value}"
        for row in rows
        for name, value in row.items()
    )


def dump_caches() -> str:
    """Keys and values of all caches, which are kept in this process here."""
    shelves: list[Any] = [caches["pages"], caches["counters"]]
    entries = [(key, value) for cache in shelves for key, (value, _) in cache.entries.items()]
    return "\n".join(f"{key}={value.decode('latin-1')}" for key, value in entries)


@pytest.fixture
def traces(run: Traces, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Traces:
    """The run's traces, with what it wrote to the logs."""
    captured = capfd.readouterr()
    run.logs = captured.out + captured.err + caplog.text + repr([vars(record) for record in caplog.records])
    return run


def keep_the_teams(ada: Member) -> list[str]:
    """What an admin is answered who sets the team's credential, looks around and exports the audit."""
    admin = Client()
    enter(admin, ada)
    answers = []
    for path in ("/team/credentials/spo1/", "/team/credentials/spo1/check/"):
        response = admin.post(path, {"kind": "bearer", "token": "sandbox-globex-token"}, follow=True)
        answers.append(response.content.decode() + str(response.headers))
    paths = ("/team/", "/team/credentials/spo1/", "/spo1/instances/", "/audit/")
    answers += [admin.get(path).content.decode() for path in paths]
    for form in ("csv", "jsonl"):
        export: Any = admin.post("/audit/export/", {"format": form})
        answers.append(b"".join(export.streaming_content).decode())
    return answers


@pytest.fixture
def run(  # noqa: PLR0917 -- fixtures
    viewer_client: Client,
    vera: Member,
    ada: Member,
    upstream: Upstream,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Traces:
    """What is left after setting, failing in every way, using, replacing, rotating and removing."""
    traces = Traces()

    def send(**given: str) -> None:
        response = viewer_client.post(EDIT, given, follow=True)
        traces.answers.append(response.content.decode() + str(response.headers) + str(viewer_client.cookies))

    def look(url: str) -> None:
        traces.answers.append(viewer_client.get(url).content.decode())

    send(kind="bearer", token="a-refused-token")
    send(kind="bearer", token="sandbox-forbidden-token")
    send(kind="bearer", token="a pasted token")
    send(kind="carrier-pigeon", token="a-refused-token", secret_access_key="a-refused-secret")
    send(kind="api-key", access_key_id="AKIASANDBOXACME", secret_access_key="a-refused-secret")
    send(kind="api-key", access_key_id="AKIASANDBOXACME:a-pasted-secret", secret_access_key="a-refused-secret")
    send(kind="bearer", token="sandbox-acme-token")
    look(EDIT)
    look("/credentials/")
    region = settings.BYCLOUD_REGIONS["spo1"]
    credential = find_credential(vera, region)
    assert credential is not None
    gateway.read_page(gateway.ApiSession(region, credential), InstanceQuery())
    upstream.script(times=9, status=500)
    send(kind="api-key", access_key_id="AKIASANDBOXACME", secret_access_key="sandbox-acme-secret")
    upstream.clear()
    out = io.StringIO()
    errors: list[str] = []
    monkeypatch.setattr("sys.stdin", io.StringIO("sandbox-globex-token"))
    call_command("set_credential", "vera", "--region", "sao2", "--kind", "bearer", stdout=out)
    monkeypatch.setattr("sys.stdin", io.StringIO("a-refused-token"))
    with pytest.raises(CommandError) as refused:
        call_command("set_credential", "vera", "--region", "spo1", "--kind", "bearer", stdout=out)
    errors += traceback.format_exception(refused.value)
    traces.answers += keep_the_teams(ada)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
    call_command("rotate_credential_keys", stdout=out)
    traces.tables += dump_tables()
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    look(EDIT)
    look("/credentials/")
    with pytest.raises(CommandError) as lost:
        call_command("rotate_credential_keys", stdout=out)
    errors += traceback.format_exception(lost.value)
    traces.answers.append(viewer_client.post(f"{EDIT}remove/", follow=True).content.decode())
    traces.answers.append(out.getvalue() + "".join(errors))
    traces.tables += dump_tables()
    traces.caches = dump_caches()
    return traces


@pytest.fixture(autouse=True)
def _caches_in_this_process(settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    } | {
        name: {
            "BACKEND": "portal.gateway.memory_cache.MemoryCache",
            "LOCATION": name,
            "OPTIONS": {"MAX_BYTES": 64 * 1024 * 1024},
        }
        for name in ("pages", "counters")
    }


def test_no_secret_is_left_in_answers_logs_tables_or_caches(traces: Traces) -> None:
    found = [
        (place, secret)
        for place, text in traces.list_places()
        for secret in SECRETS
        if any(spelling in text for spelling in spell(secret))
    ]
    assert found == []


def test_the_search_looks_where_things_are(traces: Traces) -> None:
    fingerprints = [row.fingerprint for row in Credential.objects.all()]
    assert any(fingerprints[0] in answer for answer in traces.answers)
    assert "bycloud_request" in traces.logs
    assert "team-credential-set" in traces.tables
    assert any('"team-credential-set"' in answer for answer in traces.answers), "the export"
    assert fingerprints[0] in traces.tables
    assert "encrypted=gAAAA" in traces.tables
    assert "web-" in traces.caches
