"""Attempts with tokens that ByCloud rejects: messages and audit events."""

from django.test import Client

from portal.accounts.models import Member
from portal.audit.models import Event
from portal.credentials.models import Credential
from portal.gateway.rate_limit import ATTEMPTS_PER_MEMBER
from tests.conftest import PASSWORD
from tests.upstream import Upstream

EDIT = "/credentials/spo1/"
JUNK = {"kind": "bearer", "token": "a-token-nobody-gave-out"}


def test_guessing_ends_after_a_few_tries_and_each_that_was_asked_stands_on_record(
    client: Client, vera: Member, upstream: Upstream
) -> None:
    client.force_login(vera)
    for _ in range(ATTEMPTS_PER_MEMBER):
        refused = client.post(EDIT, JUNK)
        assert (
            refused.status_code,
            "rejected this credential (401)" in refused.content.decode(),
        ) == (422, True)
    for _ in range(10):
        refused = client.post(EDIT, JUNK)
        assert refused.status_code == 422
        assert "Too many credentials were tried within a minute" in refused.content.decode()
    assert len(upstream.requests()) == ATTEMPTS_PER_MEMBER
    events = Event.objects.filter(act="credential-refused")
    assert {(event.member, event.name, event.subject) for event in events} == {(vera, "vera", "spo1: 401")}
    assert len(events) == ATTEMPTS_PER_MEMBER
    assert not Credential.objects.exists()


def test_one_that_may_not_list_stands_on_record_too(client: Client, vera: Member, upstream: Upstream) -> None:
    client.force_login(vera)
    client.post(EDIT, {"kind": "bearer", "token": "sandbox-forbidden-token"})
    assert [event.subject for event in Event.objects.filter(act="credential-refused")] == ["spo1: 403"]


def test_the_form_does_not_go_on_telling_whether_a_text_is_the_members_password(
    client: Client, vera: Member, upstream: Upstream
) -> None:
    client.force_login(vera)
    for number in range(10):
        assert client.post(EDIT, {"kind": "bearer", "token": f"guess-{number}"}).status_code == 422
    told = client.post(EDIT, {"kind": "bearer", "token": PASSWORD})
    assert told.status_code == 422
    assert "your password for the portal" not in told.content.decode()
    assert "Too many credentials were tried within a minute" in told.content.decode()
    assert len(upstream.requests()) == ATTEMPTS_PER_MEMBER
