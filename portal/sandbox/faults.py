"""Scripted faults in the next responses, as data."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from portal.sandbox import bodies, malformed
from portal.sandbox.filters import Json
from portal.sandbox.http import Delivery, Response, encode, error_response

DELIVERIES: tuple[str, ...] = get_args(Delivery)
MODES = (*DELIVERIES, *bodies.BODIES, *malformed.DISTORTIONS, "redirect", "byte-order-mark")
LARGEST_BODY = 256 * 1024 * 1024
_OK = 200
_FIRST_ERROR = 400


class FaultError(ValueError):
    """An invalid fault; the message says why."""


@dataclass
class ScriptedFault:
    """`times` None means always. `body` is a text to send as it is, or a JSON value. A header set to None is
    removed.
    """

    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: Any = None
    delay: float = 0.0
    mode: str = "whole"
    interval: float = 0.05
    bytes: int | None = None
    location: str | None = None
    organization: str | None = None
    match: str = ""
    has_body: bool = False

    def matches(self, *, organization: str | None, query: str) -> bool:
        return (self.organization is None or self.organization == organization) and self.match in query


def read_fault(given: Json) -> ScriptedFault:
    """Parse a fault from its JSON form. Raises `FaultError`."""
    unknown = set(given) - _FIELDS
    if unknown:
        raise FaultError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(sorted(_FIELDS))}")
    for name, kinds in _KINDS.items():
        value = given.get(name)
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise FaultError(f"{name} has the wrong type")
    fault = ScriptedFault(**{name: value for name, value in given.items() if value is not None or name == "times"})
    fault.has_body = "body" in given
    if not all(
        isinstance(value, str | None) and _HEADER.fullmatch(f"{key}:{value}") for key, value in fault.headers.items()
    ):
        raise FaultError("headers is an object of texts without line breaks, or null")
    if fault.mode not in MODES:
        raise FaultError(f"mode is none of {', '.join(MODES)}")
    if fault.status is not None and not 200 <= fault.status <= 599:  # noqa: PLR2004
        raise FaultError("status is not between 200 and 599")
    if (fault.times is not None and fault.times < 1) or fault.delay < 0 or fault.interval < 0:
        raise FaultError("times is at least 1 (or null: always); delay and interval are not negative")
    if fault.bytes is not None and not 0 < fault.bytes <= LARGEST_BODY:
        raise FaultError(f"bytes is between 1 and {LARGEST_BODY}")
    return fault


def take_fault(faults: list[ScriptedFault], *, organization: str | None, query: str) -> ScriptedFault | None:
    """The first matching fault. Its count is reduced, and it is removed from the list when it is used up."""
    for fault in faults:
        if fault.matches(organization=organization, query=query):
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    faults.remove(fault)
            return fault
    return None


def spoil(
    fault: ScriptedFault, *, regular: Callable[[], Response], page: Callable[[bool], Json | None], request_id: str
) -> Response:
    """The response with the fault applied. `regular` makes the response without it.

    `page` makes the page inside it (True: the first page, whatever the marker), or returns None if there is none.
    """
    answer = _content(fault, regular=regular, page=page, request_id=request_id)
    return replace(
        answer,
        wait_seconds=fault.delay,
        delivery=cast("Delivery", fault.mode) if fault.mode in DELIVERIES else "whole",
        drip_seconds=fault.interval,
    )


def _content(
    fault: ScriptedFault, *, regular: Callable[[], Response], page: Callable[[bool], Json | None], request_id: str
) -> Response:
    status, mode = fault.status, fault.mode
    if fault.has_body:
        body = fault.body.encode("utf-8", "surrogatepass") if isinstance(fault.body, str) else encode(fault.body)
        return Response(status or _OK, body, {"Content-Type": "application/json"})
    if mode in bodies.BODIES:
        body, headers = bodies.BODIES[mode](fault.bytes)
        return Response(status or _OK, body, headers)
    if mode == "redirect":
        return Response(status or 302, b"", {"Location": fault.location or "/v1/instances?redirected=yes"})
    if mode in malformed.DISTORTIONS and (found := page(mode == "endless")) is not None:
        return Response(status or _OK, encode(malformed.DISTORTIONS[mode](found)), {"Content-Type": "application/json"})
    if status is not None and status >= _FIRST_ERROR:
        return error_response(status, request_id=request_id, details="A scripted fault")
    answer = regular()
    mark = codecs.BOM_UTF8 if mode == "byte-order-mark" else b""
    return replace(answer, status=status or answer.status, body=mark + answer.body)


_NUMBER = (int, float)
_HEADER = re.compile(r"\A[A-Za-z0-9-]+:[^\r\n]*")
_KINDS: dict[str, tuple[type, ...]] = {
    "times": (int,),
    "status": (int,),
    "headers": (dict,),
    "delay": _NUMBER,
    "mode": (str,),
    "interval": _NUMBER,
    "bytes": (int,),
    "location": (str,),
    "organization": (str,),
    "match": (str,),
}
_FIELDS = {*_KINDS, "body"}
