"""The last use of a credential comes from ByCloud's responses, not from cached pages."""

import pytest
import time_machine
from django.core.cache import caches

from portal.bycloud import BearerToken, Forbidden, InstanceQuery, Unauthorized
from portal.gateway import ApiSession, FetchFailed, LastUsed, check_credential, read_last_used, read_page
from tests.upstream import Upstream

FIRST = InstanceQuery()


def test_nothing_is_known_of_a_credential_that_was_never_used(acme: ApiSession) -> None:
    assert read_last_used(acme) == LastUsed()


def test_it_was_last_used_when_bycloud_last_answered_and_not_when_a_page_was_shown(
    acme: ApiSession, clock: time_machine.Traveller
) -> None:
    read_page(acme, FIRST)
    before = read_last_used(acme)
    assert before.used_at is not None
    assert before.rejected_at is None
    clock.shift(5)
    read_page(acme, FIRST)
    assert read_last_used(acme) == before
    clock.shift(60 * 60)
    check_credential(acme)
    later = read_last_used(acme).used_at
    assert later is not None
    assert (later - before.used_at).total_seconds() >= 60 * 60


@pytest.mark.parametrize(
    ("token", "error"), [("a-token-nobody-gave-out", Unauthorized), ("sandbox-forbidden-token", Forbidden)]
)
def test_a_refusal_is_known_with_its_time(acme: ApiSession, token: str, error: type[Exception]) -> None:
    refused = ApiSession(acme.region, BearerToken(token))
    with pytest.raises(error):
        check_credential(refused)
    use = read_last_used(refused)
    assert use.used_at is None
    assert use.rejected_at is not None


def test_a_failure_of_another_kind_is_no_refusal(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(times=None, status=500)
    with pytest.raises(FetchFailed):
        read_page(acme, FIRST)
    assert read_last_used(acme) == LastUsed()


def test_another_credential_has_a_use_of_its_own(acme: ApiSession, globex: ApiSession) -> None:
    check_credential(acme)
    assert read_last_used(globex) == LastUsed()


def test_an_emptied_cache_knows_nothing_any_more(acme: ApiSession) -> None:
    check_credential(acme)
    caches["counters"].clear()
    assert read_last_used(acme) == LastUsed()


def test_it_is_known_for_longer_than_pages_are_kept(acme: ApiSession, clock: time_machine.Traveller) -> None:
    check_credential(acme)
    clock.shift(89 * 24 * 60 * 60)
    assert read_last_used(acme).used_at is not None


def test_a_check_says_how_many_instances_the_credential_sees(acme: ApiSession, globex: ApiSession) -> None:
    assert (check_credential(acme), check_credential(globex)) == (150, 12)


def test_a_check_says_nothing_where_bycloud_gives_no_total(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(body={"instances": []})
    assert check_credential(acme) is None
