"""Stored XSS: all fields from ByCloud and members are escaped on all pages."""

import html
import json
import re
from html.parser import HTMLParser
from itertools import cycle
from typing import Any

import msgspec
import pytest
from django.test import Client

from portal.accounts.forms import AcceptForm
from portal.accounts.models import Invitation, Member
from portal.audit.models import NOT_A_NAME, Action, Event
from portal.bycloud import BearerToken
from portal.bycloud.resources import Address, Fault, Flavor, Image, Instance, SecurityGroup, VolumeAttachment
from portal.instances.columns import COLUMNS
from portal.instances.forms import ListForm
from portal.sandbox.server import Sandbox
from portal.saved_views.models import SavedView
from portal.site.context import DOCUMENTATION_URL
from tests.audit.rows import write
from tests.credentials.rows import keep
from tests.upstream import Upstream

ID = "550e8400-e29b-41d4-a716-446655440000"
LIST = "/spo1/instances/"
ATTACKS = (
    "\"'><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    '" onmouseover=alert(1) autofocus onfocus=alert(1) x="',
    "</textarea></title></style></template><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ settings.SECRET_KEY }}{% load static %}${7*7}<%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--><a href=//evil.example>x</a>",
)


EVERY_COLUMN = ",".join(COLUMNS)


class Reader(HTMLParser):
    """The elements of a page as a browser takes them apart, with all that would run or lead away."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.live: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.live += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        self.live += [
            f"{tag} {name}={given[name]}"
            for name in ("href", "src", "action", "hx-get", "hx-post", "formaction")
            if name in given and (not given[name].startswith(("/", "?", "#")) or given[name].startswith("//"))
        ]
        if tag == "a" and given.get("href") == DOCUMENTATION_URL:
            # The only link of every page that leads away.
            self.live.pop()
        if tag == "script" and not given.get("src"):
            self.live.append("script")
        self.text += " ".join(given.values())

    def handle_data(self, data: str) -> None:
        self.text += data


def read(response: Any) -> Reader:
    assert response["Content-Type"].startswith("text/html")
    reader = Reader()
    reader.feed(response.content.decode())
    reader.close()
    return reader


def check(response: Any, attack: str) -> None:
    """The attack is there as text, and nothing of it lives."""
    reader = read(response)
    assert reader.live == []
    assert " ".join(attack.split()) in " ".join(reader.text.split()), "not shown at all: this test would prove nothing"


def follow(client: Client, path: str, query: dict[str, str]) -> Any:
    """As a browser follows: Django's client would encode the address anew, and be sent round in circles."""
    response = client.get(path, query)
    return client.get(response["Location"]) if response.status_code == 302 else response


def fill(kind: Any, attack: str) -> Any:
    """A value of ByCloud's with the attack in each text of it."""
    return {
        field.encode_name: value
        for field in msgspec.structs.fields(kind)
        if (value := FILLERS.get(field.encode_name, lambda text: text)(attack)) is not None
    }


def leave(_attack: str) -> None:
    return None


FILLERS: dict[str, Any] = {
    **dict.fromkeys(("vcpus", "ram", "disk", "version", "code", "delete_on_termination", "created"), leave),
    **dict.fromkeys(("created_at", "updated_at", "launched_at", "terminated_at"), leave),
    "flavor": lambda attack: fill(Flavor, attack),
    "image": lambda attack: fill(Image, attack),
    "addresses": lambda attack: {attack: [fill(Address, attack)]},
    "security_groups": lambda attack: [fill(SecurityGroup, attack)],
    "volumes_attached": lambda attack: [fill(VolumeAttachment, attack)],
    "key_names": lambda attack: [attack],
    "metadata": lambda attack: {attack: attack},
    "tags": lambda attack: [attack],
    "fault": lambda attack: fill(Fault, attack),
}


@pytest.fixture
def as_otto(client: Client, otto: Member, sandbox: Sandbox) -> Client:
    keep(otto, BearerToken("sandbox-acme-token"))
    client.force_login(otto)
    return client


@pytest.fixture
def as_ada(client: Client, ada: Member, sandbox: Sandbox) -> Client:
    keep(ada, BearerToken("sandbox-acme-token"))
    client.force_login(ada)
    return client


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("state", [{}, {"status": "ERROR"}, {"task_state": None, "status": None}])
def test_every_text_of_an_instance_is_text_on_every_page(
    as_otto: Client, upstream: Upstream, attack: str, state: dict[str, Any]
) -> None:
    instance = fill(Instance, attack) | {"id": ID} | state
    upstream.script(times=None, body={"instances": [instance], "meta": {"total": 1, "has_more": False}})
    check(as_otto.get(LIST), attack)
    check(as_otto.get(f"{LIST}?columns={EVERY_COLUMN}"), attack)
    check(as_otto.get(f"{LIST}{ID}/"), attack)
    check(as_otto.get(LIST, headers={"hx-request": "true", "hx-target": "results"}), attack)
    check(as_otto.get(f"{LIST}{ID}/", headers={"hx-request": "true", "hx-target": "instance"}), attack)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_raw_json_of_an_instance_is_never_taken_for_a_page(
    as_otto: Client, upstream: Upstream, attack: str
) -> None:
    instance = fill(Instance, attack) | {"id": ID}
    upstream.script(times=None, body={"instances": [instance], "meta": {"total": 1, "has_more": False}})
    response = as_otto.get(f"{LIST}{ID}.json")
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert json.loads(response.content)["name"] == attack


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("status", [400, 403, 422, 500])
def test_the_words_of_an_error_of_bycloud_are_text(
    as_otto: Client, upstream: Upstream, attack: str, status: int
) -> None:
    error = {"code": status, "message": attack, "details": attack, "request_id": attack}
    upstream.script(times=None, status=status, body={"error": error})
    reader = read(as_otto.get(LIST))
    assert reader.live == []


def test_what_is_typed_into_filters_and_addresses_is_text(as_otto: Client) -> None:
    # Into each field one after the other, by turns, and each into all of them at once.
    typed = [{name: attack} for name, attack in zip(ListForm.base_fields, cycle(ATTACKS), strict=False)]
    typed += [dict.fromkeys(ListForm.base_fields, attack) for attack in ATTACKS]
    for fields in typed:
        assert read(follow(as_otto, LIST, fields)).live == []
        assert read(follow(as_otto, f"{LIST}{ID}/", fields)).live == []
    for attack in ATTACKS:
        assert read(follow(as_otto, LIST, {attack: attack})).live == []
        check(follow(as_otto, LIST, {attack: "1"}), attack)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_members_name_is_text_on_the_pages_of_others(
    as_ada: Client, ada: Member, otto: Member, attack: str
) -> None:
    invitation = Invitation(name=attack, email="eve@example.com", created_by=ada)
    token = invitation.make_token()
    invitation.save()
    check(as_ada.get("/team/"), attack)
    check(as_ada.get(f"/invitations/{token}/"), attack)
    check(Client().get(f"/invitations/{token}/"), attack)
    SavedView.objects.create(owner=otto, region="spo1", name=attack[:60], query="", is_shared=True)
    for path in ("/spo1/views/", LIST):
        check(as_ada.get(path), attack[:60].strip())


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_strangers_leave_in_the_audit_is_text(as_ada: Client, attack: str) -> None:
    Client().post("/sign-in/", {"login": attack, "password": "x"}, headers={"user-agent": attack})
    assert Event.objects.get(act=Action.SIGN_IN_FAILED).name == NOT_A_NAME
    # A row that was written before names were looked at.
    write(act=Action.ROLE_CHANGED, name=attack, subject=attack)
    check(as_ada.get("/audit/"), attack)
    check(as_ada.get("/audit/", {"member": attack}), attack)
    check(follow(as_ada, "/audit/", {attack: attack}), attack)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_user_name_cannot_be_markup_to_begin_with(db: None, attack: str) -> None:
    form = AcceptForm({"username": attack, "password1": "x" * 20, "password2": "x" * 20}, instance=Member())
    assert "username" in form.errors


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_reader_of_these_tests_sees_what_lives(attack: str) -> None:
    reader = Reader()
    reader.feed(f'<p title="{attack}">{attack}<a href="{attack}">x</a></p>')
    escaped = Reader()
    escaped.feed(f'<p title="{html.escape(attack)}">{html.escape(attack)}</p>')
    assert escaped.live == []
    assert reader.live


def test_no_page_has_markup_of_its_own_that_runs(as_ada: Client) -> None:
    """The content policy forbids it; this finds it before a browser does."""
    for path in (LIST, "/team/", "/audit/", "/credentials/", "/team/credentials/", "/preferences/", "/spo1/views/"):
        response = as_ada.get(path)
        assert read(response).live == []
        assert not re.search(r"<script(?![^>]*\bsrc=)", response.content.decode())
