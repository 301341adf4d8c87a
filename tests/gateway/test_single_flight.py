from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event, Semaphore
from time import sleep

import pytest

from portal.bycloud import TimedOut, Unreachable
from portal.gateway.concurrency import SingleFlight


def join_together(
    flights: SingleFlight[int], followers: int, *, error: Exception | None = None
) -> list[int | Exception]:
    """What a leader and its followers get, who all joined before the leader's call ended; each call counts one up."""
    begun, may_land = Event(), Event()
    calls = count(1)

    def fetch() -> int:
        begun.set()
        may_land.wait(5)
        if error:
            raise error
        return next(calls)

    def join(arrived: Semaphore) -> int | Exception:
        arrived.release()
        try:
            return flights.join("a", fetch, timeout_seconds=5)
        except Unreachable as problem:
            return problem

    arrived = Semaphore(0)
    with ThreadPoolExecutor(followers + 1) as pool:
        results = [pool.submit(join, arrived)]
        begun.wait(5)
        results += [pool.submit(join, arrived) for _ in range(followers)]
        for _ in range(followers + 1):
            arrived.acquire(timeout=5)
        sleep(0.1)  # From the semaphore to the flight's lock is one line; this is ample.
        may_land.set()
        return [result.result(5) for result in results]


def test_calls_for_one_key_that_arrive_together_are_made_once() -> None:
    assert join_together(SingleFlight(), followers=9) == [1] * 10


def test_an_error_reaches_everyone_who_joined_and_the_next_call_tries_again() -> None:
    flights: SingleFlight[int] = SingleFlight()
    error = Unreachable("No connection")
    assert join_together(flights, followers=3, error=error) == [error] * 4
    assert flights.join("a", lambda: 8, timeout_seconds=5) == 8


def test_a_call_that_joined_waits_no_longer_than_the_deadline() -> None:
    flights: SingleFlight[int] = SingleFlight()
    begun, may_land = Event(), Event()

    def hang() -> int:
        begun.set()
        may_land.wait(5)
        return 7

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flights.join, "a", hang, timeout_seconds=5)
        begun.wait(5)
        with pytest.raises(TimedOut):
            flights.join("a", lambda: 8, timeout_seconds=0.01)
        may_land.set()
        assert leader.result(5) == 7


def test_other_keys_fly_by_themselves() -> None:
    flights: SingleFlight[int] = SingleFlight()
    assert flights.join("a", lambda: flights.join("b", lambda: 2, timeout_seconds=1), timeout_seconds=1) == 2
