"""All ways in which upstream may fail, as in `docs/reliability.md`: how to script them, and what members see.

The journey tests and the fault table use this list.
"""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """`script` is for the sandbox. `status` is the answer's when nothing was seen before; 200 with rows is a fault that
    does no harm. `said` stands on the page.
    """

    name: str
    said: str
    status: int = 502
    script: Mapping[str, object] = field(default_factory=dict)
    takes_the_deadline: bool = False

    @property
    def is_survived(self) -> bool:
        return self.status == 200


REFUSED = "ByCloud rejected this request"
UNREADABLE = "Unexpected response from ByCloud"
UNREACHABLE = "ByCloud can't be reached"
TOO_LATE = "ByCloud did not answer in time"
ROWS = "20 of"


def _status(status: int, said: str, answered: int = 502, **script: object) -> Fault:
    return Fault(str(status), said, answered, {"status": status, **script})


def _mode(mode: str, said: str, status: int = 502, *, takes_the_deadline: bool = False, **script: object) -> Fault:
    return Fault(mode, said, status, {"mode": mode, **script}, takes_the_deadline)


SCRIPTED = (
    *(_status(status, REFUSED) for status in (400, 404, 409, 418, 422)),
    _status(401, "rejected your token", 403),
    _status(403, "Your ByCloud token isn't allowed to list instances", 403),
    Fault(
        "429 with Retry-After: 18",
        "Paused for 18 s to stay within 60 requests a minute",
        503,
        {"status": 429, "headers": {"Retry-After": "18"}},
    ),
    Fault(
        "429 without Retry-After",
        "to stay within",
        503,
        {"status": 429, "headers": {"Retry-After": None, "X-RateLimit-Reset": None}},
    ),
    _status(500, "ByCloud is unavailable (500)"),
    _status(502, "ByCloud is unavailable (502)"),
    _status(503, "ByCloud is unavailable (503)", 503),
    _status(504, "ByCloud is unavailable (504)", 504),
    _mode("close", UNREACHABLE),
    _mode("reset", UNREACHABLE),
    _mode("cut", UNREACHABLE),
    Fault("no answer", TOO_LATE, 504, {"delay": 30}, takes_the_deadline=True),
    _mode("drip", TOO_LATE, 504, takes_the_deadline=True),
    _mode("drip-head", TOO_LATE, 504, takes_the_deadline=True),
    *(_mode(mode, UNREADABLE) for mode in ("not-json", "html", "array", "empty", "empty-object")),
    _mode("no-instances", f"{UNREADABLE} The response doesn't match ByCloud's documentation."),
    _mode("null-page", UNREADABLE),
    _mode("emptied", f"{UNREADABLE} The response doesn't match ByCloud's documentation."),
    _mode("huge", "The answer is larger than the portal takes"),
    _mode("gzip-bomb", "The answer is larger than the portal takes"),
    _mode("redirect", UNREADABLE),
    Fault("redirect to another host", UNREADABLE, 502, {"mode": "redirect", "location": "http://203.0.113.9/v1"}),
    _mode("links-elsewhere", "1–20 of 150", 200),
    _mode("endless", "1–20 of", 200),
    _mode("duplicates", "1–", 200),
    _mode("no-meta", "1–20", 200),
    _mode("no-links", "1–20 of 150", 200),
    _mode("nulls", "no name", 200),
    _mode("only-ids", "No state", 200),
    _mode("unknown-fields", "1–20 of 150", 200),
    _mode("unknown-status", "MELTING", 200),
    _mode("wrong-types", "unreadable", 200),
    _mode("odd-times", "unreadable", 200),
    _mode("odd-records", "unreadable", 200),
    _mode("no-records", "This record cannot be read", 200),
    _mode("byte-order-mark", "1–20 of 150", 200),
    _mode("too-many", "ByCloud sent 49,980 more instances than requested", 200),
    _mode("crowded", "and 999,970 more", 200),
    _mode("overlong", "SSSS…", 200),
    _mode("hostile", "1–20 of 150", 200),
)


@dataclass(frozen=True)
class Region:
    """A fault that no answer can have: where the region's address leads."""

    name: str
    url: str
    said: str
    status: int = 502


@contextlib.contextmanager
def open_regions() -> Iterator[tuple[Region, ...]]:
    """Addresses at which nothing can be had."""
    with socket.socket() as closed, socket.socket() as full, contextlib.ExitStack() as waiting:
        closed.bind(("127.0.0.1", 0))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # What does not fit into its queue is never answered: a connection to it hangs.
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield (
            Region("refused connection", f"http://127.0.0.1:{closed.getsockname()[1]}", UNREACHABLE),
            Region("unknown host name", "http://nowhere.invalid", UNREACHABLE),
            Region("connect time-out", f"http://127.0.0.1:{full.getsockname()[1]}", TOO_LATE, 504),
        )
