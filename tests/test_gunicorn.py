"""The production command, with gunicorn reporting its own configuration."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.test_settings import PRODUCTION

ROOT = Path(__file__).parent.parent


COMMAND = [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi"]
BEHIND_A_PROXY = {"Host": "portal.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}


def make_environment(**environment: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PATH", "COVERAGE"))}
    return kept | PRODUCTION | environment


def ask_gunicorn(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *(options or ["--print-config"])],
        cwd=ROOT,
        env=make_environment(**environment),
        timeout=30,
        capture_output=True,
        text=True,
        check=False,
    )


def read_configuration(**environment: str) -> dict[str, str]:
    answer = ask_gunicorn(**environment)
    assert answer.returncode == 0, answer.stderr
    return {
        name.strip(): value.strip() for name, _, value in (row.partition("=") for row in answer.stdout.splitlines())
    }


def test_one_process_with_many_threads_serves_on_loopback() -> None:
    configuration = read_configuration(BYCLOUD_DEADLINE_SECONDS="12.5")
    assert configuration["bind"] == "['127.0.0.1:8000']"
    assert (configuration["workers"], configuration["threads"]) == ("1", "128")
    assert configuration["worker_class"] == "portal.worker.Worker"
    assert float(configuration["timeout"]) > float(configuration["graceful_timeout"]) > 12.5
    assert configuration["accesslog"] == "None"
    assert configuration["control_socket_disable"] == "True"
    assert configuration["forwarded_allow_ips"] == "[]"


def test_port_workers_and_trust_come_from_the_environment() -> None:
    configuration = read_configuration(PORT="8123", WEB_CONCURRENCY="3", TRUSTED_PROXY_COUNT="1")
    assert configuration["bind"] == "['127.0.0.1:8123']"
    assert configuration["workers"] == "3"
    assert configuration["forwarded_allow_ips"] == "['*']"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT is not a valid integer."),
        ("PORT", "65536", "PORT must be between 1 and 65535."),
        ("SECRET_KEY", "short", "SECRET_KEY has 5 characters; it needs at least 50 random ones."),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start_in_one_sentence(name: str, value: str, sentence: str) -> None:
    answer = ask_gunicorn(**{name: value})
    assert answer.returncode == 1
    assert answer.stderr == f"ByCloud Portal cannot start: {sentence}\n"
    assert answer.stdout == ""


def test_the_env_file_is_read_for_the_server_too(tmp_path: Path) -> None:
    # gunicorn reads WEB_CONCURRENCY from the environment by itself, but knows nothing of the file.
    (tmp_path / "env").write_text("PORT=8123\nWEB_CONCURRENCY=0\n", encoding="utf-8")
    answer = ask_gunicorn(ENV_FILE=str(tmp_path / "env"))
    assert answer.stderr == "ByCloud Portal cannot start: WEB_CONCURRENCY must be at least 1.\n"
    (tmp_path / "env").write_text("PORT=8123\nWEB_CONCURRENCY=2\n", encoding="utf-8")
    configuration = read_configuration(ENV_FILE=str(tmp_path / "env"))
    assert (configuration["bind"], configuration["workers"]) == ("['127.0.0.1:8123']", "2")


@contextmanager
def serve(tmp_path: Path, command: Sequence[str] = COMMAND, **environment: str) -> Iterator[str]:
    """The production command, or a variant of it, at work; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=make_environment(PORT=str(port), DATABASE_URL=database, **environment),
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            ends_at = time.monotonic() + 30
            while time.monotonic() < ends_at and process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DEBUG": "1"}, "DEBUG is on in production: error pages would show settings and code to everyone."),
        (
            {"WEB_CONCURRENCY": "2"},
            "WEB_CONCURRENCY or PORTAL_PROCESSES sets 2 processes, but CACHE_URL is an in-process cache",
        ),
        # Each starts a server that stops. That these are mistakes is shown in `tests/site/test_checks.py`, too.
        pytest.param(
            {"ALLOWED_HOSTS": "*", "PUBLIC_URL": "https://portal.example.com"},
            "ALLOWED_HOSTS is *: the portal would accept any host name.",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"DATABASE_URL": "sqlite://:memory:"},
            "DATABASE_URL is an in-memory database: all data is lost when",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"CSRF_TRUSTED_ORIGINS": "http://x.example"},
            "CSRF_TRUSTED_ORIGINS contains http://x.example, which is not",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_settings_that_are_wrong_together_stop_the_start_in_one_sentence(
    environment: dict[str, str], sentence: str
) -> None:
    answer = ask_gunicorn("--bind", "127.0.0.1:0", **environment)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith(f"ByCloud Portal cannot start: {sentence}")
    assert "Traceback" not in answer.stderr
    assert "Listening" not in answer.stderr


def test_behind_a_proxy_that_speaks_tls_pages_are_served_over_tls_alone(tmp_path: Path) -> None:
    with serve(tmp_path, TRUSTED_PROXY_COUNT="1") as address:
        there = requests.get(f"{address}/", headers=BEHIND_A_PROXY, allow_redirects=False, timeout=10)
        assert (there.status_code, there.headers["Location"]) == (302, "/sign-in/?next=/")
        assert "max-age=31536000" in there.headers["Strict-Transport-Security"]
        plain = requests.get(
            f"{address}/", headers=BEHIND_A_PROXY | {"X-Forwarded-Proto": "http"}, allow_redirects=False, timeout=10
        )
        assert (plain.status_code, plain.headers["Location"]) == (301, "https://portal.example.com/")


def test_no_header_of_a_visitor_moves_the_portal_elsewhere(tmp_path: Path) -> None:
    with serve(tmp_path, TRUSTED_PROXY_COUNT="1") as address:
        moved = requests.get(
            f"{address}/spo1/instances/",
            headers=BEHIND_A_PROXY | {"SCRIPT_NAME": "/spo1"},
            allow_redirects=False,
            timeout=10,
        )
        assert (moved.status_code, moved.headers["Location"]) == (302, "/sign-in/?next=/spo1/instances/")


def test_addresses_with_long_names_that_are_not_latin_are_taken(tmp_path: Path) -> None:
    with serve(tmp_path, TRUSTED_PROXY_COUNT="1") as address:
        long = requests.get(
            f"{address}/spo1/instances/",
            params={"name": "名" * 255, "tags": "名" * 255},
            headers=BEHIND_A_PROXY,
            allow_redirects=False,
            timeout=10,
        )
        assert long.status_code == 302


def test_what_gunicorn_logs_of_a_request_is_json_and_repeats_nothing_of_it(tmp_path: Path) -> None:
    sent = (b"GET /T0K3N SPACE HTTP/1.1\r\n\r\n", b"GET /T0K3N HTTP/9\r\n\r\n", b"GET /T0K3N HTTP/1.1\r\nT0K3N\r\n\r\n")
    with serve(tmp_path) as address:
        for head in sent:
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=10) as connection:
                connection.sendall(head)
                assert connection.recv(1000).startswith(b"HTTP/1.1 4")
    written = (tmp_path / "log").read_text(encoding="utf-8")
    assert "T0K3N" not in written
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    refused = [line for line in lines if line["event"].startswith("Invalid request from ip=127.0.0.1")]
    assert len(refused) == len(sent)
    assert all(line["error"].startswith("Invalid") for line in refused)


def test_what_the_portal_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    with serve(tmp_path, TRUSTED_PROXY_COUNT="1") as address:
        assert requests.get(f"{address}/health/ready/", headers=BEHIND_A_PROXY, timeout=10).ok
        written = sorted(tmp_path.glob("portal.sqlite3*"))
        assert written
        assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
