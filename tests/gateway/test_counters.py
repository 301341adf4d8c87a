"""What must not be lost is not kept where pages make room for each other, and each process knows what it has sent."""

import pytest
from django.core.cache import caches
from pytest_django import Settings

from portal.bycloud import InstanceQuery
from portal.gateway import Access, Asking, Troubled, read_meter, read_page, read_use
from portal.gateway.errors import BudgetSpent
from portal.gateway.locks import take_lease
from portal.gateway.rate_limit import spend
from portal.gateway.results import Errand
from tests.upstream import Upstream

FAT_PAGE = b"x" * 10_000_000


def fill_with_fat_pages() -> None:
    """More than the store of pages has room for."""
    for number in range(8):
        caches["pages"].set(f"fat-{number}", FAT_PAGE)
    assert caches["pages"].get("fat-0") is None


def test_fat_pages_do_not_move_the_meter(acme: Access) -> None:
    for _ in range(41):
        spend(acme, Errand.PERSON)
    fill_with_fat_pages()
    assert read_meter(acme).minute.used == 41


def test_fat_pages_end_no_pause_and_free_no_lease(acme: Access, upstream: Upstream) -> None:
    upstream.script(status=401)
    with pytest.raises(Troubled):
        read_page(acme, InstanceQuery())
    lease = take_lease("a-page")
    fill_with_fat_pages()
    assert lease is not None
    assert take_lease("a-page") is None
    lease.release()
    assert read_use(acme).refused_at is not None
    with pytest.raises(Troubled):
        read_page(acme, InstanceQuery(), asking=Asking.FORCED)
    assert len(upstream.requests()) == 1


def test_what_this_process_has_sent_counts_though_all_counters_are_lost(acme: Access, settings: Settings) -> None:
    settings.BYCLOUD_RATE_PER_MINUTE = 10
    for _ in range(10):
        spend(acme, Errand.PERSON)
        caches["counters"].clear()
    assert read_meter(acme).minute.used == 10
    with pytest.raises(BudgetSpent):
        spend(acme, Errand.PERSON)
