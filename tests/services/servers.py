"""Real servers for a test run: Debian's PostgreSQL and Redis, on loopback, in folders of their own."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from tests.ports import find_free_port

HOST = "127.0.0.1"
SECONDS_TO_START = 30
# Nothing here outlives the run, so nothing has to reach a disk. Statistics of tables that are rolled back mislead.
IN_A_HURRY = tuple(f"--{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"))


class NotInstalledError(Exception):
    """The text says what to install."""


@dataclass(frozen=True)
class PostgreSQL:
    """A cluster whose superuser signs in with a password. `programs` is the folder of `pg_dump` and the others."""

    port: int
    password: str
    programs: Path

    def url(self, database: str) -> str:
        """What `DATABASE_URL` says of a database here."""
        return f"postgres://postgres:{self.password}@{HOST}:{self.port}/{database}"

    def make_database(self) -> str:
        """An empty database. Gives its URL."""
        name = f"portal_{secrets.token_hex(4)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self.url(name)


@dataclass
class Redis:
    """A server on a port of its own, with a password, that keeps nothing: after `stop` and `start` it is empty."""

    folder: Path
    port: int = field(default_factory=find_free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """What `CACHE_URL` says of it."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def connect(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def clear(self) -> None:
        with self.connect() as client:
            client.flushall()

    def start(self) -> None:
        options = [
            "--port",
            str(self.port),
            "--bind",
            HOST,
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen(
            [find_redis(), *options, *self.options, "--requirepass", self.password],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            with contextlib.suppress(redis.RedisError), self.connect() as client:
                client.ping()
                return
            time.sleep(0.02)
        raise TimeoutError("Redis does not answer")

    def stop(self) -> None:
        """As a crash would: at once, and for good."""
        if self.process:
            self.process.kill()
            self.process.wait(SECONDS_TO_START)

    def hang(self) -> None:
        """It keeps its connections and answers no one."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def run_redis(*options: str) -> Iterator[Redis]:
    """Raises `NotInstalledError`."""
    find_redis()
    with tempfile.TemporaryDirectory(prefix="portal-redis-") as folder:
        server = Redis(Path(folder), options=options)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def run_postgresql() -> Iterator[PostgreSQL]:
    """Raises `NotInstalledError`. PostgreSQL refuses to run as root, so there it runs as Debian's user `postgres`."""
    programs = find_postgresql()
    user = "postgres" if os.geteuid() == 0 else None
    password = secrets.token_hex(16)
    port = find_free_port()
    # Not among pytest's folders, which are closed to other users.
    with tempfile.TemporaryDirectory(prefix="portal-postgresql-") as folder:
        data, password_file, log = Path(folder, "data"), Path(folder, "password"), Path(folder, "log")
        password_file.write_text(password, encoding="ascii")
        if user:
            for path in (folder, password_file):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        access = ["--username", "postgres", "--auth", "scram-sha-256", "--pwfile", str(password_file)]
        # A locale that knows upper and lower case of all letters, as a server in use has one.
        locale = ["--encoding", "UTF8", "--locale", "C.UTF-8"]
        _run([programs / "initdb", "--pgdata", data, *locale, "--no-sync", *access], user)
        where = ["-D", data, "-p", port, "-c", f"listen_addresses={HOST}", "-c", f"unix_socket_directories={folder}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(word) for word in (programs / "postgres", *where, *IN_A_HURRY)],
                user=user,
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        server = PostgreSQL(port, password, programs)
        try:
            _wait_for_postgresql(server, process, log)
            yield server
        finally:
            # Fast shutdown: it ends the connections that tests have left.
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS_TO_START)


def find_redis() -> str:
    path = shutil.which("redis-server")
    if path is None:
        raise NotInstalledError("no redis-server is installed (on Debian and Ubuntu: apt install redis-server)")
    return path


def find_postgresql() -> Path:
    """The folder of the newest version's programs: Debian keeps them off the path."""
    found = [Path("/usr/lib/postgresql", version, "bin") for version in _list_versions()]
    on_path = shutil.which("postgres")
    found += [Path(on_path).resolve().parent] if on_path else []
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NotInstalledError("no PostgreSQL server is installed (on Debian and Ubuntu: apt install postgresql)")


def _list_versions() -> list[str]:
    return sorted((path.name for path in Path("/usr/lib/postgresql").glob("[0-9]*")), key=float, reverse=True)


def _run(command: Sequence[object], user: str | None) -> None:
    answer = subprocess.run(
        [str(word) for word in command], user=user, cwd="/", capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def _wait_for_postgresql(server: PostgreSQL, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.url("postgres")):
            return
        time.sleep(0.05)
    raise TimeoutError(f"PostgreSQL does not answer: {log.read_text(encoding='utf-8', errors='replace')}")
