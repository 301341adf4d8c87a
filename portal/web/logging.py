"""JSON log lines on standard error, with request id, member and route, and without secrets."""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

REMOVED = "[removed]"
_SECRET_KEY = re.compile(r"authorization|api[-_]?key|token|passw|secret|cookie|credential|sealed", re.IGNORECASE)
_SECRET_VALUES = (
    # Authorization: Bearer abc
    (re.compile(r"\b(bearer|basic)(\s+)[^\s\"',;]+", re.IGNORECASE), rf"\1\2{REMOVED}"),
    # X-Api-Key: id:secret, password=abc, "token": "abc"
    (
        re.compile(
            r"((?:authorization|x-api-key|[\w-]*(?:token|password|secret)[\w-]*)[\"']?\s*[:=]\s*[\"']?)"
            r"(?!bearer\b|basic\b)[^\s\"',;&}]+",
            re.IGNORECASE,
        ),
        rf"\1{REMOVED}",
    ),
    # The address of an invitation is its key, and so is that of the form for a new password.
    (re.compile(r"(/invitations/|/password/new/[^/\s]+/)[^/\s?\"']+"), rf"\1{REMOVED}"),
)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last step before a line is written: no key or value that looks like a secret goes out."""
    return {key: _redact_value(key, value) for key, value in event.items()}


def _redact_value(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return REMOVED
    if isinstance(value, Mapping):
        return {inner: _redact_value(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value("", item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    for pattern, replacement in _SECRET_VALUES:
        text = pattern.sub(replacement, text)
    return text


# Without the locals that structlog's own tracebacks show: a credential may be among them.
_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
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
        # The request line of RequestLogMiddleware says the same, and more.
        "django.request": {"level": "ERROR"},
        # Scanners ask for all sorts of hosts; each would leave a traceback.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
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
