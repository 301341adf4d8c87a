from collections.abc import Sequence
from typing import Any

from django.core.cache import caches
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004

from portal.gateway.failover_cache import FailoverCache


@register(Tags.caches, deploy=True)
def check_counters_are_kept(**_rest: Any) -> Sequence[CheckMessage]:
    """Queries the Redis server, so it runs only with `check --deploy` and when gunicorn starts."""
    counters = caches["counters"]
    policy = counters.find_eviction_policy() if isinstance(counters, FailoverCache) else None
    if policy is None:
        return []
    return [
        Warning(
            f"The Redis of COUNTERS_URL has maxmemory-policy {policy}: a full one drops pauses and what is spent of"
            " ByCloud's limit.",
            hint="Set COUNTERS_URL to a Redis with maxmemory-policy noeviction; pages stay at CACHE_URL.",
            id="portal.W027",
        )
    ]
