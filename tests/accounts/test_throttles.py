"""Throttle counters: stored in the database, updated atomically, deleted once expired."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests
import time_machine
from django.core.cache import BaseCache, caches
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.accounts.models import Count, Member
from tests.test_gunicorn import COMMAND, ROOT, make_environment

PASSWORD = "a-long-enough-password"


@pytest.fixture
def cache(db: None) -> BaseCache:
    return caches["default"]


def test_it_is_a_cache(cache: BaseCache) -> None:
    assert cache.get("one") is None
    assert cache.get("one", 7) == 7
    cache.set("one", [1.5, "a", None], 60)
    assert cache.get("one") == [1.5, "a", None]
    assert not cache.add("one", 2)
    assert cache.add("two", 2)
    assert cache.incr("two") == 3
    assert (cache.get("two"), cache.get_many(["one", "three"])) == (3, {"one": [1.5, "a", None]})
    assert cache.touch("two", 60)
    assert not cache.touch("three", 60)
    assert cache.delete("two")
    assert not cache.delete("two")
    with pytest.raises(ValueError, match="not found"):
        cache.incr("two")
    cache.set("for-ever", 1, None)
    cache.clear()
    assert not Count.objects.exists()


def test_what_is_over_is_as_if_it_had_never_been(cache: BaseCache, clock: time_machine.Traveller) -> None:
    cache.set("one", 1, 60)
    clock.shift(timedelta(seconds=61))
    assert cache.get("one") is None
    assert not cache.touch("one")
    assert cache.add("one", 2, 60)
    assert cache.get("one") == 2


def test_what_is_over_goes_as_others_are_counted(cache: BaseCache, clock: time_machine.Traveller) -> None:
    for number in range(50):
        cache.set(f"old-{number}", 1, 60)
    clock.shift(timedelta(seconds=61))
    cache.set("new", 1, 60)
    assert list(Count.objects.values_list("key", flat=True)) == [":1:new"]


def test_what_was_over_and_is_counted_anew_meanwhile_stays(cache: BaseCache, clock: time_machine.Traveller) -> None:
    cache.set("one", 1, 60)
    clock.shift(timedelta(seconds=61))

    def count_meanwhile(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if sql.startswith("DELETE"):
            # Another request, between the moment when what is over was looked for and the one when it goes.
            Count.objects.update(value="2", expires_at=timezone.now() + timedelta(seconds=60))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count_meanwhile):
        cache.set("two", 1, 60)
    assert cache.get("one") == 2


def test_one_address_makes_a_few_rows_however_many_names_it_types(client: Client, vera: Member) -> None:
    for number in range(60):
        client.post("/sign-in/", {"login": f"name-{number}", "password": "wrong"})
        client.post("/password/forgotten/", {"login": f"name-{number}"})
    assert Count.objects.count() < 40


def wait_until(port: int, *, is_open: bool) -> None:
    ends_at = monotonic() + 60
    while monotonic() < ends_at:
        with socket.socket() as probe:
            if (probe.connect_ex(("127.0.0.1", port)) == 0) is is_open:
                return
        sleep(0.05)


@contextmanager
def serve(environment: dict[str, str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(port, is_open=True)
            yield process
        finally:
            process.kill()
            process.wait(20)


def sign_in(address: str, password: str) -> requests.Response:
    with requests.Session() as session:
        page = session.get(f"{address}/sign-in/", timeout=30)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert found
        form = {"login": "vera", "password": password, "csrfmiddlewaretoken": found[1]}
        return session.post(f"{address}/sign-in/", form, allow_redirects=False, timeout=30)


def test_a_throttle_holds_over_the_end_of_the_process(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = make_environment(
        PORT=str(port), DATABASE_URL=f"sqlite:///{tmp_path / 'portal.sqlite3'}", PLAIN_HTTP="1", ALLOWED_HOSTS=""
    ) | {"STATIC_ROOT": str(tmp_path / "static"), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    environment |= {"PUBLIC_URL": f"http://127.0.0.1:{port}"}
    for command in (
        ("migrate", "-v0"),
        ("collectstatic", "--no-input", "-v0"),
        ("add_member", "vera", "--role", "viewer"),
    ):
        given = PASSWORD if command[0] == "add_member" else None
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            input=given,
            text=True,
            check=True,
            timeout=120,
        )
    address = f"http://127.0.0.1:{port}"
    with serve(environment, port) as process:
        for _ in range(5):
            assert sign_in(address, "wrong").status_code == 200
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        os.kill(process.pid, signal.SIGKILL)
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)
        wait_until(port, is_open=False)
    with serve(environment, port):
        refused = sign_in(address, PASSWORD)
    assert refused.status_code == 200
    assert "Too many failed attempts" in refused.text
