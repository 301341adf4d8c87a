"""Child processes stop together with their parent, however it ends."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from portal.sandbox import processes as module
from portal.sandbox.processes import Children, StopRequestedError, children

WAITS = [sys.executable, "-c", "import time; time.sleep(60)"]
IGNORES_TERM = [
    sys.executable,
    "-c",
    "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start(run: Children, name: str, command: list[str], tmp_path: Path) -> int:
    return run.start(name, command, environment=os.environ, log=tmp_path / f"{name}.log")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_child(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def run_until_stopped() -> None:
        with children() as run:
            pids.extend(start(run, name, WAITS, tmp_path) for name in ("one", "two"))
            os.kill(os.getpid(), number)
            run.watch()

    pids: list[int] = []
    with pytest.raises(StopRequestedError):
        run_until_stopped()
    assert not any(map(is_alive, pids))
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("code", "how"),
    [("print('no luck'); exit(3)", "exit status 3"), ("import os; os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_child_that_dies_is_named_with_its_last_words_and_ends_the_run(tmp_path: Path, code: str, how: str) -> None:
    def run_until_dead() -> None:
        with children() as run:
            pids.append(start(run, "first", WAITS, tmp_path))
            pids.append(start(run, "second", [sys.executable, "-c", code], tmp_path))
            run.watch()

    pids: list[int] = []
    with pytest.raises(SystemExit) as stop:
        run_until_dead()
    first, *rest = str(stop.value.code).splitlines()
    assert first == f"The second stopped by itself ({how}); {tmp_path / 'second.log'}:"
    assert rest == (["no luck"] if "luck" in code else [])
    assert not any(map(is_alive, pids))


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_STOP", 0.2)
    with children() as run:
        pid = start(run, "deaf", IGNORES_TERM, tmp_path)
        while "ready" not in (tmp_path / "deaf.log").read_text(encoding="utf-8"):
            run.check()
    assert not is_alive(pid)


def test_what_never_answers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_START", 0.2)
    with socket.socket() as silent, children() as run:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        start(run, "silent", WAITS, tmp_path)
        with pytest.raises(SystemExit) as stop:
            run.wait_until_it_answers(url)
    assert str(stop.value.code) == f"{url} did not answer within 0.2 seconds; see {tmp_path / 'silent.log'}."
