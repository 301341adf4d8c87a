"""The one way upstream: dated pages and joined requests. Views ask here and never hold a client."""

from portal.gateway.access import Access
from portal.gateway.budget import Meter, Window, read_meter
from portal.gateway.errors import BudgetSpent, Busy, TriesSpent
from portal.gateway.freshness import Asking, Dated, Exchange, StoredInstance, Trouble, Troubled
from portal.gateway.page_sizes import learn_largest_page, read_largest_page
from portal.gateway.reader import check_credential, forget_instance, read_instance, read_page
from portal.gateway.store import recall, remember
from portal.gateway.uses import Use, read_use

__all__ = [
    "Access",
    "Asking",
    "BudgetSpent",
    "Busy",
    "Dated",
    "Exchange",
    "Meter",
    "StoredInstance",
    "TriesSpent",
    "Trouble",
    "Troubled",
    "Use",
    "Window",
    "check_credential",
    "forget_instance",
    "learn_largest_page",
    "read_instance",
    "read_largest_page",
    "read_meter",
    "read_page",
    "read_use",
    "recall",
    "remember",
]
