"""Tokens cannot be guessed through the portal: few attempts per minute, and nothing is kept of rejected ones."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import caches

from portal.bycloud import BearerToken, Unauthorized
from portal.gateway import (
    ApiSession,
    Busy,
    TooManyAttempts,
    check_credential,
    rate_limit,
    read_last_used,
    read_meter,
)
from portal.gateway.rate_limit import ATTEMPTS, ATTEMPTS_PER_MEMBER
from tests.upstream import Upstream


def guess(access: ApiSession, member_id: str, number: int) -> None:
    check_credential(
        ApiSession(access.region, BearerToken(f"junk-{member_id}-{number}"), member_id=member_id), is_stored=False
    )


def count_asked(access: ApiSession, member_id: str, tries: int = 30) -> int:
    asked = 0
    for number in range(tries):
        try:
            guess(access, member_id, number)
        except Unauthorized:
            asked += 1
        except TooManyAttempts:
            continue
    return asked


def test_one_member_has_a_few_tries_a_minute(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    assert count_asked(acme, "1", 1176) == ATTEMPTS_PER_MEMBER
    assert len(upstream.requests()) == ATTEMPTS_PER_MEMBER
    with pytest.raises(TooManyAttempts) as refusal:
        guess(acme, "1", 0)
    assert refusal.value.retry_at is not None
    clock.move_to(refusal.value.retry_at + timedelta(seconds=1))
    assert count_asked(acme, "1") == ATTEMPTS_PER_MEMBER


def test_all_members_together_have_a_few_more(acme: ApiSession, clock: time_machine.Traveller) -> None:
    asked = [count_asked(acme, str(member_id)) for member_id in range(12)]
    assert asked[:3] == [ATTEMPTS_PER_MEMBER] * 3
    assert all(asked[:5]), "the next one finds a try left"
    assert sum(asked) == ATTEMPTS


def test_another_region_has_tries_of_its_own(acme: ApiSession) -> None:
    assert count_asked(acme, "1") == ATTEMPTS_PER_MEMBER
    with pytest.raises(Unauthorized):
        guess(ApiSession(type(acme.region)("sao2", acme.region.base_url), acme.credential), "1", 0)


def test_nothing_stays_behind_of_a_token_that_is_refused(acme: ApiSession) -> None:
    assert count_asked(acme, "1") == ATTEMPTS_PER_MEMBER
    kept = [*caches["pages"].entries, *caches["counters"].entries]  # type: ignore[attr-defined]
    assert kept == [":1:rate-limit:attempts:spo1"]


def test_a_valid_credential_has_a_rate_limit_of_its_own_from_then_on(acme: ApiSession) -> None:
    tried = ApiSession(acme.region, acme.credential, member_id="1")
    assert check_credential(tried, is_stored=False) == 150
    assert read_meter(tried).minute.used == 1
    assert read_last_used(tried).used_at is not None


def test_a_credential_that_is_kept_leaves_its_refusal_and_counts_as_a_try(acme: ApiSession) -> None:
    kept = ApiSession(acme.region, BearerToken("junk"), member_id="1")
    with pytest.raises(Unauthorized):
        check_credential(kept)
    assert read_last_used(kept).rejected_at is not None
    assert count_asked(acme, "1") == ATTEMPTS_PER_MEMBER - 1


def test_the_command_line_has_as_many_as_it_needs(acme: ApiSession) -> None:
    assert count_asked(acme, "", ATTEMPTS + 1) == ATTEMPTS + 1


def test_nothing_is_tried_without_the_lock_on_the_log(
    acme: ApiSession, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "TURN_SECONDS", 0.05)
    caches["counters"].add("rate-limit:attempts:spo1:lock", b"held", 60)
    with pytest.raises(Busy):
        guess(acme, "1", 0)
    assert upstream.requests() == []
