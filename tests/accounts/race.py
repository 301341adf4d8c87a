"""Runs threads that act at the same time. A program of its own: NAME=URL says which race is run on
which empty database.

Prints the results as JSON. The other tests use an in-memory database with a single connection, which has no races.
"""

import json
import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

import django

django.setup()

from allauth.mfa.models import Authenticator  # noqa: E402
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes  # noqa: E402
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.test import Client, RequestFactory  # noqa: E402

from portal.accounts.models import Invitation, Member  # noqa: E402
from portal.accounts.passwords.services import make_link  # noqa: E402
from portal.accounts.services import make_invitation  # noqa: E402
from portal.audit.models import Event  # noqa: E402
from portal.core.permissions import Role  # noqa: E402
from tests.accounts.codes import make_code  # noqa: E402

PASSWORD = "a-long-enough-password"
ROUNDS = 5


def run_at_once(acts: list[Callable[[], int]]) -> list[int]:
    """Each act in a thread of its own, all let go at once; their answers, in order. Raises what an act raises."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], int]) -> int:
        start.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def race_last_admin(action: str) -> object:
    """Two admins take the rights from each other, and each from themselves; how many are left, round by round."""
    ada, bea = (Member.objects.create_user(name, password=PASSWORD, role=Role.ADMIN) for name in ("ada", "bea"))
    left, answers = [], []
    for _ in range(ROUNDS):
        Member.objects.filter(pk__in=[ada.pk, bea.pk]).update(role=Role.ADMIN, is_active=True)
        acts: list[Callable[[], int]] = [
            partial(post, enter_and_prove(by), f"/team/{target.pk}/{action}/", role="viewer")
            for by in (ada, bea)
            for target in (ada, bea)
        ]
        answers.append(run_at_once(acts))
        left.append(Member.objects.filter(role=Role.ADMIN, is_active=True).count())
    return {"left": left, "answers": answers}


def race_invitation() -> object:
    """Four people open one link at once; how many joined, round by round."""
    ada = Member.objects.create_user("ada", password=PASSWORD, role=Role.ADMIN)
    joined, answers = [], []
    for number in range(ROUNDS):
        before = Member.objects.count()
        token = make_invitation(Invitation(name="Eve"), by=ada, request=HttpRequest())
        names = [f"eve-{number}-{place}" for place in range(4)]
        answers.append(run_at_once([partial(accept, token, name) for name in names]))
        joined.append(Member.objects.count() - before)
    return {"joined": joined, "answers": answers, "activated": Event.objects.filter(act="member-activated").count()}


def race_user_name() -> object:
    """Two invitations, one user name, at once."""
    ada = Member.objects.create_user("ada", password=PASSWORD, role=Role.ADMIN)
    tokens = [make_invitation(Invitation(name="Eve"), by=ada, request=HttpRequest()) for _ in range(2)]
    answers = run_at_once([partial(accept, token, "eve") for token in tokens])
    return {"joined": Member.objects.count() - 1, "answers": [answers], "pending": Invitation.objects.pending().count()}


def race_last_factor() -> object:
    """A member who needs a second factor removes both of theirs at once; how many are left, round by round."""
    settings.REQUIRE_SECOND_FACTOR = "everybody"
    vera = Member.objects.create_user("vera", password=PASSWORD)
    left, answers = [], []
    for _ in range(ROUNDS):
        Authenticator.objects.all().delete()
        clients = [enter_and_prove(vera) for _ in range(2)]
        keys = [Authenticator.objects.create(user=vera, type="webauthn", data={"name": name}).pk for name in "ab"]
        paths = [f"/second-factor/{key}/remove/" for key in keys]
        answers.append(run_at_once([partial(post, *each) for each in zip(clients, paths, strict=True)]))
        left.append(Authenticator.objects.count())
    return {"left": left, "answers": answers}


def race_code(kind: str) -> object:
    """Four browsers, each past the password, send one and the same code at once; how many got in, round by round."""
    vera = Member.objects.create_user("vera", password=PASSWORD)
    secret = generate_totp_secret()
    TOTP.activate(vera, secret)
    codes = RecoveryCodes.activate(vera)
    inside = []
    for number in range(ROUNDS):
        cache.clear()
        clients = [Client() for _ in range(4)]
        for client in clients:
            post(client, "/sign-in/", login="vera", password=PASSWORD)
        code = make_code(secret) if kind == "app" else codes.generate_codes()[number]
        run_at_once([partial(post, client, "/sign-in/second-factor/", code=code) for client in clients])
        inside.append(sum("_auth_user_id" in client.session for client in clients))
    return {"inside": inside}


def enter_and_prove(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    client.post("/second-factor/again/", {"password": PASSWORD})
    return client


def race_password_link() -> object:
    """Four people open one link for a new password at once; how many passwords were set, round by round."""
    ada = Member.objects.create_user("ada", password=PASSWORD, role=Role.ADMIN)
    vera = Member.objects.create_user("vera", password=PASSWORD)
    answers, kept = [], []
    for number in range(ROUNDS):
        vera.refresh_from_db()
        request = RequestFactory().get("/", HTTP_HOST="localhost")
        path = urlsplit(make_link(vera, by=ada, request=request)).path
        words = [f"new-password-{number}-{place}" for place in range(4)]
        acts: list[Callable[[], int]] = [
            partial(post, Client(), path, new_password1=word, new_password2=word) for word in words
        ]
        answers.append(run_at_once(acts))
        vera.refresh_from_db()
        kept.append([vera.check_password(word) for word in words])
    return {"answers": answers, "kept": kept, "changed": Event.objects.filter(act="password-changed").count()}


def post(client: Client, path: str, **fields: str) -> int:
    return client.post(path, fields).status_code


def accept(token: str, name: str) -> int:
    return post(Client(), f"/invitations/{token}/", username=name, password1=PASSWORD, password2=PASSWORD)


RACES: dict[str, Callable[[], object]] = {
    "demote": partial(race_last_admin, "role"),
    "deactivate": partial(race_last_admin, "deactivate"),
    "invitation": race_invitation,
    "user-name": race_user_name,
    "last-factor": race_last_factor,
    "app-code": partial(race_code, "app"),
    "recovery-code": partial(race_code, "recovery"),
    "password-link": race_password_link,
}


def run_race(name: str, database_url: str) -> object:
    settings.DATABASES["default"]["NAME"] = urlsplit(database_url).path[1:]
    call_command("migrate", verbosity=0)
    return RACES[name]()


if __name__ == "__main__":
    races = [argument.split("=", 1) for argument in sys.argv[1:]]
    # Each in a process of its own, which begins with what is loaded here.
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        results = pool.starmap(run_race, races, chunksize=1)
    json.dump({name: result for (name, _), result in zip(races, results, strict=True)}, sys.stdout)
