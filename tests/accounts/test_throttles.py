"""Throttle counters: stored in the database, updated atomically, deleted once expired."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import BaseCache, caches
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.accounts.models import Count, Member
from tests.services.portals import Deployment


@pytest.fixture
def cache(db: None) -> BaseCache:
    return caches["default"]


def test_it_is_a_cache(cache: BaseCache) -> None:
    assert cache.get("one") is None
    assert cache.get("one", 7) == 7
    cache.set("one", [1.5, "a", None], 60)
    assert cache.get("one") == [1.5, "a", None]
    assert not cache.add("one", 2)
    assert cache.add("two", 2)
    assert cache.incr("two") == 3
    assert (cache.get("two"), cache.get_many(["one", "three"])) == (3, {"one": [1.5, "a", None]})
    assert cache.touch("two", 60)
    assert not cache.touch("three", 60)
    assert cache.delete("two")
    assert not cache.delete("two")
    with pytest.raises(ValueError, match="not found"):
        cache.incr("two")
    cache.set("for-ever", 1, None)
    cache.clear()
    assert not Count.objects.exists()


def test_what_is_over_is_as_if_it_had_never_been(cache: BaseCache, clock: time_machine.Traveller) -> None:
    cache.set("one", 1, 60)
    clock.shift(timedelta(seconds=61))
    assert cache.get("one") is None
    assert not cache.touch("one")
    assert cache.add("one", 2, 60)
    assert cache.get("one") == 2


def test_what_is_over_goes_as_others_are_counted(cache: BaseCache, clock: time_machine.Traveller) -> None:
    for number in range(50):
        cache.set(f"old-{number}", 1, 60)
    clock.shift(timedelta(seconds=61))
    cache.set("new", 1, 60)
    assert list(Count.objects.values_list("key", flat=True)) == [":1:new"]


def test_what_was_over_and_is_counted_anew_meanwhile_stays(cache: BaseCache, clock: time_machine.Traveller) -> None:
    cache.set("one", 1, 60)
    clock.shift(timedelta(seconds=61))

    def count_meanwhile(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if sql.startswith("DELETE"):
            # Another request, between the moment when what is over was looked for and the one when it goes.
            Count.objects.update(value="2", expires_at=timezone.now() + timedelta(seconds=60))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count_meanwhile):
        cache.set("two", 1, 60)
    assert cache.get("one") == 2


def test_one_address_makes_a_few_rows_however_many_names_it_types(client: Client, vera: Member) -> None:
    for number in range(60):
        client.post("/sign-in/", {"login": f"name-{number}", "password": "wrong"})
        client.post("/password/forgotten/", {"login": f"name-{number}"})
    assert Count.objects.count() < 40


def test_a_throttle_holds_over_the_end_of_the_process(deployment: Deployment) -> None:
    with deployment.open_portals(1) as (portal,):
        for _ in range(5):
            assert portal.try_to_sign_in("vera", "wrong")[0].status_code == 200
        portal.kill()
    with deployment.open_portals(1) as (portal,):
        refused, _ = portal.try_to_sign_in("vera", deployment.password)
    assert refused.status_code == 200
    assert "Too many failed attempts" in refused.text
