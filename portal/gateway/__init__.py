"""The one way upstream: dated pages and joined requests. Views ask here and never hold a client."""

from portal.gateway.api_session import Access
from portal.gateway.cache import recall, remember
from portal.gateway.errors import BudgetSpent, Busy, TriesSpent
from portal.gateway.last_used import Use, read_use
from portal.gateway.page_sizes import learn_largest_page, read_largest_page
from portal.gateway.rate_limit import Meter, Window, read_meter
from portal.gateway.results import Asking, Dated, Exchange, StoredInstance, Trouble, Troubled
from portal.gateway.service import check_credential, forget_instance, read_instance, read_page

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
