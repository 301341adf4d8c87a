from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings

from portal.bycloud import InstanceQuery
from portal.gateway import ApiSession, Busy, FetchFailed, FetchPolicy, check_credential, read_page
from portal.gateway.concurrency import RESERVED_THREADS, acquire_slot
from tests.upstream import Upstream


@pytest.fixture
def all_slots_taken() -> Iterator[None]:
    """Every upstream slot is in use."""
    with ExitStack() as stack:
        for _ in range(settings.WEB_THREADS - RESERVED_THREADS):
            stack.enter_context(acquire_slot())
        yield


@pytest.mark.usefixtures("all_slots_taken")
def test_no_slot_is_given_beyond_the_last() -> None:
    with pytest.raises(Busy), acquire_slot():
        pass


@pytest.mark.usefixtures("all_slots_taken")
def test_checking_a_credential_needs_a_slot_too(acme: ApiSession, upstream: Upstream) -> None:
    with pytest.raises(Busy):
        check_credential(acme)
    assert upstream.requests() == []


def test_a_slot_is_released_after_a_failure() -> None:
    for _ in range(settings.WEB_THREADS):
        with pytest.raises(ZeroDivisionError), acquire_slot():
            raise ZeroDivisionError


def test_when_all_wait_the_stored_page_is_shown_and_a_new_one_is_refused_at_once(
    acme: ApiSession, upstream: Upstream, request: pytest.FixtureRequest
) -> None:
    read_page(acme, InstanceQuery())
    request.getfixturevalue("all_slots_taken")
    page = read_page(acme, InstanceQuery(), policy=FetchPolicy.FORCE)
    assert page.error is not None
    assert page.error.kind == "busy"
    with pytest.raises(FetchFailed):
        read_page(acme, InstanceQuery(limit=5))
    assert len(upstream.requests()) == 1
