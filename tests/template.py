"""The state of a portal that `make run` has started and stopped: set up once in a run of tests, and copied."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

from tests.deadlines import call_late
from tests.ports import find_free_port
from tests.unmeasured import leave_out_coverage

SECONDS_TO_START = 120
SECONDS_TO_STOP = 20
ROOT = Path(__file__).parent.parent


def set_up_once(folder: Path) -> Path:
    state = folder / "as make run leaves it"
    with (folder / "lock").open("w") as lock:
        # The workers of one run share it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (state / "ready").exists():
            set_up(state)
            (state / "ready").touch()
    return state


def set_up(state: Path) -> None:
    port, sandbox_port = find_free_port(), find_free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "portal.sandbox.demo", "--state", str(state), "--latency", "0"],
        cwd=ROOT,
        env=leave_out_coverage() | {"PORT": str(port), "SANDBOX_PORT": str(sandbox_port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process, call_late(process.kill, SECONDS_TO_START):  # fmt: skip
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("It shows the sandbox"):
                break
        else:
            raise AssertionError("".join(said))
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS_TO_STOP)
