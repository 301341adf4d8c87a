"""The portal's routes, with no room for tables that are kept."""

from portal.instances import tables
from portal.web.kept import Shelf
from tests.benchmarks.urls import handler400, handler403, handler404, handler429, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler429", "handler500", "urlpatterns"]

tables._shelf = Shelf(most_bytes=0)
