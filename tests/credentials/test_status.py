"""The status of a credential: whether it is valid, when it expires, its last use, what it can see. Never its value."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import Member
from portal.bycloud import BearerToken
from portal.credentials.models import Credential
from portal.credentials.status import read_status
from portal.sandbox.server import Sandbox
from tests.credentials.rows import keep
from tests.upstream import Upstream

EDIT, LIST, INSTANCES = "/credentials/spo1/", "/credentials/", "/spo1/instances/"
GOOD = BearerToken("sandbox-acme-token")
TOKEN = {"kind": "bearer", "token": "sandbox-acme-token"}


def words_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def in_days(days: int) -> Any:
    return timezone.localdate() + timedelta(days=days)


def test_the_last_day_is_optional_and_kept(viewer_client: Client, vera: Member) -> None:
    day = in_days(200)
    viewer_client.post(EDIT, TOKEN)
    assert Credential.objects.get().expires_on is None
    viewer_client.post(EDIT, {**TOKEN, "expires_on": day.isoformat()})
    assert Credential.objects.get().expires_on == day
    assert f"{day.day} {day:%b %Y}" in words_of(viewer_client.get(LIST))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tomorrow", "Use the format 2026-11-23"),
        ("2020-01-01", "This date is in the past"),
        ("9999-12-31", "too far in the future"),
    ],
)
def test_a_last_day_that_cannot_be_is_named_beside_its_field(
    viewer_client: Client, upstream: Upstream, text: str, words: str
) -> None:
    response = viewer_client.post(EDIT, {**TOKEN, "expires_on": text})
    assert response.status_code == 422
    assert words in words_of(response)
    assert upstream.requests() == []
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (15, ""),
        (14, "Your credential for spo1 expires in 14 days, on "),
        (1, "Your credential for spo1 expires in 1 day, on "),
        (0, "Your credential for spo1 expires today."),
        (-1, "Your credential for spo1 expired on "),
    ],
)
def test_the_list_warns_ahead_and_goes_on_with_an_expired_one(
    viewer_client: Client, vera: Member, days: int, words: str
) -> None:
    keep(vera, GOOD, expires_on=in_days(days))
    response = viewer_client.get(INSTANCES)
    assert "of 150" in words_of(response), "ByCloud decides whether it works"
    assert (
        'id="credential"' in response.content.decode() if words else 'id="credential"' not in response.content.decode()
    )
    assert words in words_of(response)


def test_how_many_days_ahead_is_a_setting(viewer_client: Client, vera: Member, settings: Settings) -> None:
    settings.CREDENTIAL_WARN_DAYS = 3
    keep(vera, GOOD, expires_on=in_days(4))
    assert "expires in" not in words_of(viewer_client.get(INSTANCES))


def test_the_last_day_ends_in_the_members_own_zone(
    viewer_client: Client, vera: Member, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.SESSION_IDLE = settings.SESSION_ABSOLUTE = timedelta.max
    clock.move_to("2026-11-24T01:00:00Z")
    keep(vera, GOOD, expires_on="2026-11-23")
    assert "expired on 23 Nov 2026" in words_of(viewer_client.get(INSTANCES))
    Member.objects.filter(pk=vera.pk).update(time_zone="America/Sao_Paulo")
    assert "expires today" in words_of(viewer_client.get(INSTANCES))


def test_an_instances_own_page_warns_too(viewer_client: Client, vera: Member) -> None:
    keep(vera, GOOD, expires_on=in_days(2))
    listed = viewer_client.get(INSTANCES).content.decode()
    found = re.search(r'<tr data-instance-id="([^"]*)"', listed)
    assert found
    assert "expires in 2 days" in words_of(viewer_client.get(f"{INSTANCES}{found[1]}/"))


def test_the_page_says_what_it_sees_and_when_it_was_last_used(
    viewer_client: Client, vera: Member, clock: time_machine.Traveller
) -> None:
    viewer_client.post(EDIT, TOKEN)
    clock.shift(5 * 60)
    viewer_client.get(f"{INSTANCES}?name=web-*", follow=True)
    clock.shift(3 * 60)
    words = words_of(viewer_client.get(LIST))
    assert "150 instances" in words
    assert "Verified 8 minutes ago" in words
    assert "3 minutes ago" in words
    words = words_of(viewer_client.get(EDIT))
    assert "Visible instances 150" in words
    assert "Last used 3 minutes ago" in words
    assert "Last rejected –" in words or "Last rejected —" in words


def test_what_it_sees_is_counted_anew_by_each_check(viewer_client: Client, vera: Member, upstream: Upstream) -> None:
    row = keep(vera, GOOD, visible_total=7)
    upstream.script(body={"instances": [{"id": "i-1"}], "meta": {"total": 3}})
    viewer_client.post(f"{EDIT}check/")
    row.refresh_from_db()
    assert row.visible_total == 3


@pytest.mark.parametrize("total", [-1, 2**63])
def test_a_total_that_no_one_can_have_is_no_total(viewer_client: Client, upstream: Upstream, total: int) -> None:
    upstream.script(body={"instances": [{"id": "i-1"}], "meta": {"total": total}})
    assert viewer_client.post(EDIT, TOKEN).status_code == 302
    assert Credential.objects.get().visible_total is None


def test_a_refusal_shows_until_bycloud_takes_it_again(
    viewer_client: Client, vera: Member, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    row = keep(vera, GOOD)
    clock.shift(60)
    upstream.script(status=401, times=None)
    viewer_client.get(INSTANCES)
    assert read_status(row).is_refused
    words = words_of(viewer_client.get(LIST))
    assert "Rejected by ByCloud" in words
    assert "Rejected just now" in words
    upstream.clear()
    clock.shift(60)
    viewer_client.post(f"{EDIT}check/")
    assert not read_status(row).is_refused
    assert "Rejected by ByCloud" not in words_of(viewer_client.get(LIST))


def test_looking_at_lists_writes_nothing_to_the_database(viewer_client: Client, vera: Member) -> None:
    keep(vera, GOOD)
    before = list(Credential.objects.values())
    viewer_client.get(INSTANCES)
    viewer_client.get(LIST)
    assert list(Credential.objects.values()) == before


def test_an_emptied_cache_leaves_what_is_in_the_row(viewer_client: Client, vera: Member) -> None:
    keep(vera, GOOD, visible_total=150)
    caches["counters"].clear()
    words = words_of(viewer_client.get(LIST))
    assert "Valid" in words
    assert "150 instances" in words


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "Valid"),
        ({"is_checked": False}, "Not verified yet"),
        ({"expires_on": -1}, "Expired"),
        ({"expires_on": 3}, "Valid, expires soon"),
    ],
)
def test_an_admin_sees_on_the_team_page_how_it_stands_and_nothing_else(
    client: Client, ada: Member, vera: Member, sandbox: Sandbox, *, given: dict[str, Any], word: str
) -> None:
    given = {key: in_days(value) if key == "expires_on" else value for key, value in given.items()}
    row = keep(vera, GOOD, **given)
    client.force_login(ada)
    response = client.get("/team/")
    cell = response.content.decode().split('data-member="vera"')[1].split("</tr>")[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", cell).split())
    assert f"spo1: {word} " in words
    assert "sao2: None" in words
    assert row.fingerprint not in response.content.decode()


def test_a_row_for_a_region_no_longer_served_is_read_without_it(
    vera: Member, settings: Settings, sandbox: Sandbox
) -> None:
    row = keep(vera, GOOD, region="old1")
    assert read_status(row).can_open
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert not read_status(row).can_open
