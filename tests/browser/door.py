"""Test hooks in the portal for browser tests: they add members, and reset the database and the caches. Runs in the
portal's process; `tests/browser/portal.py` calls them.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from threading import Condition

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from portal.accounts.models import Member
from portal.bycloud import ApiKey, BearerToken
from portal.credentials.models import Kind
from tests.credentials.rows import keep
from tests.memory import forget_everything

PATH = "/door/"
# Longer than any request to ByCloud.
SECONDS_TO_END = 15


class DoorMiddleware:
    """Counts what is under way, so that nothing of one test is written into the beginning of the next."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.changed = Condition()
        self.under_way = 0

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(PATH):
            return self._act(request.path.removeprefix(PATH), json.loads(request.body))
        with self.changed:
            self.under_way += 1
        try:
            return self.get_response(request)
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    def _act(self, act: str, given: dict[str, str]) -> HttpResponse:
        if act == "members":
            add_member(**given)
        elif act == "save":
            copy(database(), given["snapshot"])
        elif act == "begin":
            with self.changed:
                if not self.changed.wait_for(lambda: self.under_way == 0, SECONDS_TO_END):
                    return HttpResponse("A request of the test before is still under way.", status=503)
                copy(given["snapshot"], database())
                forget_everything()
        return HttpResponse(status=204)


def add_member(name: str, role: str, password: str, kind: str, secret: str) -> None:
    member = Member.objects.create_user(name, password=password, role=role)
    if secret:
        key_id, _, key = secret.partition(":")
        keep(member, BearerToken(secret) if kind == Kind.BEARER else ApiKey(key_id, key))


def database() -> str:
    return str(settings.DATABASES["default"]["NAME"])


def copy(one: str, other: str) -> None:
    """The one database's content into the other; those who have it open see the change."""
    with closing(sqlite3.connect(one)) as source, closing(sqlite3.connect(other, timeout=10)) as target:
        source.backup(target)
