"""Parses ByCloud's error responses: the envelope of api/errors and the headers of api/rate-limits.

The parser is lenient: any part may be missing, have another type, or not be JSON at all.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from portal.bycloud.errors import (
    ByCloudError,
    Forbidden,
    InvalidRequest,
    InvalidResponse,
    RateLimit,
    RateLimited,
    ServerFault,
    Unauthorized,
)
from portal.bycloud.transport import Reply

MESSAGE_LENGTH = 300
DETAILS_LENGTH = 2000
REQUEST_ID_LENGTH = 100
LONGEST_WAIT_SECONDS = 24 * 60 * 60


_DECODER = msgspec.json.Decoder()
_DIGITS = re.compile(r"[0-9]{1,18}")


def read_error_response(reply: Reply, *, secret: str, now: datetime) -> ByCloudError:
    """The error for a response other than 200. If the response contains the secret, it is removed."""
    envelope = _read_envelope(reply.body)
    status = reply.status
    message = clean(envelope.get("message"), MESSAGE_LENGTH, secret) or f"ByCloud answered with status {status}"
    details = clean(envelope.get("details"), DETAILS_LENGTH, secret)
    request_id = clean(envelope.get("request_id"), REQUEST_ID_LENGTH, secret) or read_request_id(reply, secret=secret)
    if status < 400:  # noqa: PLR2004 -- well-known HTTP status classes
        message = f"ByCloud answered with status {status}, which its docs do not describe"
        return InvalidResponse(message, status=status, request_id=request_id)
    if status == 429:  # noqa: PLR2004
        retry_at = read_retry_at(reply.headers, now=now)
        return RateLimited(message, status=status, details=details, request_id=request_id, retry_at=retry_at)
    if status >= 500:  # noqa: PLR2004
        retry_at = _find_named_time(reply.headers, now)
        return ServerFault(message, status=status, details=details, request_id=request_id, retry_at=retry_at)
    kind: type[ByCloudError] = {401: Unauthorized, 403: Forbidden}.get(status, InvalidRequest)
    return kind(message, status=status, details=details, request_id=request_id)


def read_request_id(reply: Reply, *, secret: str) -> str | None:
    """`X-Request-Id`, made safe to show."""
    return clean(reply.headers.get("X-Request-Id"), REQUEST_ID_LENGTH, secret)


def read_retry_at(headers: Mapping[str, str], *, now: datetime) -> datetime | None:
    """When to retry, from `Retry-After`, else from `X-RateLimit-Reset` (Unix time).

    None if the header is invalid or in the past, or if the window would end in more than a day.
    """
    return _find_named_time(headers, now) or _find_moment(_read_reset_seconds(headers, now), now)


def read_wait_seconds(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """How long `Retry-After` asks to wait: seconds or an HTTP date (RFC 9110, 10.2.3). Negative if in the past."""
    text = headers.get("Retry-After", "").strip()
    if _DIGITS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def read_rate_limit(headers: Mapping[str, str], *, now: datetime) -> RateLimit | None:
    """The limit per minute by ByCloud's own count (api/rate-limits), or None if the headers do not have it."""
    limit, remaining = (headers.get(f"X-RateLimit-{name}", "").strip() for name in ("Limit", "Remaining"))
    if not (_DIGITS.fullmatch(limit) and _DIGITS.fullmatch(remaining)) or int(limit) == 0:
        return None
    return RateLimit(int(limit), int(remaining), _find_moment(_read_reset_seconds(headers, now), now))


def clean(value: object, most: int, secret: str) -> str | None:
    """Untrusted text, made safe: one line, no control or direction marks, no secret, at most `most` characters."""
    if not isinstance(value, str):
        return None
    text = "".join(character for character in " ".join(value.split()) if character.isprintable())
    text = text.replace(secret, "…")
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    return text or None


def _read_envelope(body: bytes) -> dict[str, object]:
    try:
        answer = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _read_reset_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("X-RateLimit-Reset", "").strip()
    return float(text) - now.timestamp() if _DIGITS.fullmatch(text) else None


def _find_named_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """From `Retry-After`. More than a day is cut to a day, because no backoff is stored for longer."""
    seconds = read_wait_seconds(headers, now=now)
    return None if seconds is None else _find_moment(min(seconds, LONGEST_WAIT_SECONDS), now)


def _find_moment(seconds: float | None, now: datetime) -> datetime | None:
    if seconds is None or not 0 < seconds <= LONGEST_WAIT_SECONDS:
        return None
    return now + timedelta(seconds=seconds)
