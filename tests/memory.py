"""What a process of the portal remembers. Whatever is added to that is added here, too, so that no test meets it."""

from django.conf import settings
from django.core.cache import caches

from portal.gateway import ledger, pauses


def forget_everything() -> None:
    """As in a process that has just started."""
    for name in settings.CACHES:
        caches[name].clear()
    ledger.forget_what_is_known()
    pauses.forget_what_is_known()
