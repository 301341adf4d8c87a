"""One request to ByCloud: sent, checked, decoded, logged, and counted against the rate limit."""

import re
from datetime import datetime
from functools import partial
from time import monotonic

import msgspec
import structlog
from django.conf import settings

from portal.bycloud import (
    LARGEST_LIMIT,
    ApiResponse,
    ByCloudError,
    Client,
    Forbidden,
    InstancePage,
    InstanceQuery,
    InvalidResponse,
    PartialPage,
    Unauthorized,
    decode_instance_page,
    trim_instance_page,
)
from portal.gateway import clock
from portal.gateway.backoff import find_backoff
from portal.gateway.cache import ApiSession, CachedResponse, record_use
from portal.gateway.rate_limit import acquire_call, apply_reported_usage
from portal.gateway.results import Busy, FetchPolicy, Priority, RateLimitReached

# The maximum number of instances per page when the query has no limit.

# JSON escapes of the characters that a credential may contain, which are ASCII.
_JSON_DECODER = msgspec.json.Decoder()
_ESCAPES = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|([^u]))", re.DOTALL)

log = structlog.get_logger(__name__)


def fetch_page(
    session: ApiSession,
    query: InstanceQuery,
    priority: Priority,
    seconds: float,
    *,
    records_rejection: bool = True,
) -> tuple[CachedResponse, InstancePage]:
    """Send one request, decode the response and log it. The first try has been counted against the rate limit already.

    Without `records_rejection`, nothing is recorded for a credential that ByCloud rejects.
    """
    limits = msgspec.structs.replace(settings.BYCLOUD_LIMITS, deadline_seconds=seconds)
    client = Client(session.region, session.credential, limits=limits)
    started_at, began_at = clock.read_moment(), monotonic()
    try:
        answer = client.fetch_instances(query, may_try_again=partial(_may_try_again, session, priority, started_at))
        if answer.rate_limit:
            apply_reported_usage(session, answer.rate_limit)
        _check_secrecy(session, answer)
        body, left_out = trim_instance_page(answer.body, query.limit or LARGEST_LIMIT)
        page = decode_instance_page(body, request_id=answer.request_id)
        _check_list(page, query, answer)
    except ByCloudError as error:
        is_rejected = isinstance(error, Unauthorized | Forbidden)
        if error.rate_limit and (records_rejection or not is_rejected):
            apply_reported_usage(session, error.rate_limit)
        log.warning(
            "bycloud_request_failed",
            region=session.region.code,
            error=type(error).__name__,
            status=error.status,
            upstream_request_id=error.request_id,
            upstream_milliseconds=round((monotonic() - began_at) * 1000),
        )
        if is_rejected and records_rejection:
            record_use(session, is_rejected=True)
        raise
    record_use(session)
    log.info(
        "bycloud_request",
        region=session.region.code,
        priority=priority,
        upstream_request_id=answer.request_id,
        upstream_milliseconds=round(answer.elapsed_seconds * 1000),
    )
    if left_out or isinstance(page, PartialPage):
        log.warning(
            "bycloud_response_incomplete",
            region=session.region.code,
            upstream_request_id=answer.request_id,
            left_out=left_out,
            unreadable=page.unreadable if isinstance(page, PartialPage) else {},
        )
    cached = CachedResponse(
        body=body,
        fetched_at=clock.read_moment(),
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        left_out=left_out,
    )
    return cached, page


def _check_secrecy(session: ApiSession, answer: ApiResponse) -> None:
    """A response that contains the credential is neither cached nor shown."""
    body = answer.body
    if b"\\" in body:
        # Characters may be escaped, so compare the unescaped text, even if it is not valid JSON.
        try:
            body += msgspec.json.encode(_JSON_DECODER.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            body += _ESCAPES.sub(_unescape, body)
    if session.credential.secret.encode() in body:
        raise InvalidResponse("The answer repeats the credential", path="$", status=200, request_id=answer.request_id)


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else found[2]


def _check_list(page: InstancePage, query: InstanceQuery, answer: ApiResponse) -> None:
    """A response without a list is a failure, not an empty list, and must not replace rows that are cached.

    The same goes for an unfiltered first page that is empty, claims that there are instances and has no next page.
    Elsewhere an empty page is fine: nothing may follow a marker, and whether the total takes filters into account is
    not documented.
    """
    total, has_more, marker = (page.meta.total, page.meta.has_more, page.meta.marker) if page.meta else (None,) * 3
    has_next = has_more is not False and bool((page.links and page.links.next) or (has_more and marker))
    says_some = has_more or (total is not None and total > 0)
    problem = ""
    if page.instances is None and total != 0:
        problem = "The answer holds no list of instances"
    elif not page.instances and not query.has_filters and not query.marker and says_some and not has_next:
        problem = "The answer holds no instance, and says that there are some"
    if problem:
        raise InvalidResponse(problem, path="$.instances", status=200, request_id=answer.request_id)


def _may_try_again(session: ApiSession, priority: Priority, started_at: datetime) -> bool:
    """Whether the rate limit has room, and no other request has started a backoff that ByCloud asked for since."""
    backoff = find_backoff(session, FetchPolicy.FORCE)
    if backoff and backoff.error.at > started_at:
        return False
    try:
        acquire_call(session, priority)
    except (RateLimitReached, Busy):
        return False
    return True
