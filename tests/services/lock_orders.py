"""Requests that need the same rows, brought to where they would wait for each other.

A program: it is given the URL of an empty PostgreSQL database, and ends with an error if one of the requests does. The
threads are told apart by how many of them wait for a row.
"""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpRequest  # noqa: E402

from portal.accounts.models import Member  # noqa: E402
from portal.accounts.services import change_role  # noqa: E402
from portal.accounts.sessions.store import SessionStore  # noqa: E402
from portal.core.permissions import Role  # noqa: E402
from portal.saved_views.models import DefaultView, SavedView  # noqa: E402
from portal.saved_views.services import change_view, remove_view, set_default  # noqa: E402

REGION = "spo1"
threads = ThreadPoolExecutor(8)


def start(act: Callable[[], object], *, waiting: int) -> Future[object]:
    """Run the act in a thread, and return as soon as that many connections wait for a row."""

    def run() -> object:
        try:
            return act()
        finally:
            connection.close()

    started = threads.submit(run)
    wait_for_waiting(waiting)
    return started


def wait_for_waiting(number: int) -> None:
    ends_at = time.monotonic() + 20
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] == number:
                return
            assert time.monotonic() < ends_at, f"never {number} connections were waiting"
            time.sleep(0.01)


@dataclass
class Lock:
    """A transaction of another's that holds these rows from `held` until `may_end`."""

    rows: "models.QuerySet[Any]"
    held: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def hold(self) -> None:
        with transaction.atomic():
            list(self.rows.select_for_update())
            self.held.set()
            self.may_end.wait(20)


def finish(*started: Future[object]) -> None:
    for each in started:
        each.result(20)


def change_roles_while_an_admin_is_demoted() -> None:
    """Of two requests that change roles, one saw ada as an admin, the other one did not."""
    ada, bea, cem = (Member.objects.create_user(name, role=Role.ADMIN) for name in ("ada", "bea", "cem"))
    lock = Lock(Member.objects.filter(pk=ada.pk))
    with transaction.atomic():
        Member.objects.filter(pk=ada.pk).update(role=Role.VIEWER)
        holder = start(lock.hold, waiting=1)
        first = start(lambda: change_role(cem.pk, Role.VIEWER, by=bea, request=request()), waiting=2)
    wait_for_waiting(1)
    second = start(lambda: change_role(ada.pk, Role.OPERATOR, by=bea, request=request()), waiting=2)
    lock.may_end.set()
    finish(holder, first, second)


def remove_a_view_that_is_made_the_default() -> None:
    vera = Member.objects.create_user("vera", role=Role.OPERATOR)
    view = SavedView.objects.create(owner=vera, region=REGION, name="web", query="name=web")
    default = DefaultView.objects.create(member=vera, region=REGION, view=view)
    lock = Lock(DefaultView.objects.filter(pk=default.pk))
    holder = start(lock.hold, waiting=0)
    assert lock.held.wait(20)
    first = start(lambda: remove_view(view.pk, member=vera, region=REGION, request=request()), waiting=1)
    second = start(lambda: set_default(view.pk, member=vera, region=REGION), waiting=2)
    lock.may_end.set()
    finish(holder, first, second)


def change_a_view_that_is_made_the_default() -> None:
    wilma = Member.objects.create_user("wilma", role=Role.OPERATOR)
    view = SavedView.objects.create(owner=wilma, region=REGION, name="web", query="name=web")
    lock = Lock(SavedView.objects.filter(pk=view.pk))
    holder = start(lock.hold, waiting=0)
    assert lock.held.wait(20)
    first = start(lambda: set_default(view.pk, member=wilma, region=REGION), waiting=1)
    second = start(lambda: change_view(view, request=request()), waiting=2)
    lock.may_end.set()
    finish(holder, first, second)


def request() -> HttpRequest:
    made = HttpRequest()
    made.session = SessionStore()
    return made


if __name__ == "__main__":
    settings.DATABASES["default"]["NAME"] = urlsplit(sys.argv[1]).path[1:]
    call_command("migrate", verbosity=0)
    change_roles_while_an_admin_is_demoted()
    remove_a_view_that_is_made_the_default()
    change_a_view_that_is_made_the_default()
