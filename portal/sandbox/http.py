"""Requests and responses as plain values. `server.py` writes them to the socket."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

Delivery = Literal["whole", "close", "reset", "cut", "drip", "drip-head"]


@dataclass(frozen=True)
class Request:
    """Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """`delivery` says how it is sent: whole and at once, or broken in one of the ways that tests can script."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    delivery: Delivery = "whole"
    drip_seconds: float = 0.05


def merge_headers(*layers: Mapping[str, str | None]) -> dict[str, str]:
    """Later headers replace earlier ones, case-insensitively; None removes a header."""
    merged: dict[str, tuple[str, str | None]] = {}
    for layer in layers:
        merged |= {name.lower(): (name, value) for name, value in layer.items()}
    return {name: value for name, value in merged.values() if value is not None}


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, encode(value), {"Content-Type": "application/json", **(headers or {})})


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def new_request_id() -> str:
    return f"req-{uuid.uuid4()}"


def error_response(
    status: int,
    *,
    details: str | None = None,
    message: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The error envelope of api/errors. The body of a 429 has no request id, as in api/rate-limits."""
    error: dict[str, Any] = {"code": status, "message": message or _MESSAGES.get(status) or _phrase(status)}
    if details is not None:
        error["details"] = details
    if request_id is not None and status != HTTPStatus.TOO_MANY_REQUESTS:
        error["request_id"] = request_id
    return json_response({"error": error}, status=status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_MESSAGES = {
    400: "Invalid request parameters",
    401: "Authentication required or token invalid",
    403: "You are not allowed to list instances",
    404: "Not found",
    405: "Method not allowed",
    429: "Rate limit exceeded",
    500: "Internal server error",
    503: "Service unavailable",
}
