"""Every action is logged as an audit event, with the request it comes from."""

import ast
from collections.abc import Iterator
from pathlib import Path

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from portal.accounts.models import Invitation, Member
from portal.audit.models import Action, Event
from tests.conftest import PASSWORD

ROOT = Path(__file__).parent.parent.parent
# What only a command of `manage.py` does, by module and function.
FROM_COMMAND_LINE = {
    "portal/accounts/management/commands/add_member.py:handle",
    "portal/accounts/sso/services.py:link",
    "portal/audit/services.py:prune_events",
    # A branch of it: where there is a request, it is handed over.
    "portal/credentials/services.py:_record_set",
}


def list_modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.glob("portal/**/*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def list_calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call of `record_event`, with the module and the function that it stands in."""
    for path, module in list_modules():
        for function in ast.walk(module):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record_event":
                        yield f"{path}:{function.name}", node


def test_every_event_is_handed_its_request_or_comes_from_the_command_line() -> None:
    without = [place for place, call in list_calls() if "request" not in {word.arg for word in call.keywords}]
    assert sorted(without) == sorted(FROM_COMMAND_LINE)


def test_every_act_is_written_down_somewhere() -> None:
    named = {
        node.attr
        for path, module in list_modules()
        if path != "portal/audit/models.py"
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Action"
    }
    assert named >= set(Action.names)


def test_what_a_day_brings_is_on_record_with_request_address_and_browser(
    ada: Member, otto: Member, vera: Member
) -> None:
    address, browser = "198.51.100.7", "Lynx/2.9"
    admin, viewer = (Client(REMOTE_ADDR=address, headers={"user-agent": browser}) for _ in range(2))
    TOTP.activate(otto, generate_totp_secret())
    pending = Invitation(name="Eve", created_by=ada)
    pending.make_token()
    pending.save()
    password = {"password": PASSWORD}
    day: tuple[tuple[Client, str, dict[str, str]], ...] = (
        (viewer, "/sign-in/", {"login": "vera", "password": "wrong"}),
        (viewer, "/sign-in/", {"login": "vera", **password}),
        (viewer, "/team/invitations/", {"name": "Eve", "role": "viewer"}),
        (admin, "/sign-in/", {"login": "ada", **password}),
        (admin, "/second-factor/again/", password),
        (admin, "/team/invitations/", {"name": "Eve", "role": "viewer"}),
        (admin, f"/team/invitations/{pending.pk}/revoke/", {}),
        (admin, f"/team/{otto.pk}/role/", {"role": "viewer"}),
        (admin, f"/team/{otto.pk}/second-factor/", {}),
        (admin, f"/team/{otto.pk}/password/", {}),
        (admin, f"/team/{otto.pk}/deactivate/", {}),
        (admin, f"/team/{otto.pk}/activate-again/", {}),
        (admin, f"/team/{vera.pk}/sessions/end/", {}),
        (admin, "/audit/export/", {"format": "csv"}),
        (admin, "/sign-out/", {}),
    )
    answers = [client.post(path, form) for client, path, form in day]
    events = list(Event.objects.order_by("id"))
    assert {(event.address, event.user_agent) for event in events} == {(address, browser)}
    requests = [answer.headers["X-Request-Id"] for answer in answers]
    assert {event.request_id for event in events} <= set(requests)
    assert {event.act: requests.index(event.request_id) for event in events} == {
        Action.SIGN_IN_FAILED: 0,
        Action.SIGNED_IN: 3,
        Action.ACCESS_REFUSED: 2,
        Action.MEMBER_INVITED: 5,
        Action.INVITATION_REVOKED: 6,
        Action.ROLE_CHANGED: 7,
        Action.SECOND_FACTOR_RESET: 8,
        Action.PASSWORD_LINK_MADE: 9,
        Action.MEMBER_DEACTIVATED: 10,
        Action.MEMBER_ACTIVATED_AGAIN: 11,
        Action.SESSION_ENDED: 12,
        Action.AUDIT_EXPORTED: 13,
        Action.SIGNED_OUT: 14,
    }
