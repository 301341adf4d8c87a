from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from portal.bycloud import TimedOut, Unreachable
from portal.gateway.flight import Flights


def test_calls_for_one_key_that_arrive_together_are_made_once() -> None:
    flights: Flights[int] = Flights()
    may_land = Event()
    made: list[int] = []

    def fetch() -> int:
        made.append(1)
        may_land.wait(5)
        return 7

    with ThreadPoolExecutor(10) as pool:
        results = [pool.submit(flights.join, "a", fetch, timeout_seconds=5) for _ in range(10)]
        while flights_waiting(results) < 10:
            pass
        may_land.set()
        assert [result.result(5) for result in results] == [7] * 10
    assert len(made) == 1


def flights_waiting(results: list[object]) -> int:
    return sum(1 for result in results if result.running())  # type: ignore[attr-defined]


def test_an_error_reaches_everybody_who_joined_and_the_next_call_tries_again() -> None:
    flights: Flights[int] = Flights()
    begun, may_land = Event(), Event()

    def fail() -> int:
        begun.set()
        may_land.wait(5)
        raise Unreachable("No connection")

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(flights.join, "a", fail, timeout_seconds=5)
        begun.wait(5)
        follower = pool.submit(flights.join, "a", lambda: 7, timeout_seconds=5)
        while not follower.running():
            pass
        may_land.set()
        errors = [leader.exception(5), follower.exception(5)]
    assert isinstance(errors[0], Unreachable)
    assert flights.join("a", lambda: 8, timeout_seconds=5) == 8


def test_whoever_joined_waits_no_longer_than_the_deadline() -> None:
    flights: Flights[int] = Flights()
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
    flights: Flights[int] = Flights()
    assert flights.join("a", lambda: flights.join("b", lambda: 2, timeout_seconds=1), timeout_seconds=1) == 2
