"""Starts the portal with a sandbox and three members who can sign in. This is what `make run` runs.

    python -m portal.sandbox.demo [--state FOLDER] [any option of python -m portal.sandbox]...

It uses only the portal's commands (`manage.py`, gunicorn) and imports none of its code. All state is in one folder;
delete it to start over.
"""

import argparse
import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from portal.sandbox.processes import Children, StopRequestedError, children

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
HIGHEST_PORT = 65535
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHON", "COVERAGE_"),
    *("PAGE_FRESH_SECONDS", "BYCLOUD_DEADLINE_SECONDS", "BYCLOUD_RATE_PER_MINUTE", "BYCLOUD_RATE_PER_HOUR"),
    *("REQUIRE_SECOND_FACTOR", "OIDC_", "SSO_ONLY", "FLEET_INDEX"),
)
SANDBOX_OPTIONS = ("--instances", "150", "--latency", "0.15")


class Command:
    """A `manage.py` command. `secret` is passed on standard input."""

    def __init__(self, *words: str, secret: str = "") -> None:
        self.words, self.secret = words, secret


@dataclass(frozen=True)
class DemoMember:
    """A member who exists from the first start, with their credential for the sandbox."""

    name: str
    role: str
    kind: str
    credential: str

    def list_commands(self, password: str) -> list[Command]:
        options = ("--region", "spo1", "--kind", self.kind)
        return [
            Command("add_member", self.name, "--role", self.role, secret=password),
            Command("set_credential", self.name, *options, secret=self.credential),
        ]


CAST = (
    DemoMember("ada", "admin", "bearer", "sandbox-acme-token"),
    DemoMember("otto", "operator", "api-key", "AKIASANDBOXACME:sandbox-acme-secret"),
    DemoMember("vera", "viewer", "bearer", "sandbox-acme-token"),
)


def main() -> int:
    # Files of this process and its children are readable by their owner only.
    os.umask(0o077)
    state, sandbox_options = read_arguments()
    port = read_port("PORT", 8000)
    if not is_free(port):
        refuse(f"port {port} is taken; PORT=8123 make run uses another one")
    sandbox_port = choose_sandbox_port(besides=port)
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    try:
        with children() as run:
            start(run, state, port=port, sandbox_port=sandbox_port, sandbox_options=sandbox_options)
            run.watch()
    except StopRequestedError:
        return 0


def start(run: Children, state: Path, *, port: int, sandbox_port: int, sandbox_options: list[str]) -> None:
    """Start the sandbox, the portal and its walk, after any missing setup, and print the address once it responds."""
    address, sandbox_address = f"http://{HOST}:{port}", f"http://{HOST}:{sandbox_port}"
    command = [sys.executable, "-m", "portal.sandbox", "--port", str(sandbox_port), *SANDBOX_OPTIONS, *sandbox_options]
    run.start("sandbox", command, environment=os.environ, log=state / f"sandbox-{sandbox_port}.log")
    with (state / "lock").open("w") as lock:
        # Two runs may share the folder on different ports; only one of them sets it up.
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = make_environment(state, port=port, sandbox_address=sandbox_address)
        passwords = set_up(run, state, environment, sandbox_address)
    command = [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi"]
    run.start("portal", command, environment=environment, log=state / f"portal-{port}.log")
    run.wait_until_it_answers(f"{address}/health/ready/")
    command = [sys.executable, str(ROOT / "manage.py"), "walk_fleets", "--forever"]
    run.start("walk", command, environment=environment, log=state / f"walk-{port}.log")
    say(describe(address, sandbox_address, passwords, state))


def set_up(run: Children, state: Path, environment: Mapping[str, str], sandbox_address: str) -> dict[str, str]:
    """Set up database, static files and, on the first start, the members. Returns their passwords.

    The passwords are written last and mark a complete setup; if they are missing, the setup starts over.
    """
    members, database = state / "members.json", state / "portal.sqlite3"
    commands = [Command("migrate"), Command("collectstatic", "--no-input")]
    is_first_start = not (members.exists() and database.exists())
    if is_first_start:
        say("First start: making the database, the members and their credentials …")
        for path in state.glob(f"{database.name}*"):
            path.unlink()
        passwords: dict[str, str] = {member.name: secrets.token_urlsafe(12) for member in CAST}
        commands += [command for member in CAST for command in member.list_commands(passwords[member.name])]
    # It verifies the credentials.
    run.wait_until_it_answers(f"{sandbox_address}/_sandbox/requests")
    manage(environment, *commands)
    if is_first_start:
        write_private(members, json.dumps(passwords, indent=2))
    else:
        passwords = json.loads(members.read_text(encoding="utf-8"))
    run.check()
    return passwords


def manage(environment: Mapping[str, str], *commands: Command) -> None:
    """Run `manage.py` commands, silent unless one fails."""
    answer = subprocess.run(  # noqa: S603
        [sys.executable, ROOT / "manage.py", "run_commands"],
        env=environment,
        input=json.dumps([[command.words, command.secret] for command in commands]),
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if answer.returncode:
        refuse((answer.stderr or answer.stdout).strip().removeprefix("CommandError: ").rstrip("."))


def make_environment(state: Path, *, port: int, sandbox_address: str) -> dict[str, str]:
    """The portal's settings for this run. No `.env` file is read, and only the variables in `INHERITED` are taken from
    the environment, so that a run on the sandbox can never use another deployment's database.
    """
    keys = {
        "secret_key": secrets.token_urlsafe(64),
        "credential_keys": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    for name, key in keys.items():
        if not (state / name).exists():
            write_private(state / name, key)
    settings = {
        "SECRET_KEY_FILE": str(state / "secret_key"),
        "CREDENTIAL_KEYS_FILE": str(state / "credential_keys"),
        "DATABASE_URL": f"sqlite:///{state / 'portal.sqlite3'}",
        "STATIC_ROOT": str(state / "static"),
        "PORT": str(port),
        "PUBLIC_URL": f"http://{HOST}:{port}",
        "PLAIN_HTTP": "1",
        "BYCLOUD_REGIONS": f"spo1={sandbox_address}",
    }
    # For manual use: ENV_FILE=.local/env .venv/bin/python manage.py ...
    write_private(state / "env", "".join(f"{name}='{value}'\n" for name, value in settings.items()))
    inherited = {name: value for name, value in os.environ.items() if name.startswith(INHERITED)}
    return inherited | {"ENV_FILE": os.devnull} | settings


def write_private(path: Path, text: str) -> None:
    """Write the file atomically, readable by its owner only."""
    draft = path.with_name(f"{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def read_arguments() -> tuple[Path, list[str]]:
    """The state folder, and the options for the sandbox."""
    parser = argparse.ArgumentParser(prog="python -m portal.sandbox.demo", description="The portal on its own sandbox.")
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="the folder that holds all state")
    ours, sandbox_options = parser.parse_known_args()
    return ours.state.resolve(), sandbox_options


def read_port(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT):
        refuse(f"{name} is {text!r}; it must be a number between 1 and {HIGHEST_PORT}")
    return int(text)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As gunicorn does: sockets of a previous run that are still closing do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            refuse(f"port {port} needs a privileged user; a port above 1023 does not")
        except OSError:
            return False
    return True


def choose_sandbox_port(*, besides: int) -> int:
    """SANDBOX_PORT, which must be free if it is set; else 9800, or any free port."""
    port = read_port("SANDBOX_PORT", 9800)
    if port != besides and is_free(port):
        return port
    if os.environ.get("SANDBOX_PORT", "").strip():
        refuse(f"the sandbox's port {port} is taken; SANDBOX_PORT chooses another one")
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        free_port: int = probe.getsockname()[1]
        return free_port


def refuse(problem: str) -> NoReturn:
    sys.exit(f"ByCloud Portal cannot start: {problem}.")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def describe(address: str, sandbox_address: str, passwords: Mapping[str, str], state: Path) -> str:
    folder = state.relative_to(ROOT) if state.is_relative_to(ROOT) else state
    sign_ins = [f"  {member.name:<6}{passwords[member.name]:<18}{member.role}" for member in CAST]
    return "\n".join(
        [
            "",
            f"ByCloud Portal is at {address}",
            "",
            *sign_ins,
            "",
            f"It shows the sandbox at {sandbox_address}. State and logs are in {folder}/. Ctrl-C stops all of them.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
