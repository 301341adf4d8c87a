"""Headers that every answer carries, and one log line for each request. Knows nothing of people."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django_structlog.middlewares import RequestMiddleware

from portal.web.addresses import read_address
from portal.web.paths import describe_path

# Passkeys are asked for and made on the portal's own pages; everything else is asked of nobody.
_PERMISSIONS = ", ".join(
    f"{feature}={'(self)' if feature.startswith('publickey-') else '()'}"
    for feature in (
        "accelerometer",
        "autoplay",
        "browsing-topics",
        "camera",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "picture-in-picture",
        "publickey-credentials-create",
        "publickey-credentials-get",
        "screen-wake-lock",
        "usb",
        "xr-spatial-tracking",
    )
)
HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # Django's own middleware sets it for pages; files and refusals do not get as far.
    "X-Frame-Options": "DENY",
}


class SecurityHeadersMiddleware:
    """Outermost, so that answers made by other middleware carry the headers, too.

    Django's own are set from here as well: where they stand in the list, neither a refused host name nor a static
    file would have them all.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.djangos = (SecurityMiddleware(get_response), XFrameOptionsMiddleware(get_response))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for middleware in self.djangos:
            middleware.process_response(request, response)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not _is_static_file(request, response):
            response.headers["Cache-Control"] = "no-store"
            # Browsers read it with pages alone. Five files of a first visit would carry 1.7 KB of it.
            response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


def _is_static_file(request: HttpRequest, response: HttpResponse) -> bool:
    """A file that was there. The page that says that there is none is a page."""
    return request.path_info.startswith(settings.STATIC_URL) and response.status_code in {200, 206, 304}


class EncodingMiddleware:
    """Everything that is sent is read as UTF-8, as all forms of the portal are. A request may name another encoding,
    and Python's names of such include some that decode no text.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.encoding = "utf-8"
        return self.get_response(request)


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's, with the route and the time taken, and of the address what `describe_path` shows.

    The request id goes into `X-Request-Id`, too. The member is bound by `AccessMiddleware`: asking for her here would
    need the database even where an answer must do without.
    """

    def prepare(self, request: HttpRequest) -> None:
        request.started_at = time.monotonic()  # type: ignore[attr-defined]
        super().prepare(request)
        structlog.contextvars.bind_contextvars(address=read_address(request))

    def process_view(
        self, request: HttpRequest, _view: Callable[..., Any], _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> None:
        match = request.resolver_match
        structlog.contextvars.bind_contextvars(route=match.view_name if match else None)

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        elapsed_seconds = time.monotonic() - request.started_at  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(milliseconds=round(elapsed_seconds * 1000))
        response.headers["X-Request-Id"] = structlog.contextvars.get_contextvars()["request_id"]
        super().handle_response(request, response)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {describe_path(request)}"
