"""The sandbox without its socket: fleets, limits, faults and the request log, and how an API request is answered."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from threading import RLock

from portal.sandbox import listing
from portal.sandbox.faults import ScriptedFault, spoil, take_fault
from portal.sandbox.filters import LARGEST_LIMIT, Json, ListQuery, ParameterError, parse_query
from portal.sandbox.fleet import Fleet
from portal.sandbox.http import Request, Response, error_response, json_response, merge_headers, new_request_id
from portal.sandbox.limits import RateLimiter
from portal.sandbox.organizations import Caller, identify
from portal.sandbox.pattern import acme_pattern, globex_pattern

LOG_LENGTH = 10_000


@dataclass
class Service:
    """The state of the sandbox. Hold `lock` to read or change fleets, faults, limits or the log."""

    instances: int
    latency: float
    rate_per_minute: int
    rate_per_hour: int
    settle_seconds: float
    base_url: str = ""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    lock: RLock = field(default_factory=RLock)
    faults: list[ScriptedFault] = field(default_factory=list)
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))

    def __post_init__(self) -> None:
        acme, globex = acme_pattern(), globex_pattern()
        self._plans = (("acme", acme, self.instances), ("globex", globex, len(globex)), ("initech", acme, 0))
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state: no changes, no faults, an empty log, unused limits."""
        with self.lock:
            self.limits = RateLimiter(self.rate_per_minute, self.rate_per_hour)
            self.largest_page, self.refuses_larger = LARGEST_LIMIT, False
            self.faults.clear()
            self.log.clear()
            self.fleets = {name: Fleet(name, pattern, size, self.started_at) for name, pattern, size in self._plans}

    def now(self) -> datetime:
        return datetime.now(UTC)

    def answer(self, request: Request) -> Response:
        """Response an API request, and log it before the response is sent."""
        caller = identify(request.headers)
        with self.lock:
            standing = self.limits.count(f"{caller.kind}/{caller.organization}/{caller.may_list}")
            request_id = new_request_id()
            fault = None
            if standing.retry_after is not None:
                details = f"Please wait {standing.retry_after} seconds before retrying"
                answer = error_response(429, details=details)
            else:
                fault = take_fault(self.faults, organization=caller.organization, query=request.query)
                regular = partial(self._regular_answer, request, caller, request_id)
                answer = regular() if fault is None else spoil(
                    fault, regular=regular, page=partial(self._regular_page, request, caller), request_id=request_id
                )  # fmt: skip
            self._record(request, caller, answer, fault)
        scripted = fault.headers if fault else {}
        headers = merge_headers(standing.headers(), {"X-Request-Id": request_id}, answer.headers, scripted)
        return replace(answer, headers=headers, wait_seconds=answer.wait_seconds + self.latency)

    def _regular_page(self, request: Request, caller: Caller, is_first: bool) -> Json | None:  # noqa: FBT001
        """The page of the regular response (or the first page of its list), or None if there would be none."""
        if request.path != listing.PATH or request.method != "GET" or not caller.may_list:
            return None
        try:
            return self._page(self._read(request), caller, is_first=is_first)
        except ParameterError:
            return None

    def _read(self, request: Request) -> ListQuery:
        return parse_query(request.query, largest=self.largest_page, refuses_larger=self.refuses_larger)

    def _page(self, asked: ListQuery, caller: Caller, *, is_first: bool = False) -> Json:
        fleet = self.fleets[caller.organization or ""]
        asked = replace(asked, marker=None) if is_first else asked
        return listing.list_page(fleet, asked, now=self.now(), base_url=self.base_url)

    def _regular_answer(self, request: Request, caller: Caller, request_id: str) -> Response:
        if request.path != listing.PATH:
            return error_response(404, details="The sandbox has GET /v1/instances only", request_id=request_id)
        if request.method != "GET":
            return error_response(405, details="Use GET", request_id=request_id, headers={"Allow": "GET"})
        if caller.organization is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="sandbox"'}
            return error_response(HTTPStatus.UNAUTHORIZED, request_id=request_id, headers=challenge)
        if not caller.may_list:
            return error_response(403, details="compute:instance:list is needed", request_id=request_id)
        try:
            return json_response(self._page(self._read(request), caller))
        except ParameterError as error:
            return error_response(400, details=str(error), request_id=request_id)

    def _record(self, request: Request, caller: Caller, answer: Response, fault: ScriptedFault | None) -> None:
        self.log.append({
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "organization": caller.organization,
            "credential": caller.kind,
            "status": answer.status,
            "fault": fault and fault.mode,
            "user_agent": request.headers.get("user-agent"),
            "region": request.headers.get("x-region"),
            "at": self.now().isoformat(),
        })  # fmt: skip
