from time import monotonic, sleep

from django.core.cache import caches

from portal.gateway.locks import LOCK_SECONDS, SHORT_LOCK_SECONDS, acquire_lock, short_lock


def test_a_name_has_one_holder_at_a_time() -> None:
    lock = acquire_lock("page")
    assert lock
    assert acquire_lock("page") is None
    lock.release()
    again = acquire_lock("page")
    assert again
    again.release()


def test_a_lease_outlives_its_seconds_while_its_holder_lives() -> None:
    lock = acquire_lock("page")
    assert lock
    sleep(LOCK_SECONDS + 1)
    assert acquire_lock("page") is None
    lock.release()


def test_the_lease_of_a_dead_holder_ends_by_itself() -> None:
    caches["counters"].add("page", b"the token of a process that died", 1)
    assert acquire_lock("page") is None
    sleep(1.1)
    lock = acquire_lock("page")
    assert lock
    lock.release()


def test_a_lease_that_ran_out_does_not_take_away_the_next_holders() -> None:
    late = acquire_lock("page")
    assert late
    caches["counters"].set("page", b"the next holder's token", 5)
    late.release()
    assert caches["counters"].get("page") == b"the next holder's token"


def test_a_brief_hold_waits_its_turn_and_lets_go() -> None:
    with short_lock("ledger", patience_seconds=1) as is_held:
        assert is_held
        begun = monotonic()
        with short_lock("ledger", patience_seconds=0.1) as is_held_too:
            assert not is_held_too
        assert monotonic() - begun >= 0.1
    with short_lock("ledger", patience_seconds=0) as is_held:
        assert is_held


def test_a_brief_hold_goes_on_as_soon_as_the_name_is_free() -> None:
    caches["counters"].add("ledger", b"somebody's", 0.1)
    with short_lock("ledger", patience_seconds=2) as is_held:
        assert is_held


def test_nobody_who_died_is_a_reason_to_go_on_without_the_hold() -> None:
    caches["counters"].add("ledger", b"the token of a process that died", SHORT_LOCK_SECONDS)
    with short_lock("ledger") as is_held:
        assert is_held


def test_a_brief_hold_that_ran_out_does_not_take_away_the_next_holders() -> None:
    with short_lock("ledger"):
        sleep(1.1)
        assert caches["counters"].add("ledger", b"the next holder's token", 5)
    assert caches["counters"].get("ledger") == b"the next holder's token"
