"""Test hooks in the portal for browser tests: they add members, fill the index, and reset the database and the
caches. Runs in the portal's process; `tests/browser/portal.py` calls them.
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
from portal.fleet.models import IndexedFleet
from portal.fleet.walk import make_step
from portal.gateway import ApiSession
from tests.browser import HOOKS
from tests.credentials.rows import find_credential, keep
from tests.fleet.snapshots import Snapshot
from tests.memory import forget_everything

# Longer than any request to ByCloud.
SECONDS_TO_END = 15
# What has been read once, by the scope of its fleet.
SNAPSHOTS: dict[str, Snapshot] = {}


class HooksMiddleware:
    """Counts requests under way, so that none of one test writes into the database of the next."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.changed = Condition()
        self.under_way = 0

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(HOOKS):
            return self._run(request.path.removeprefix(HOOKS), json.loads(request.body))
        with self.changed:
            self.under_way += 1
        try:
            return self.get_response(request)
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    def _run(self, name: str, given: dict[str, str]) -> HttpResponse:
        if name == "members":
            add_member(**given)
        elif name == "fleet":
            read_fleet(**given)
        elif name == "save":
            copy_database(find_database(), given["snapshot"])
        elif name == "begin":
            with self.changed:
                if not self.changed.wait_for(lambda: self.under_way == 0, SECONDS_TO_END):
                    return HttpResponse("A request of the test before is still under way.", status=503)
                copy_database(given["snapshot"], find_database())
                forget_everything()
        return HttpResponse(status=204)


def add_member(name: str, role: str, password: str, kind: str, secret: str) -> None:
    member = Member.objects.create_user(name, password=password, role=role)
    if secret:
        key_id, _, key = secret.partition(":")
        keep(member, BearerToken(secret) if kind == Kind.BEARER else ApiKey(key_id, key))


def read_fleet(name: str) -> None:
    """Walk through what the member sees: once, and afterwards from memory."""
    member, region = Member.objects.get(username=name), next(iter(settings.BYCLOUD_REGIONS.values()))
    credential = find_credential(member, region)
    assert credential
    session = ApiSession(region, credential, member_id=str(member.pk))

    def walk() -> None:
        while not IndexedFleet.objects.filter(baseline_at__isnull=False).exists():
            make_step(session, is_urgent=True)

    SNAPSHOTS.setdefault(session.cache_namespace, Snapshot()).restore(walk)


def find_database() -> str:
    return str(settings.DATABASES["default"]["NAME"])


def copy_database(one: str, other: str) -> None:
    """Copy the content of one database into the other. Open connections see the change."""
    with closing(sqlite3.connect(one)) as source, closing(sqlite3.connect(other, timeout=10)) as target:
        source.backup(target)
