"""Flash messages in a cookie, so that showing one needs no database write."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class HostCookieStorage(CookieStorage):
    """Django's cookie storage with the `__Host-` prefix, like the session and CSRF cookies."""

    @property
    def cookie_name(self) -> str:  # type: ignore[override]
        return "messages" if settings.PLAIN_HTTP else "__Host-messages"
