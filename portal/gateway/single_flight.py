"""Merges identical concurrent requests of this process into one."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from portal.bycloud import TimedOut

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The running calls, by key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[str, Future[T]] = {}

    def join(self, key: str, fetch: Callable[[], T], *, timeout_seconds: float) -> T:
        """The result of `fetch`, or of a running call with the same key. Errors are shared in the same way.

        A call that joins another raises `TimedOut` after `timeout_seconds`.
        """
        with self._lock:
            flight = self._under_way.get(key)
            leads = flight is None
            if flight is None:
                flight = self._under_way[key] = Future()
        if not leads:
            try:
                return flight.result(timeout_seconds)
            except TimeoutError:
                raise TimedOut("The request that was joined did not end in time") from None
        try:
            result = fetch()
        except BaseException as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(result)
            return result
        finally:
            with self._lock:
                del self._under_way[key]
