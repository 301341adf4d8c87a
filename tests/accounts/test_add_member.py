"""`manage.py add_member`, with the password on standard input."""

import getpass
import io
import sys

import pytest
from django.core.management import CommandError, call_command

from portal.accounts.models import Member
from portal.audit.models import Action, Event
from portal.core.permissions import Role
from tests.conftest import PASSWORD


def add(monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: str = PASSWORD + "\n") -> str:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    call_command("add_member", *arguments, stdout=out)
    return out.getvalue()


def test_a_member_is_added_and_it_is_on_record(
    db: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = add(monkeypatch, "eve", "--role", "operator", "--email", "Eve@Example.com")
    assert said == "Added eve as operator.\n"
    eve = Member.objects.get()
    assert (eve.username, eve.email, eve.role) == ("eve", "eve@example.com", Role.OPERATOR)
    assert eve.check_password(PASSWORD)
    event = Event.objects.get()
    assert (event.act, event.name, event.subject) == (Action.MEMBER_ADDED, "command line", "eve (operator)")
    assert PASSWORD not in said + "".join(capsys.readouterr()) + repr(Event.objects.values())


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (("eve",), "", "No password on standard input."),
        (("eve",), "\n", "No password on standard input."),
        (("eve",), "short\n", "at least 12 characters"),
        (("eve@example.com",), PASSWORD, "Use letters a to z, digits and . + - _ only."),
        (("",), PASSWORD, "This field cannot be blank."),
        (("eve", "--email", "no"), PASSWORD, "email: Enter a valid email address."),
        (("eve", "--email", "ADA@example.com"), PASSWORD, "This e-mail address is already in use."),
        (("ada",), PASSWORD, "Member ada already exists."),
        (("ADA",), PASSWORD, "Member ADA already exists."),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    ada: Member, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], stdin: str, sentence: str
) -> None:
    with pytest.raises(CommandError) as caught:
        add(monkeypatch, *arguments, "--role", "viewer", stdin=stdin)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert Member.objects.count() == 1


@pytest.mark.parametrize("arguments", [("eve",), ("eve", "--role", "owner")])
def test_a_role_must_be_given_and_be_one(db: None, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="--role"):
        add(monkeypatch, *arguments)


def test_in_a_terminal_it_asks_without_showing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: PASSWORD)
    call_command("add_member", "eve", "--role", "viewer", stdout=io.StringIO())
    assert Member.objects.get().check_password(PASSWORD)
