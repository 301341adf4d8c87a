"""Tokens cannot be guessed through the portal: few attempts per minute, and nothing is kept of rejected ones."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import caches

from portal.bycloud import BearerToken, Unauthorized
from portal.gateway import (
    ApiSession,
    Busy,
    TriesSpent,
    check_credential,
    rate_limit,
    read_last_used,
    read_meter,
)
from portal.gateway.rate_limit import TRIES, TRIES_OF_ONE
from tests.upstream import Upstream


def guess(access: ApiSession, asker: str, number: int) -> None:
    check_credential(ApiSession(access.region, BearerToken(f"junk-{asker}-{number}"), asker=asker), is_kept=False)


def count_asked(access: ApiSession, asker: str, tries: int = 30) -> int:
    asked = 0
    for number in range(tries):
        try:
            guess(access, asker, number)
        except Unauthorized:
            asked += 1
        except TriesSpent:
            continue
    return asked


def test_one_member_has_a_few_tries_a_minute(
    acme: ApiSession, upstream: Upstream, clock: time_machine.Traveller
) -> None:
    assert count_asked(acme, "1", 1176) == TRIES_OF_ONE
    assert len(upstream.requests()) == TRIES_OF_ONE
    with pytest.raises(TriesSpent) as refusal:
        guess(acme, "1", 0)
    assert refusal.value.retry_at is not None
    clock.move_to(refusal.value.retry_at + timedelta(seconds=1))
    assert count_asked(acme, "1") == TRIES_OF_ONE


def test_all_members_together_have_a_few_more(acme: ApiSession, clock: time_machine.Traveller) -> None:
    asked = [count_asked(acme, str(asker)) for asker in range(12)]
    assert asked[:3] == [TRIES_OF_ONE] * 3
    assert all(asked[:5]), "the next one finds a try left"
    assert sum(asked) == TRIES


def test_another_region_has_tries_of_its_own(acme: ApiSession) -> None:
    assert count_asked(acme, "1") == TRIES_OF_ONE
    with pytest.raises(Unauthorized):
        guess(ApiSession(type(acme.region)("sao2", acme.region.base_url), acme.credential), "1", 0)


def test_nothing_stays_behind_of_a_token_that_is_refused(acme: ApiSession) -> None:
    assert count_asked(acme, "1") == TRIES_OF_ONE
    kept = [*caches["pages"].entries, *caches["counters"].entries]  # type: ignore[attr-defined]
    assert kept == [":1:budget:tries:spo1"]


def test_one_that_is_taken_has_a_budget_of_its_own_from_then_on(acme: ApiSession) -> None:
    tried = ApiSession(acme.region, acme.credential, asker="1")
    assert check_credential(tried, is_kept=False) == 150
    assert read_meter(tried).minute.used == 1
    assert read_last_used(tried).used_at is not None


def test_a_credential_that_is_kept_leaves_its_refusal_and_counts_as_a_try(acme: ApiSession) -> None:
    kept = ApiSession(acme.region, BearerToken("junk"), asker="1")
    with pytest.raises(Unauthorized):
        check_credential(kept)
    assert read_last_used(kept).refused_at is not None
    assert count_asked(acme, "1") == TRIES_OF_ONE - 1


def test_the_command_line_has_as_many_as_it_needs(acme: ApiSession) -> None:
    assert count_asked(acme, "", TRIES + 1) == TRIES + 1


def test_nothing_is_tried_without_the_lock_on_the_log(
    acme: ApiSession, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "TURN_SECONDS", 0.05)
    caches["counters"].add("budget:tries:spo1:lock", b"held", 60)
    with pytest.raises(Busy):
        guess(acme, "1", 0)
    assert upstream.requests() == []
