"""Rate limits as in api/rate-limits: requests per minute and hour, counted per credential."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

MINUTE = 60
HOUR = 3600


@dataclass(frozen=True)
class RateLimitStatus:
    """A credential's usage after a request. `retry_after` (seconds) is set if the request exceeds the limit."""

    limit: int
    remaining: int
    reset_at: int
    retry_after: int | None = None

    def headers(self) -> Mapping[str, str]:
        given = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_at),
        }
        return given if self.retry_after is None else {**given, "Retry-After": str(self.retry_after)}


@dataclass
class _Window:
    ends_at: float
    used: int = 0


@dataclass
class RateLimiter:
    """Fixed windows that start with their first request. Rejected requests are not counted."""

    per_minute: int
    per_hour: int
    windows: dict[tuple[str, int], _Window] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def count(self, who: str) -> RateLimitStatus:
        """Count one request of this caller, unless it exceeds the limit."""
        now = time.time()
        with self.lock:
            minute, hour = self._window(who, MINUTE, now), self._window(who, HOUR, now)
            left = min(self.per_minute - minute.used, self.per_hour - hour.used)
            if left <= 0:
                ends_at = hour.ends_at if self.per_hour <= hour.used else minute.ends_at
                wait = max(1, math.ceil(ends_at - now))
                return RateLimitStatus(self.per_minute, 0, math.ceil(ends_at), retry_after=wait)
            minute.used += 1
            hour.used += 1
            return RateLimitStatus(self.per_minute, min(left, self.per_minute) - 1, math.ceil(minute.ends_at))

    def _window(self, who: str, seconds: int, now: float) -> _Window:
        window = self.windows.get((who, seconds))
        if window is None or window.ends_at <= now:
            window = self.windows[who, seconds] = _Window(ends_at=now + seconds)
        return window
