"""Child processes that are started, watched and stopped by one parent, so that none is left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SECONDS_TO_START = 60
SECONDS_TO_STOP = 5
LAST_LINES = 15
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(Exception):
    """Ctrl-C, a closed terminal or SIGTERM."""


@dataclass(frozen=True)
class _Child:
    name: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def last_words(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]


class Children:
    """The processes of one run. Signal handlers only set a flag, so that every started process is recorded."""

    def __init__(self) -> None:
        self._children: list[_Child] = []
        self._stop_requested = threading.Event()

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> int:
        """Start a process in its own session, so that Ctrl-C reaches it only through the parent. Returns its id."""
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(_Child(name, log, process))
        return process.pid

    def wait_until_it_answers(self, url: str) -> None:
        """Return when `url` answers 200; exit if a child dies first or after a minute."""
        until = time.monotonic() + SECONDS_TO_START
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < until:
            self.check()
            with contextlib.suppress(urllib.error.URLError, OSError), direct.open(url, timeout=2):
                return
            time.sleep(0.05)
        sys.exit(f"{url} did not answer within {SECONDS_TO_START} seconds; see {self._children[-1].log}.")

    def check(self) -> None:
        """Raise `StopRequestedError` after a signal; exit with its name if a child has died."""
        if self._stop_requested.is_set():
            raise StopRequestedError
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                how = f"signal {-code}" if code < 0 else f"exit status {code}"
                sys.exit("\n".join([f"The {child.name} stopped by itself ({how}); {child.log}:", *child.last_words()]))

    def watch(self) -> NoReturn:
        while True:
            self.check()
            time.sleep(0.2)

    def request_stop(self, *_signal_and_frame: object) -> None:
        self._stop_requested.set()

    def stop(self) -> None:
        for child in self._children:
            child.process.terminate()
        until = time.monotonic() + SECONDS_TO_STOP
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, until - time.monotonic()))
            # The whole session: gunicorn's workers outlive a master that was killed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()


@contextlib.contextmanager
def children() -> Iterator[Children]:
    """A run's processes. All of them are stopped at the end of the block, also after an exception."""
    run = Children()
    before = {number: signal.signal(number, run.request_stop) for number in STOPS}
    try:
        yield run
    finally:
        run.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
