"""Portals as in production, each a gunicorn with one worker, on one database with members."""

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import requests

from portal.sandbox.server import Sandbox
from tests.ports import find_free_port

ROOT = Path(__file__).parent.parent.parent
HOST = "127.0.0.1"
LIST = "/spo1/instances/"
SECONDS_TO_START = 60
# Name, role and ByCloud token; mira has none, and is there to be kept out.
CAST = (
    ("otto", "operator", "sandbox-acme-token"),
    ("vera", "viewer", "sandbox-globex-token"),
    ("mira", "viewer", ""),
)
MAKE_CAST = """
import json, sys
from django.core.management import call_command
from portal.accounts.models import Member
from portal.bycloud import BearerToken
from tests.credentials.rows import keep
given = json.load(sys.stdin)
call_command("migrate", verbosity=0)
for name, role, token in given["cast"]:
    member = Member.objects.create_user(name, password=given["password"], role=role)
    if token:
        keep(member, BearerToken(token))
"""
# Out of the way of the tests; those about the rate limit set their own.
ROOMY = {
    "BYCLOUD_RATE_PER_MINUTE": "1000000",
    "BYCLOUD_RATE_PER_HOUR": "1000000",
    "PAGE_FRESH_SECONDS": "3600",
}


@dataclass(frozen=True)
class Portal:
    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def get(self, path: str, cookie: str = "", **headers: str) -> requests.Response:
        """A page as the owner of the cookie sees it; redirects are not followed."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with open_session() as session:
            return session.get(self.url + path, headers={"Cookie": cookie} | given, timeout=60, allow_redirects=False)

    def try_to_sign_in(self, name: str, password: str) -> tuple[requests.Response, str]:
        """Fill in the form. The answer, and the cookie from then on."""
        with open_session() as session:
            form = session.get(f"{self.url}/sign-in/", timeout=60)
            fields = {"login": name, "password": password, "csrfmiddlewaretoken": read_token(form.text)}
            answer = session.post(f"{self.url}/sign-in/", data=fields, allow_redirects=False, timeout=60)
            return answer, "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)

    def post(self, path: str, page: requests.Response, cookie: str, **fields: str) -> requests.Response:
        """Send a form of a page that was got before."""
        fields["csrfmiddlewaretoken"] = read_token(page.text)
        cookie += "".join(f"; {one.name}={one.value}" for one in page.cookies)
        with open_session() as session:
            return session.post(
                self.url + path, data=fields, headers={"Cookie": cookie}, timeout=60, allow_redirects=False
            )

    def kill(self) -> None:
        """All its processes at once, with no time for last words."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


@dataclass
class Deployment:
    """What portals share. `secrets` are all words that may stand nowhere but where they belong."""

    database_url: str
    folder: Path
    static: Path
    sandbox: Sandbox
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(64))
    credential_key: str = field(default_factory=lambda: urlsafe_b64encode(secrets.token_bytes(32)).decode())
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PATH", "LANG"))}
        return kept | ROOMY | {
            "ENV_FILE": os.devnull,
            "SECRET_KEY": self.secret_key,
            "CREDENTIAL_KEYS": self.credential_key,
            "PLAIN_HTTP": "1",
            "DATABASE_URL": self.database_url,
            "STATIC_ROOT": str(self.static),
            "BYCLOUD_REGIONS": f"spo1={self.sandbox.url}",
        }  # fmt: skip

    def manage(self, *command: str, text: str = "") -> None:
        answer = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONPATH": str(ROOT)},
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr

    @contextlib.contextmanager
    def open_portals(self, count: int, **environment: str) -> Iterator[list[Portal]]:
        """So many portals, which know how many they are. All of their processes have ended afterwards."""
        with contextlib.ExitStack() as doors:
            portals = [
                doors.enter_context(self._start({"PORTAL_PROCESSES": str(count)} | environment)) for _ in range(count)
            ]
            for portal in portals:
                wait_until_ready(portal)
            yield portals

    @contextlib.contextmanager
    def _start(self, environment: dict[str, str]) -> Iterator[Portal]:
        port = find_free_port()
        log = self.folder / f"portal-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi"],
                cwd=ROOT,
                env=self.environment | {"PORT": str(port)} | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        portal = Portal(f"http://{HOST}:{port}", process, log)
        try:
            yield portal
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            portal.kill()

    def forget_throttles(self) -> None:
        """What other tests have tried in vain is counted against no one."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute("DELETE FROM accounts_count")

    def sign_in(self, portal: Portal, name: str) -> str:
        """The cookie of a member who has signed in. Good for all portals of the deployment."""
        if name not in self.cookies:
            answer, cookie = portal.try_to_sign_in(name, self.password)
            assert answer.status_code == 302, answer.text
            self.cookies[name] = cookie
        return self.cookies[name]


@contextlib.contextmanager
def open_deployment(database_url: str, folder: Path, static: Path) -> Iterator[Deployment]:
    with Sandbox(instances=150) as sandbox:
        deployment = Deployment(database_url, folder, static, sandbox)
        deployment.manage("shell", "-c", MAKE_CAST, text=json.dumps({"cast": CAST, "password": deployment.password}))
        yield deployment


def open_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def read_token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, page
    return found[1]


def list_ids(page: requests.Response) -> list[str]:
    """The instances in the table, in order."""
    return re.findall(r'<tr data-instance-id="([^"]*)"', page.text)


def wait_until_ready(portal: Portal) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and portal.process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if portal.get("/health/ready/").status_code == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(portal.log.read_text(encoding="utf-8"))
