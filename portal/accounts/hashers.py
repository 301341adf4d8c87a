"""Hashes passwords with Argon2id, with limited concurrency.

Anyone can cause a hash by sending a sign-in form, and rate limits per IP address don't stop a client with many
addresses. This limits the memory and CPU that hashing can use.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDoneError
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection

# Timeout for a request that waits for its turn.
WAIT_SECONDS = 2.0
RETRY_AFTER_SECONDS = 5
MOST_AT_ONCE = 4

# One per core, divided by the number of processes: more would only slow each one down.
AT_ONCE = min(max(1, (os.cpu_count() or 1) // settings.WEB_CONCURRENCY), MOST_AT_ONCE)
# The other threads remain available for pages.
MOST_ADMITTED = max(AT_ONCE + 1, settings.WEB_THREADS // 4)

P = ParamSpec("P")
T = TypeVar("T")

# A separate thread pool: the allocator keeps freed memory per thread, which is 19 MiB per hash.
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
_admitted = BoundedSemaphore(MOST_ADMITTED)


class BusyError(Exception):
    """Too many passwords are being hashed. The password was not checked."""


def run_in_turn(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Hash in the thread pool. Raises `BusyError` if too many requests are waiting, or after `WAIT_SECONDS`.

    A request that waits holds no database connection, because there are only a few.
    """
    if not _admitted.acquire(blocking=False):
        raise BusyError
    try:
        if not connection.in_atomic_block:
            connection.close()
        future = _threads.submit(work, *args, **kwargs)
        try:
            return future.result(WAIT_SECONDS)
        except NotDoneError:
            if future.cancel():
                raise BusyError from None
            # It is running already and takes only a moment.
            return future.result()
    finally:
        _admitted.release()


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id with parameters from OWASP's Password Storage Cheat Sheet. Django's defaults use five times the memory.

    Hashes with other parameters are still verified, and rehashed at the next sign-in.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return run_in_turn(super().encode, password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        return run_in_turn(super().verify, password, encoded)
