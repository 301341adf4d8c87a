"""The sandbox's control API under `/_sandbox/`, for tests and demos: faults, changes, the request log, the rate limits.

It needs no credential: by default the sandbox listens on loopback only, and it holds nothing to protect.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from portal.sandbox.changes import ChangeError, change_instance
from portal.sandbox.faults import FaultError, read_fault
from portal.sandbox.filters import LARGEST_LIMIT, UUID, Json
from portal.sandbox.fleet import Fleet
from portal.sandbox.http import Request, Response, error_response, json_response
from portal.sandbox.limits import RateLimiter
from portal.sandbox.service import Service

PREFIX = "/_sandbox/"
_INSTANCE = re.compile(rf"instances/({UUID.pattern})")
_NO_CONTENT = Response(204)


class ControlError(ValueError):
    """An invalid control request."""


def answer(service: Service, request: Request) -> Response:
    """The response to a control request."""
    path = request.path.removeprefix(PREFIX).rstrip("/")
    match = _INSTANCE.fullmatch(path)
    name, identifier = ("instances/<id>", match[1]) if match else (path, "")
    actions = {method: act for (method, known), act in _ACTIONS.items() if known == name}
    if not actions:
        return error_response(404, details=f"Known: {', '.join(sorted({known for _, known in _ACTIONS}))}")
    act = actions.get(request.method)
    if act is None:
        return error_response(405, headers={"Allow": ", ".join(sorted(actions))})
    try:
        with service.lock:
            return act(service, _read_body(request), identifier)
    except (ControlError, FaultError, ChangeError) as error:
        return error_response(400, details=str(error))


def _read_body(request: Request) -> Json:
    if not request.body:
        return {}
    try:
        value = json.loads(request.body)
    except ValueError as error:
        raise ControlError("The body is not JSON") from error
    if not isinstance(value, dict):
        raise ControlError("The body is not a JSON object")
    return value


def _reset(service: Service, _: Json, __: str) -> Response:
    service.reset()
    return _NO_CONTENT


def _script_fault(service: Service, body: Json, _: str) -> Response:
    service.faults.append(read_fault(body))
    return json_response({"faults": len(service.faults)}, status=201)


def _clear_faults(service: Service, _: Json, __: str) -> Response:
    service.faults.clear()
    return _NO_CONTENT


def _list_requests(service: Service, _: Json, __: str) -> Response:
    return json_response(list(service.log))


def _clear_requests(service: Service, _: Json, __: str) -> Response:
    service.log.clear()
    return _NO_CONTENT


def _set_limits(service: Service, body: Json, _: str) -> Response:
    per_minute, per_hour = body.get("per_minute", service.rate_per_minute), body.get("per_hour", service.rate_per_hour)
    if not all(type(value) is int and value >= 0 for value in (per_minute, per_hour)):
        raise ControlError("per_minute and per_hour are whole numbers")
    largest, refuses = (
        body.get("largest_page", service.largest_page),
        body.get("refuses_larger", service.refuses_larger),
    )
    if type(largest) is not int or not 1 <= largest <= LARGEST_LIMIT or not isinstance(refuses, bool):
        raise ControlError(f"largest_page is a whole number from 1 to {LARGEST_LIMIT}, refuses_larger true or false")
    service.limits = RateLimiter(per_minute, per_hour)
    service.largest_page, service.refuses_larger = largest, refuses
    return _NO_CONTENT


def _create_instances(service: Service, body: Json, _: str) -> Response:
    fleet, count = service.fleets.get(body.get("organization", "acme")), body.get("count", 1)
    if fleet is None or type(count) is not int or not 1 <= count <= LARGEST_LIMIT:
        raise ControlError(f"organization is a known one, count a whole number from 1 to {LARGEST_LIMIT}")
    return json_response(fleet.create(count, service.now()), status=201)


def _read_instance(service: Service, _: Json, identifier: str) -> Response:
    found = _find(service, identifier)
    instance = found and found[0].find_instance(found[1], service.now())
    return json_response(instance) if instance else error_response(404, details="No such instance")


def _change_instance(service: Service, body: Json, identifier: str) -> Response:
    found = _find(service, identifier)
    if found is None:
        return error_response(404, details="No such instance")
    fleet, number = found
    changed = change_instance(fleet, number, body, settle_seconds=service.settle_seconds)
    return json_response(changed) if changed else error_response(404, details="The instance is gone")


def _find(service: Service, identifier: str) -> tuple[Fleet, int] | None:
    """The fleet with this instance id, and the instance's number in it."""
    for fleet in service.fleets.values():
        number = fleet.find_number(identifier)
        if number is not None:
            return fleet, number
    return None


_ACTIONS: dict[tuple[str, str], Callable[[Service, Any, str], Response]] = {
    ("POST", "reset"): _reset,
    ("POST", "faults"): _script_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "requests"): _list_requests,
    ("DELETE", "requests"): _clear_requests,
    ("POST", "limits"): _set_limits,
    ("POST", "instances"): _create_instances,
    ("GET", "instances/<id>"): _read_instance,
    ("POST", "instances/<id>"): _change_instance,
}
