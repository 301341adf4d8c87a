"""Messages between two pages: in a cookie, so that showing one writes nothing to the database."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class HostCookieStorage(CookieStorage):
    """Django's own, under a name that binds the cookie to this host, as session and CSRF cookie are."""

    @property
    def cookie_name(self) -> str:  # type: ignore[override]
        return "messages" if settings.PLAIN_HTTP else "__Host-messages"
