"""Starts what is measured: sandboxes, Redis, and the portal under gunicorn with a signed-in member."""

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import requests

from portal.sandbox.demo import HOST, Command, make_environment, manage
from portal.sandbox.processes import Children, children
from tests.benchmarks.processes import list_children
from tests.benchmarks.wire import Wire, sign_in, write_request
from tests.ports import find_free_port

NAME = "ada"
TOKEN = "sandbox-acme-token"
GUNICORN = ("-m", "gunicorn", "-c", "python:portal.gunicorn")
# Only the simulation is about the rate limit, and has its own; and pages stay fresh while one is measured.
ROOMY = {
    "BYCLOUD_RATE_PER_MINUTE": "1000000",
    "BYCLOUD_RATE_PER_HOUR": "1000000",
    "PAGE_FRESH_SECONDS": "3600",
}


@dataclass(frozen=True)
class Server:
    """A gunicorn that answers: where, who is signed in, its processes and its log."""

    url: str
    cookie: str
    pid: int
    log: Path

    @property
    def workers(self) -> list[int]:
        return list_children(self.pid)

    def connect(self) -> Wire:
        return Wire(self.url)

    def request(self, path: str, **headers: str) -> bytes:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return write_request(self.url, path, cookie=self.cookie, headers=given)


class Servers:
    """The processes of one benchmark. All end, and their folder goes, when `run_servers` ends."""

    def __init__(self, run: Children, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.password = secrets.token_urlsafe(16)
        self._environment: dict[str, str] = {}

    def start_sandbox(self, *, instances: int = 150, latency: float = 0.0) -> str:
        """A sandbox as a process of its own. Gives its URL."""
        port = find_free_port()
        options = ["--instances", str(instances), "--latency", str(latency), "--port", str(port)]
        limits = ["--rate-per-minute", "1000000", "--rate-per-hour", "1000000"]
        command = [sys.executable, "-m", "portal.sandbox", *options, *limits]
        self.run.start("sandbox", command, environment=os.environ, log=self.folder / f"sandbox-{port}.log")
        url = f"http://{HOST}:{port}"
        self.run.wait_until_it_answers(f"{url}/_sandbox/requests")
        return url

    def start_redis(self) -> str | None:
        """A Redis of its own, which keeps nothing. Gives its URL, or None where there is no Redis."""
        if not shutil.which("redis-server"):
            return None
        port = find_free_port()
        options = ["--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.run.start("Redis", ["redis-server", *options], environment=os.environ, log=self.folder / "redis.log")
        until = monotonic() + 10
        while monotonic() < until:
            with contextlib.suppress(OSError), Wire(f"http://{HOST}:{port}"):
                return f"redis://{HOST}:{port}/0"
            sleep(0.05)
        raise TimeoutError("Redis does not answer")

    def prepare(self, regions: Mapping[str, str], *, settings: str = "portal.settings", **environment: str) -> None:
        """The database, the static files, and a member with a credential for each region."""
        first = next(iter(regions.values()))
        self._environment = make_environment(self.folder, port=1, sandbox_address=first) | {
            "DJANGO_SETTINGS_MODULE": settings,
            "BYCLOUD_REGIONS": ",".join(f"{code}={url}" for code, url in regions.items()),
            **ROOMY,
            **environment,
        }
        manage(
            self._environment,
            Command("migrate", "--run-syncdb"),
            Command("collectstatic", "--no-input"),
            Command("add_member", NAME, "--role", "operator", secret=self.password),
            *(
                Command("set_credential", NAME, "--region", region, "--kind", "bearer", secret=TOKEN)
                for region in regions
            ),
        )

    def command(self, *words: str, secret: str = "") -> None:
        """One `manage.py` command in what was prepared."""
        manage(self._environment, Command(*words, secret=secret))

    def start_portal(self, *, cookie: str | None = None, **environment: str) -> Server:
        """The portal as production runs it. Without a cookie, the member signs in by the form."""
        port = find_free_port()
        pid_file, log = self.folder / f"portal-{port}.pid", self.folder / f"portal-{port}.log"
        self.run.start(
            "portal",
            [sys.executable, *GUNICORN, "--pid", str(pid_file), "portal.wsgi"],
            environment=self._environment | {"PORT": str(port)} | environment,
            log=log,
        )
        url = f"http://{HOST}:{port}"
        self.run.wait_until_it_answers(f"{url}/health/live/")
        pid = int(pid_file.read_text(encoding="ascii"))
        return Server(url, sign_in(url, NAME, self.password) if cookie is None else cookie, pid, log)


@contextlib.contextmanager
def run_servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="portal-benchmark-") as folder, children() as run:
        yield Servers(run, Path(folder))


def control(sandbox_url: str, method: str, path: str, body: Mapping[str, object] | None = None) -> requests.Response:
    """Script a sandbox."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, f"{sandbox_url}/_sandbox/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer


def count_requests(sandbox_url: str) -> int:
    """How often the API was asked since its log was last emptied."""
    return len(control(sandbox_url, "GET", "requests").json())


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
