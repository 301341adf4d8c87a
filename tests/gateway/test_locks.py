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


def test_a_lock_is_renewed_while_its_holder_lives() -> None:
    lock = acquire_lock("page")
    assert lock
    sleep(LOCK_SECONDS + 1)
    assert acquire_lock("page") is None
    lock.release()


def test_the_lock_of_a_dead_holder_expires() -> None:
    caches["counters"].add("page", b"the token of a process that died", 1)
    assert acquire_lock("page") is None
    sleep(1.1)
    lock = acquire_lock("page")
    assert lock
    lock.release()


def test_a_lock_that_has_expired_does_not_release_the_next_one() -> None:
    late = acquire_lock("page")
    assert late
    caches["counters"].set("page", b"the next holder's token", 5)
    late.release()
    assert caches["counters"].get("page") == b"the next holder's token"


def test_a_short_lock_waits_its_turn_and_is_released() -> None:
    with short_lock("log", patience_seconds=1) as is_held:
        assert is_held
        begun = monotonic()
        with short_lock("log", patience_seconds=0.1) as is_held_too:
            assert not is_held_too
        assert monotonic() - begun >= 0.1
    with short_lock("log", patience_seconds=0) as is_held:
        assert is_held


def test_a_short_lock_is_acquired_as_soon_as_the_name_is_free() -> None:
    caches["counters"].add("log", b"somebody's", 0.1)
    with short_lock("log", patience_seconds=2) as is_held:
        assert is_held


def test_the_short_lock_of_a_dead_holder_is_waited_out() -> None:
    caches["counters"].add("log", b"the token of a process that died", SHORT_LOCK_SECONDS)
    with short_lock("log") as is_held:
        assert is_held


def test_a_short_lock_that_has_expired_does_not_release_the_next_one() -> None:
    with short_lock("log"):
        sleep(1.1)
        assert caches["counters"].add("log", b"the next holder's token", 5)
    assert caches["counters"].get("log") == b"the next holder's token"
