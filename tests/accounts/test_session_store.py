"""What the session table contains, and that its contents cannot be used to sign in."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connections
from django.test import Client

from portal.accounts.models import Member, MemberSession
from portal.accounts.sessions.store import SessionStore
from tests.accounts.test_sessions import is_in, sign_in
from tests.test_settings import PRODUCTION

ROOT = Path(__file__).parent.parent.parent
COOKIE = settings.SESSION_COOKIE_NAME


def test_what_the_table_holds_opens_no_session(vera: Member) -> None:
    client = sign_in("vera")
    for row in MemberSession.objects.values():
        for value in row.values():
            thief = Client()
            thief.cookies[COOKIE] = str(value)
            assert not is_in(thief)
    assert is_in(client)


def test_the_id_in_the_cookie_stands_nowhere_in_the_database(vera: Member) -> None:
    key = sign_in("vera").cookies[COOKIE].value
    assert key not in repr(list(MemberSession.objects.values()))


@pytest.mark.django_db
@pytest.mark.parametrize("planted", ["", "x", "k" * 32, "é" * 40, "k" * 4000])
def test_an_id_that_no_one_was_given_is_not_taken_over(planted: str) -> None:
    store = SessionStore(planted)
    store["a"] = 1
    store.save()
    assert store.session_key != planted
    assert MemberSession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_asynchronous_code_meets_the_table_with_digests_too() -> None:
    async def use() -> str:
        store = SessionStore()
        await store.aset("a", 1)
        await store.asave()
        key = str(store.session_key)
        assert await SessionStore(key).aget("a") == 1
        assert await store.aexists(key)
        return key

    def run() -> None:
        key = async_to_sync(use)()
        assert SessionStore(key)["a"] == 1
        assert not MemberSession.objects.filter(session_key=key).exists()
        async_to_sync(SessionStore(key).adelete)()
        assert not MemberSession.objects.exists()

    # A thread of its own: browser tests that ran before leave an event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(30)
        pool.submit(connections.close_all).result(30)


def manage(folder: Path, *command: str) -> Any:
    environment = {name: os.environ[name] for name in os.environ if name.startswith(("PATH", "COVERAGE"))}
    database = {"DATABASE_URL": f"sqlite:///{folder / 'portal.sqlite3'}", "STATIC_ROOT": str(folder / "static")}
    answer = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment | PRODUCTION | database,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_who_is_signed_in_when_the_ids_are_hashed_stays_so(tmp_path: Path) -> None:
    there_and_back = """
from django.core.management import call_command
from django.db import connection
from portal.accounts.sessions.store import SessionStore

call_command("migrate", "accounts", "0003", verbosity=0)
connection.cursor().execute(
    "insert into accounts_membersession (session_key, session_data, expire_date, address, user_agent)"
    " values (%s, 'x', '2100-01-01', '', '')", ["k" * 32]
)
call_command("migrate", verbosity=0)
print(SessionStore().exists("k" * 32))
call_command("migrate", "accounts", "0003", verbosity=0)
print(connection.cursor().execute("select count(*) from accounts_membersession").fetchone())
"""
    assert manage(tmp_path, "shell", "--no-imports", "-c", there_and_back) == "True\n(0,)\n"


def test_what_a_command_writes_is_for_the_portals_user_alone(tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "contenttypes")
    assert (tmp_path / "portal.sqlite3").stat().st_mode & 0o777 == 0o600
