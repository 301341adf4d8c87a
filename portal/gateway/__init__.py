"""The only way to ByCloud: a cache and single-flight requests. Views call this package and never hold a client."""

from portal.gateway.cache import (
    ApiSession,
    FoundPage,
    LastUsed,
    find_page,
    get_cached,
    learn_largest_page,
    read_largest_page,
    read_last_used,
    set_cached,
)
from portal.gateway.events import FetchedPage, page_fetched
from portal.gateway.rate_limit import Meter, Window, read_meter
from portal.gateway.results import (
    Busy,
    Cached,
    CachedInstance,
    FetchError,
    FetchFailed,
    FetchPolicy,
    RateLimitReached,
    TooManyAttempts,
    UpstreamCall,
)
from portal.gateway.service import check_credential, fetch_for_walk, read_cached_page, read_page

__all__ = [
    "ApiSession",
    "Busy",
    "Cached",
    "CachedInstance",
    "FetchError",
    "FetchFailed",
    "FetchPolicy",
    "FetchedPage",
    "FoundPage",
    "LastUsed",
    "Meter",
    "RateLimitReached",
    "TooManyAttempts",
    "UpstreamCall",
    "Window",
    "check_credential",
    "fetch_for_walk",
    "find_page",
    "get_cached",
    "learn_largest_page",
    "page_fetched",
    "read_cached_page",
    "read_largest_page",
    "read_last_used",
    "read_meter",
    "read_page",
    "set_cached",
]
