"""The production command, asked by gunicorn itself what it would do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_settings import PRODUCTION

ROOT = Path(__file__).parent.parent


def ask_gunicorn(**environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi", "--print-config"],
        cwd=ROOT,
        env={name: os.environ[name] for name in os.environ if name.startswith(("PATH", "COVERAGE"))}
        | PRODUCTION
        | environment,
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
    assert (configuration["workers"], configuration["threads"]) == ("1", "32")
    assert configuration["worker_class"] == "gthread"
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
