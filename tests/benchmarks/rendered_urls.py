"""The portal's routes, with a table cache of size zero."""

from portal.core.fragment_cache import LruCache
from portal.instances import table
from tests.benchmarks.urls import handler400, handler403, handler404, handler429, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler429", "handler500", "urlpatterns"]

table._cache = LruCache(most_bytes=0)
