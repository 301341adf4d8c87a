"""JSON responses: an instance's original JSON, and errors in the format of ByCloud's error envelope."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from portal.gateway import CachedInstance
from portal.instances.errors import ErrorNotice
from portal.instances.services import Missing


def answer(stored: CachedInstance, instance_id: str, *, is_download: bool) -> HttpResponse:
    """The original bytes; with `is_download`, as a file."""
    response = HttpResponse(stored.source, content_type="application/json")
    response.headers["X-Content-Type-Options"] = "nosniff"
    if is_download:
        response.headers["Content-Disposition"] = f'attachment; filename="instance-{instance_id}.json"'
    return response


def refuse(status: int, message: str, **more: Any) -> HttpResponse:
    response = JsonResponse({"error": {"code": int(status), "message": message} | more}, status=status)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def refuse_parameters(problems: Mapping[str, str]) -> HttpResponse:
    return refuse(HTTPStatus.BAD_REQUEST, _("Some parameters are invalid."), parameters=problems)


def refuse_for(notice: ErrorNotice) -> HttpResponse:
    """The request failed, and nothing is cached."""
    trouble = notice.trouble
    known = {"details": trouble.message, "request_id": trouble.request_id}
    return refuse(notice.status, notice.title, **{name: text for name, text in known.items() if text})


def miss(missing: Missing) -> HttpResponse:
    """Not found. `next_marker` is where the search can continue, as the parameter `marker` of the same URL."""
    return refuse(
        HTTPStatus.NOT_FOUND,
        _("Instance not found."),
        searched=missing.searched,
        total=missing.total,
        next_marker=missing.next_marker,
    )
