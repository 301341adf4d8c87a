"""What is known of a credential's use: from what ByCloud answered, and not from what was shown."""

import pytest
import time_machine
from django.core.cache import caches

from portal.bycloud import BearerToken, Forbidden, InstanceQuery, Rejected
from portal.gateway import Access, Troubled, Use, check_credential, read_page, read_use
from tests.upstream import Upstream

FIRST = InstanceQuery()


def test_nothing_is_known_of_a_credential_that_was_never_used(acme: Access) -> None:
    assert read_use(acme) == Use()


def test_it_was_last_used_when_bycloud_last_answered_and_not_when_a_page_was_shown(
    acme: Access, clock: time_machine.Traveller
) -> None:
    read_page(acme, FIRST)
    before = read_use(acme)
    assert before.used_at is not None
    assert before.refused_at is None
    clock.shift(5)
    read_page(acme, FIRST)
    assert read_use(acme) == before
    clock.shift(60 * 60)
    check_credential(acme)
    later = read_use(acme).used_at
    assert later is not None
    assert (later - before.used_at).total_seconds() >= 60 * 60


@pytest.mark.parametrize(
    ("token", "error"), [("a-token-nobody-gave-out", Rejected), ("sandbox-forbidden-token", Forbidden)]
)
def test_a_refusal_is_known_with_its_time(acme: Access, token: str, error: type[Exception]) -> None:
    refused = Access(acme.region, BearerToken(token))
    with pytest.raises(error):
        check_credential(refused)
    use = read_use(refused)
    assert use.used_at is None
    assert use.refused_at is not None


def test_a_failure_of_another_kind_is_no_refusal(acme: Access, upstream: Upstream) -> None:
    upstream.script(times=None, status=500)
    with pytest.raises(Troubled):
        read_page(acme, FIRST)
    assert read_use(acme) == Use()


def test_another_credential_has_a_use_of_its_own(acme: Access, globex: Access) -> None:
    check_credential(acme)
    assert read_use(globex) == Use()


def test_an_emptied_cache_knows_nothing_any_more(acme: Access) -> None:
    check_credential(acme)
    caches["counters"].clear()
    assert read_use(acme) == Use()


def test_it_is_known_for_longer_than_pages_are_kept(acme: Access, clock: time_machine.Traveller) -> None:
    check_credential(acme)
    clock.shift(89 * 24 * 60 * 60)
    assert read_use(acme).used_at is not None


def test_a_check_says_how_many_instances_the_credential_sees(acme: Access, globex: Access) -> None:
    assert (check_credential(acme), check_credential(globex)) == (150, 12)


def test_a_check_says_nothing_where_bycloud_gives_no_total(acme: Access, upstream: Upstream) -> None:
    upstream.script(body={"instances": []})
    assert check_credential(acme) is None
