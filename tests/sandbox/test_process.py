"""`python -m portal.sandbox` as a separate process, and its command line."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from portal.sandbox.__main__ import main
from tests.deadlines import call_late
from tests.sandbox.conftest import Api

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "portal.sandbox")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_answers_and_stops_quickly_with_code_0(number: signal.Signals) -> None:
    command = (*COMMAND, "--port", "0", "--instances", "100000", "--rate-per-minute", "5")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        try:
            with call_late(process.kill, 120):
                address, *organizations = [process.stdout.readline() for _ in range(4)]
            match = re.search(r"http://127\.0\.0\.1:\d+", address)
            assert match
            assert organizations[0] == ("acme: token sandbox-acme-token, API key AKIASANDBOXACME:sandbox-acme-secret\n")
            answer = Api(match[0]).get("limit=1")
            assert answer.json()["meta"]["total"] == 100_000
            assert answer.headers["X-RateLimit-Limit"] == "5"
            process.send_signal(number)
            assert process.wait(30) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_it_serves_until_it_is_told_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    answers: list[int] = []

    def ask_and_stop() -> None:
        api = Api(f"http://127.0.0.1:{port}")
        while not answers:
            with contextlib.suppress(requests.ConnectionError):
                answers.append(api.page("limit=1")["meta"]["total"])
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask_and_stop, daemon=True)
    asking.start()
    try:
        main(["--port", str(port), "--instances", "7", "--latency", "0.01", "--settle", "0"])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert answers == [7]
    assert f"http://127.0.0.1:{port}, 7 instances" in capsys.readouterr().out


def test_it_starts_without_any_package_but_the_standard_library() -> None:
    code = (
        "import sys; import portal.sandbox.__main__; "
        "print(sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    assert found.stdout.strip() == "['__main__', 'portal']"


def test_a_taken_port_gives_one_sentence_and_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as stopped:
            main(["--port", str(port)])
    assert stopped.value.code == (
        f"The sandbox cannot start: port {port} on 127.0.0.1 cannot be used (address already in use)."
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--instances", "100001"],
        ["--instances", "many"],
        ["--latency", "-1"],
        ["--latency", "nan"],
        ["--settle", "soon"],
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err
