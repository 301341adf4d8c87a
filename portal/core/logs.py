"""JSON logging to standard error, with request id, member and route, and without secrets."""

import re
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

import structlog
from django.http import HttpRequest
from structlog.types import EventDict, Processor, WrappedLogger

from portal.core.http import describe_path

REMOVED = "[removed]"
# Longer texts are cut before they are searched and logged, because they may come from outside.
LONGEST_TEXT = 2_000
LONGEST_TRACEBACK = 16_000
MOST_ITEMS = 50
DEEPEST = 4
LONGEST_NUMBER = 64
_MARKS = r"authorization|api[-_]?key|token|passw|secret|cookie|credential|encrypted"
_SECRET_KEY = re.compile(_MARKS, re.IGNORECASE)
# Authorization: Bearer abc
_SCHEME = re.compile(r"\b(bearer|basic)(\s++)[^\s\"',;]++", re.IGNORECASE)
# X-Api-Key: id:secret, password=abc, "token": "abc". Each word is scanned once, from its beginning.
_PAIR = re.compile(
    rf"(?<![\w-])(?=[\w-]*?(?:{_MARKS}))([\w-]++[\"']?\s*+[:=]\s*+[\"']?)(?!(?:bearer|basic)\b)[^\s\"',;&}}]++",
    re.IGNORECASE,
)
# The URL of an invitation or a password reset link contains its token.
_LINK = re.compile(r"(/invitations/|/password/new/[^/\s]++/)[^\[/\s?\"'][^/\s?\"']*+")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last processor: removes keys and values that look like secrets and cuts long values."""
    return _redact_mapping(event, depth=0)


def _redact_mapping(mapping: Mapping[Any, Any], *, depth: int) -> dict[str, Any]:
    items = islice(mapping.items(), MOST_ITEMS)
    return {_cut(str(key)): _redact_value(_cut(str(key)), value, depth=depth) for key, value in items}


def _redact_value(key: str, value: Any, *, depth: int) -> Any:
    if _SECRET_KEY.search(key):
        return REMOVED
    if isinstance(value, Mapping) and depth < DEEPEST:
        return _redact_mapping(value, depth=depth + 1)
    if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
        return [_redact_value("", item, depth=depth + 1) for item in islice(value, MOST_ITEMS)]
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and value.bit_length() <= LONGEST_NUMBER)
    ):
        return value
    # Converting a very large integer to decimal is slow.
    text = f"{value:#x}" if isinstance(value, int) else str(value)
    return _redact_text(_cut(text, LONGEST_TRACEBACK if key in {"exception", "stack"} else LONGEST_TEXT))


def _redact_text(text: str) -> str:
    text = _SCHEME.sub(rf"\1\2{REMOVED}", text)
    text = _PAIR.sub(rf"\1{REMOVED}", text)
    return _LINK.sub(rf"\1{REMOVED}", text)


def _cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """Cut to the beginning and the end, because tracebacks end with the error."""
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[: longest - tail]} [{len(text) - longest} characters cut] {text[-tail:]}"


def hide_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove request paths from Django's and gunicorn's log lines: they may contain a pasted token."""
    record, said = event["_record"], str(event["event"])
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        # Django writes what is no plain letter as an escape.
        written = request.path.encode("unicode_escape").decode("ascii")
        event["event"] = said.replace(written, describe_path(request))
    elif record.name == "gunicorn.error" and said.startswith("Invalid request from ip="):
        event["event"], event["error"] = said.partition(": ")[0], type(sys.exc_info()[1]).__name__
    elif record.name == "gunicorn.error" and said.startswith("Error handling request"):
        event["event"] = "Error handling request"
    return event


# Without local variables, which structlog's tracebacks include: they may contain a credential.
_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                hide_request,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # RequestLogMiddleware logs the same request with more details.
        "django.request": {"level": "ERROR"},
        # Scanners send many invalid host names; each would log a traceback.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Replaces gunicorn's own handler.
        "gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED[:3],
        structlog.stdlib.PositionalArgumentsFormatter(),
        *_SHARED[3:],
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
