"""The one way upstream: dated pages and joined requests. Views ask here and never hold a client."""

from portal.gateway.access import Access
from portal.gateway.freshness import Asking, Dated, Exchange, StoredInstance, Trouble
from portal.gateway.reader import check_credential, read_instance, read_page
from portal.gateway.store import recall, remember

__all__ = [
    "Access",
    "Asking",
    "Dated",
    "Exchange",
    "StoredInstance",
    "Trouble",
    "check_credential",
    "read_instance",
    "read_page",
    "recall",
    "remember",
]
