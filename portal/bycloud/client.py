"""`Client(region, credential).list_instances(InstanceQuery(...))`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from portal import __version__
from portal.bycloud import transport
from portal.bycloud.connections import Deadline
from portal.bycloud.credentials import Credential
from portal.bycloud.error_response import read_error_response, read_rate_limit, read_request_id
from portal.bycloud.errors import ByCloudError, RateLimit
from portal.bycloud.queries import PATH, InstanceQuery
from portal.bycloud.regions import Region
from portal.bycloud.resources import InstancePage, decode_instance_page

USER_AGENT = f"bycloud-portal/{__version__}"
PASSING_STATUSES = frozenset({502, 503, 504})
FIRST_PAUSE_SECONDS = 0.2


class Limits(msgspec.Struct, frozen=True):
    """Limits and network settings of one request.

    `deadline_seconds` covers everything: name lookup, connecting, all retries and the waits between them. `body_bytes`
    is the limit after decompression. `proxy` is a URL, `ca_bundle` a path.
    """

    deadline_seconds: float = 10.0
    body_bytes: int = 16 * 1024 * 1024
    extra_tries: int = 2
    proxy: str | None = None
    ca_bundle: str | None = None
    sends_region_header: bool = False


class ApiResponse(msgspec.Struct, frozen=True):
    """A successful response (200), not decoded. `target` is the path and query string as sent."""

    body: bytes
    received_at: datetime
    elapsed_seconds: float
    request_id: str | None = None
    tries: int = 1
    target: str = PATH
    rate_limit: RateLimit | None = None

    def __repr__(self) -> str:
        """Omits the body, which is long and holds people's data."""
        return f"ApiResponse({self.target!r}, {len(self.body)} bytes, {self.tries} tries)"


_STANDARD_LIMITS = Limits()


def _always() -> bool:
    return True


class Client:
    """`GET /v1/instances` of one region with one credential.

    Cheap to create and stateless: connections are kept per thread, not per client. Thread-safe.
    """

    def __init__(self, region: Region, credential: Credential, *, limits: Limits = _STANDARD_LIMITS) -> None:
        self.region = region
        self.credential = credential
        self.limits = limits

    def list_instances(self, query: InstanceQuery) -> InstancePage:
        """One page. Raises a `ByCloudError`. Source: api/compute/list-instances."""
        answer = self.fetch_instances(query)
        return decode_instance_page(answer.body, request_id=answer.request_id)

    def fetch_instances(self, query: InstanceQuery, *, may_try_again: Callable[[], bool] = _always) -> ApiResponse:
        """The same page as bytes, with details of the request. Raises a `ByCloudError`. The body is not parsed.

        Only broken connections and 502, 503 and 504 are retried, at most `limits.extra_tries` times, while the deadline
        leaves room for the wait and `may_try_again` returns True. It does not know of a `Retry-After` in an earlier
        response: the caller must honor that.
        """
        target = query.to_target()
        began_at = time.monotonic()
        deadline = Deadline(began_at + self.limits.deadline_seconds)
        tries = 0
        while True:
            outcome = self._try_once(target, deadline)
            tries += 1
            now = datetime.now(UTC)
            if isinstance(outcome, transport.Reply) and outcome.status == transport.OK:
                return ApiResponse(
                    body=outcome.body,
                    received_at=now,
                    elapsed_seconds=time.monotonic() - began_at,
                    request_id=read_request_id(outcome, secret=self.credential.secret),
                    tries=tries,
                    target=target,
                    rate_limit=read_rate_limit(outcome.headers, now=now),
                )
            error, pause = self._classify(outcome, tries, now)
            if tries > self.limits.extra_tries or pause is None or pause >= deadline.left():
                raise error
            time.sleep(pause)
            if not may_try_again():
                raise error

    def _try_once(self, target: str, deadline: Deadline) -> transport.Reply | transport.Failure:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        if self.limits.sends_region_header:
            headers["X-Region"] = self.region.code
        return transport.send_get(
            self.region.base_url + target,
            headers=headers,
            sign=self.credential.headers,
            deadline=deadline,
            body_bytes=self.limits.body_bytes,
            proxy=self.limits.proxy,
            ca_bundle=self.limits.ca_bundle,
        )

    def _classify(
        self, outcome: transport.Reply | transport.Failure, tries: int, now: datetime
    ) -> tuple[ByCloudError, float | None]:
        """The error to raise, and how long to wait before a retry; None if a retry makes no sense."""
        pause = FIRST_PAUSE_SECONDS * 2 ** (tries - 1)
        if isinstance(outcome, transport.Failure):
            return outcome.error, pause if outcome.is_transient else None
        error = read_error_response(outcome, secret=self.credential.secret, now=now)
        error.rate_limit = read_rate_limit(outcome.headers, now=now)
        is_transient = outcome.status in PASSING_STATUSES and error.retry_at is None
        return error, pause if is_transient else None
