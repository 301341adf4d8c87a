"""`make run` without make: what it prints, what it stores, what it cleans up."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from portal.sandbox import demo
from tests.deadlines import call_late

ROOT = Path(__file__).parent.parent.parent


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def start_demo(state: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "portal.sandbox.demo", "--state", str(state), "--latency", "0"],
        cwd=ROOT,
        env=os.environ | {"SECRET_KEY": "short", "DATABASE_URL": "postgres://nowhere/"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until_ready(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    said = ""
    with call_late(process.kill, 120):
        for line in process.stdout:
            said += line
            if line.startswith("It shows the sandbox"):
                return said
    assert process.stderr
    raise AssertionError(said + process.stderr.read())


def read_sign_ins(said: str) -> dict[str, tuple[str, str]]:
    return {
        name: (password, role) for name, password, role in re.findall(r"^  (\w+) +(\S+) +(\w+)$", said, re.MULTILINE)
    }


NAMES = {"gunicorn": "portal", "walk_fleets": "walk"}


def list_children(pid: int) -> dict[str, int]:
    """The processes that `pid` started, by what they run."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text(encoding="utf-8")
        except OSError:
            continue
        if parent == pid:
            name = next((name for word, name in NAMES.items() if word in command), "sandbox")
            found[name] = int(folder.name)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_run_from_the_first_start_to_the_second(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ports = {"PORT": str(find_free_port()), "SANDBOX_PORT": str(find_free_port())}
    with start_demo(state, **ports) as process:
        said = read_until_ready(process)
        sign_ins = read_sign_ins(said)
        assert {name: role for name, (_, role) in sign_ins.items()} == {
            "ada": "admin",
            "otto": "operator",
            "vera": "viewer",
        }
        assert f"ByCloud Portal is at http://127.0.0.1:{ports['PORT']}\n" in said
        assert requests.get(f"http://127.0.0.1:{ports['PORT']}/sign-in/", timeout=10).status_code == 200
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert {stat.S_IMODE((state / name).stat().st_mode) for name in ("secret_key", "members.json", "env")} == {
            0o600
        }
        written = [path for path in state.rglob("*") if state / "static" not in path.parents]
        assert {"portal.sqlite3", "static", "lock"} <= {path.name for path in written}
        assert [path for path in written if path.stat().st_mode & 0o077] == []
        started = list_children(process.pid)
        assert set(started) == {"portal", "sandbox", "walk"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in started.values())

    with start_demo(state, **ports) as process:
        said = read_until_ready(process)
        assert "First start" not in said
        assert read_sign_ins(said) == sign_ins
        started = list_children(process.pid)
        os.kill(started["portal"], signal.SIGKILL)
        assert process.wait(20) == 1
        assert process.stderr
        assert process.stderr.read().startswith("The portal stopped by itself (signal 9); ")
    assert not any(Path(f"/proc/{pid}").exists() for pid in started.values())


def test_a_taken_port_is_said_in_one_sentence_before_anything_is_started(tmp_path: Path) -> None:
    with taken_port() as port, start_demo(tmp_path / "state", PORT=str(port)) as process:
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output == ""
    assert errors == f"ByCloud Portal cannot start: port {port} is taken; PORT=8123 make run uses another one.\n"
    assert not (tmp_path / "state").exists()


def test_a_port_that_is_no_number_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("http", "0", "65536", "-1", "8 000", "٨٠٠٠"):
        monkeypatch.setenv("PORT", value)
        with pytest.raises(SystemExit, match=r"PORT is .*; it must be a number between 1 and 65535"):
            demo.read_port("PORT", 8000)


def test_the_port_is_the_default_when_it_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert demo.read_port("PORT", 8000) == 8000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use any port")
def test_a_port_for_root_alone_is_said_in_one_sentence() -> None:
    with pytest.raises(SystemExit, match="port 80 needs a privileged user"):
        demo.is_free(80)


def test_the_sandbox_takes_its_port_or_any_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    port = find_free_port()
    monkeypatch.setenv("SANDBOX_PORT", str(port))
    assert demo.choose_sandbox_port(besides=8000) == port
    with taken_port() as taken:
        monkeypatch.setenv("SANDBOX_PORT", str(taken))
        with pytest.raises(SystemExit, match=f"the sandbox's port {taken} is taken"):
            demo.choose_sandbox_port(besides=8000)
    monkeypatch.delenv("SANDBOX_PORT")
    assert demo.choose_sandbox_port(besides=9800) != 9800


def test_a_command_that_fails_is_named_with_its_reason(tmp_path: Path) -> None:
    environment = demo.make_environment(tmp_path, port=8000, sandbox_address="http://127.0.0.1:9800")
    with pytest.raises(SystemExit, match=r"manage.py set_nothing failed: Unknown command: 'set_nothing'"):
        demo.manage(environment, demo.Command("set_nothing"))


def test_nothing_of_another_deployment_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", "/run/secrets/database")
    monkeypatch.setenv("BYCLOUD_PROXY", "http://proxy.example.com")
    environment = demo.make_environment(tmp_path, port=8000, sandbox_address="http://127.0.0.1:9800")
    assert not {"DATABASE_URL_FILE", "BYCLOUD_PROXY"} & set(environment)
    assert environment["ENV_FILE"] == os.devnull
    assert environment["DATABASE_URL"] == f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    assert f"PORT='{environment['PORT']}'\n" in (tmp_path / "env").read_text(encoding="utf-8")
