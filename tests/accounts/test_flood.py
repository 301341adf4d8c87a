"""Many sign-ins at once, from many addresses: memory usage, and response times for other members."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
import requests
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client, RequestFactory
from pytest_django import Settings

from portal.accounts import hashers, services
from portal.accounts.models import Invitation, Member
from portal.accounts.passwords import services as passwords
from portal.audit import models as audit
from tests.conftest import PASSWORD
from tests.services.portals import Deployment, Portal, open_session, read_token

AT_ONCE = 60
# In KiB. Two hashes at work, what their threads keep, and what sixty requests take by themselves.
MOST_MEMORY = 150 * 1024
# PASSWORD, by the portal's own hasher.
HASHED = (
    "argon2$argon2id$v=19$m=19456,t=2,p=1$c2FsdC1vZi10d2VudHktdHdvLWxldA$enEsZ2mOJwX0Df4bM29r9l15iG2BlVwpKNYMH4szelM"
)


@pytest.fixture
def portal(deployment: Deployment) -> Iterator[Portal]:
    with deployment.open_portals(1, TRUSTED_PROXY_COUNT="1") as (portal,):
        yield portal


def read_memory(portal: Portal, name: str) -> int:
    """Of the worker, in KiB."""
    pid = portal.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def send_at_once(portal: Portal, names: list[str]) -> list[requests.Response]:
    """A wrong password for each name, each from an address of its own, all sent in the same moment."""
    together = Barrier(len(names))

    def send(number: int, name: str) -> requests.Response:
        with open_session() as session:
            session.headers["X-Forwarded-For"] = f"203.0.113.{number}"
            token = read_token(session.get(f"{portal.url}/sign-in/", timeout=60).text)
            fields = {"login": name, "password": "wrong", "csrfmiddlewaretoken": token}
            together.wait(60)
            return session.post(f"{portal.url}/sign-in/", data=fields, timeout=60, allow_redirects=False)

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(send, range(1, len(names) + 1), names))


@pytest.mark.slow
def test_sixty_wrong_passwords_at_once_take_little_memory_and_leave_room_for_others(portal: Portal) -> None:
    send_at_once(portal, ["nobody"])
    before = read_memory(portal, "VmRSS")
    answered = 0
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(send_at_once, portal, [f"nobody-{number}" for number in range(AT_ONCE)])
        while not flood.done():
            assert portal.get("/health/live/").status_code == 200
            answered += 1
            time.sleep(0.02)
    assert read_memory(portal, "VmHWM") - before < MOST_MEMORY
    # One waited for the end of the flood when each hash had 100 MiB and a thread.
    assert answered > 3
    # How many are turned away is a matter of the machine's speed.
    for answer in (answer for answer in flood.result() if answer.status_code != 200):
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
        # On a busy machine SQLite may be locked for longer than a request waits for it.
        assert re.search("Too many passwords at once|The portal is unavailable", answer.text)


@pytest.fixture
def busy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """The portal's own hasher, all of whose turns are taken until this is called."""
    settings.PASSWORD_HASHERS = ["portal.accounts.hashers.PasswordHasher"]
    Member.objects.update(password=HASHED)
    monkeypatch.setattr(hashers, "WAIT_SECONDS", 0.05)
    begun, gate = Barrier(hashers.AT_ONCE + 1), Event()

    def work() -> None:
        begun.wait(30)
        gate.wait(30)

    with ThreadPoolExecutor(hashers.AT_ONCE) as pool:
        turns = [pool.submit(hashers.run_in_turn, work) for _ in range(hashers.AT_ONCE)]

        def end() -> None:
            gate.set()
            monkeypatch.undo()
            for turn in turns:
                turn.result(30)

        begun.wait(30)
        yield end
        gate.set()


@pytest.mark.parametrize(("name", "password"), [("vera", PASSWORD), ("vera", "wrong"), ("nobody", "wrong")])
def test_who_is_turned_away_is_not_counted_and_comes_in_right_after(
    client: Client, vera: Member, busy: Callable[[], None], name: str, password: str
) -> None:
    for _ in range(11):
        answer = client.post("/sign-in/", {"login": name, "password": password})
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert not audit.Event.objects.exists()
    busy()
    assert client.post("/sign-in/", {"login": "vera", "password": PASSWORD}).status_code == 302


def test_every_form_that_takes_a_password_waits_its_turn(
    client: Client, ada: Member, vera: Member, busy: Callable[[], None]
) -> None:
    vera.refresh_from_db()
    client.force_login(vera)
    request = RequestFactory().get("/")
    link = passwords.make_link(vera, by=ada, request=request).partition("testserver")[2]
    token = services.make_invitation(Invitation(name="Eve"), by=ada, request=request)
    new = {"new_password1": "an-entirely-other-password", "new_password2": "an-entirely-other-password"}
    chosen = {"username": "eve", "password1": "four-green-doors", "password2": "four-green-doors"}
    forms = [
        (client, "/second-factor/again/", {"password": PASSWORD}),
        (client, "/password/", {"old_password": PASSWORD} | new),
        (Client(), link, new),
        (Client(), f"/invitations/{token}/", chosen),
    ]
    for sender, path, fields in forms:
        assert sender.post(path, fields).status_code == 503, path
    assert client.get("/preferences/").status_code == 200
    busy()
    for sender, path, fields in (forms[0], forms[2], forms[3]):
        assert sender.post(path, fields).status_code == 302, path


def test_htmx_gets_a_fragment(client: Client, db: None, busy: Callable[[], None]) -> None:
    answer = client.post("/sign-in/", {"login": "nobody", "password": "wrong"}, headers={"HX-Request": "true"})
    assert answer.status_code == 503
    assert answer.content.startswith(b'<div id="error">')


class TestOldHashes:
    """Made by Django's own hasher: 100 MiB, eight lanes."""

    @pytest.fixture(autouse=True)
    def _old(self, settings: Settings, vera: Member) -> None:
        settings.PASSWORD_HASHERS = ["portal.accounts.hashers.PasswordHasher"]
        old = Argon2PasswordHasher().encode(PASSWORD, "salt-of-twenty-two-let")
        assert "$m=102400,t=2,p=8$" in old
        Member.objects.filter(pk=vera.pk).update(password=old)
        vera.refresh_from_db()

    def test_they_are_made_anew_at_sign_in(self, client: Client, vera: Member) -> None:
        assert client.post("/sign-in/", {"login": "vera", "password": PASSWORD}).status_code == 302
        vera.refresh_from_db()
        assert "$m=19456,t=2,p=1$" in vera.password
        assert client.get("/preferences/").status_code == 200

    @pytest.mark.parametrize(("path", "field"), [("/second-factor/again/", "password"), ("/password/", "old_password")])
    def test_where_it_is_asked_again_that_session_goes_on(
        self, client: Client, vera: Member, path: str, field: str
    ) -> None:
        client.force_login(vera)
        client.post(path, {field: PASSWORD})
        vera.refresh_from_db()
        assert "$m=19456,t=2,p=1$" in vera.password
        assert client.get("/preferences/").status_code == 200
