"""Security headers, request encoding and the request log."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django_structlog.middlewares import RequestMiddleware

from portal.core.http import describe_path, read_address

# Passkeys are used on the portal's own pages; all other features are disabled.
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
    # Django's middleware sets it for pages, but not for static files and rejected requests.
    "X-Frame-Options": "DENY",
}


class SecurityHeadersMiddleware:
    """The outermost middleware, so that responses of other middleware have the headers, too.

    It also applies Django's own security middleware: at their usual position, they would not run for an invalid host
    name or a static file.
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
    """Whether this is an existing static file. The 404 page is not."""
    return request.path_info.startswith(settings.STATIC_URL) and response.status_code in {200, 206, 304}


class EncodingMiddleware:
    """Decodes all request data as UTF-8. A request may declare another charset, and some of Python's codecs are not
    text encodings.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.encoding = "utf-8"
        return self.get_response(request)


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's middleware with the route and the duration, and with the path as in `describe_path`.

    Also sets `X-Request-Id`. `AccessMiddleware` binds the member: reading it here would query the database even for
    responses that must not need it.
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
