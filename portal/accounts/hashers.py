"""Passwords are hashed by Argon2id, a few at a time.

Anybody can ask for a hash by sending a sign-in form, and limits per address do not hold those who have many addresses:
what they can take of memory and cores is bounded here.
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

# How long a request waits for its turn.
WAIT_SECONDS = 2.0
RETRY_AFTER_SECONDS = 5
MOST_AT_ONCE = 4

# One per core of what the processes of this machine share: more would only make each slower.
AT_ONCE = min(max(1, (os.cpu_count() or 1) // settings.WEB_CONCURRENCY), MOST_AT_ONCE)
# The other threads are for pages.
MOST_ADMITTED = max(AT_ONCE + 1, settings.WEB_THREADS // 4)

P = ParamSpec("P")
T = TypeVar("T")

# Threads of their own: the allocator keeps for each thread what that thread has freed, which is 19 MiB per hash.
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
_admitted = BoundedSemaphore(MOST_ADMITTED)


class BusyError(Exception):
    """As many passwords as this process hashes are being hashed already. Nothing is known about this one."""


def take_turn(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Hash in turn. Raises `BusyError` at once when too many wait already, or after `WAIT_SECONDS`.

    A request that waits holds no database connection: many may wait, and a server has few.
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
            # It has begun, and takes a moment.
            return future.result()
    finally:
        _admitted.release()


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id with parameters of OWASP's Password Storage Cheat Sheet. Django's take five times the memory.

    Hashes that were made with others are verified with theirs, and made anew at the next sign-in.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return take_turn(super().encode, password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        return take_turn(super().verify, password, encoded)
