"""Counters are not stored where cached pages could evict them."""

import pytest
from django.core.cache import caches

from portal.bycloud import InstanceQuery
from portal.gateway import ApiSession, FetchFailed, FetchPolicy, read_last_used, read_meter, read_page
from portal.gateway.locks import acquire_lock
from portal.gateway.rate_limit import acquire_call
from portal.gateway.results import Priority
from tests.upstream import Upstream

FAT_PAGE = b"x" * 10_000_000


def fill_with_fat_pages() -> None:
    """More than the store of pages has room for."""
    for number in range(8):
        caches["pages"].set(f"fat-{number}", FAT_PAGE)
    assert caches["pages"].get("fat-0") is None


def test_fat_pages_do_not_move_the_meter(acme: ApiSession) -> None:
    for _ in range(41):
        acquire_call(acme, Priority.PERSON)
    fill_with_fat_pages()
    assert read_meter(acme).minute.used == 41


def test_fat_pages_end_no_backoff_and_release_no_lock(acme: ApiSession, upstream: Upstream) -> None:
    upstream.script(status=401)
    with pytest.raises(FetchFailed):
        read_page(acme, InstanceQuery())
    lock = acquire_lock("a-page")
    fill_with_fat_pages()
    assert lock is not None
    assert acquire_lock("a-page") is None
    lock.release()
    assert read_last_used(acme).rejected_at is not None
    with pytest.raises(FetchFailed):
        read_page(acme, InstanceQuery(), policy=FetchPolicy.FORCE)
    assert len(upstream.requests()) == 1
