"""Reads pages: from the cache while they will do, else with a single upstream request."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic, sleep

from django.conf import settings

from portal.bycloud import (
    ByCloudError,
    Forbidden,
    InstancePage,
    InstanceQuery,
    InvalidResponse,
    RateLimited,
    TimedOut,
    Unauthorized,
    decode_instance_page,
    split_instances,
)
from portal.gateway import clock
from portal.gateway.backoff import end_backoff, find_backoff, is_credential_rejected, record_failure
from portal.gateway.cache import (
    ApiSession,
    CachedResponse,
    FoundPage,
    delete_cached,
    error_name,
    find_page,
    lock_name,
    page_name,
    set_cached,
)
from portal.gateway.concurrency import SingleFlight, acquire_slot
from portal.gateway.events import FetchedPage, announce
from portal.gateway.locks import acquire_lock
from portal.gateway.rate_limit import acquire_call, count_attempt, read_pace
from portal.gateway.results import (
    Busy,
    Cached,
    FetchError,
    FetchFailed,
    FetchPolicy,
    Priority,
    RateLimitReached,
    UpstreamCall,
)
from portal.gateway.upstream import fetch_page

POLL_SECONDS = 0.03

_flights: SingleFlight[Cached[InstancePage]] = SingleFlight()


class _RecordedFailure(FetchFailed):
    """A failure that says something of ByCloud or the page, and not only that there was little time."""


def read_page(
    session: ApiSession,
    query: InstanceQuery,
    *,
    policy: FetchPolicy = FetchPolicy.CACHE_FIRST,
    ends_at: float | None = None,
    found: FoundPage | None = None,
) -> Cached[InstancePage]:
    """One page of instances, within the deadline. `ends_at` (monotonic) is for callers that read several pages, `found`
    for those that have looked it up already.

    If the fetch fails, the page of up to a day ago is returned with the error in it; without one, `FetchFailed` is
    raised. No request is sent while a backoff applies to the policy, when the rate limit is reached for its priority,
    or when too many requests of this process are waiting for ByCloud.
    """
    answer, last_error, _largest = found or find_page(session, query)
    if last_error and last_error.kind == "rejected" and not is_credential_rejected(session):
        # The credential has been accepted since.
        last_error = None
    stored = _decode_page(answer, last_error) if answer else None
    if stored and (policy.accepts(stored.age_seconds) or _is_too_early(session, stored, policy)):
        return stored
    longest = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    ends_at = longest if ends_at is None else min(ends_at, longest)
    # Requests with much time left do not join one that is about to time out.
    hurry = "late" if _is_short(ends_at - monotonic()) else "in time"
    flight = f"{session.cache_namespace}:{policy}:{hurry}:{page_name(query)}"
    try:
        _check_backoff(session, policy, last_error)
        with acquire_slot(session.member_id):
            return _flights.join(
                flight,
                partial(_fetch_once, session, query, policy, ends_at),
                timeout_seconds=max(0.0, ends_at - monotonic()),
            )
    except FetchFailed as failure:
        error = failure.error.to_wall()
    except ByCloudError as exception:
        error = FetchError.from_error(exception).to_wall()
    if stored is None:
        raise FetchFailed(error)
    return replace(stored, error=error)


def read_cached_page(found: FoundPage) -> Cached[InstancePage] | None:
    """A page that was found in the cache, however old it is; None if it was not."""
    return _decode_page(found.answer, found.last_error) if found.answer else None


def fetch_for_walk(session: ApiSession, query: InstanceQuery) -> FetchedPage:
    """A page of a walk through the whole list: sent in any case, with the lowest priority, and not cached, because
    no member has asked for it. Raises `FetchFailed`.
    """
    ends_at = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    try:
        _check_backoff(session, FetchPolicy.SCAN)
        with acquire_slot(session.member_id):
            answer, page = _send(session, query, FetchPolicy.SCAN, ends_at)
    except FetchFailed as failure:
        raise FetchFailed(failure.error.to_wall()) from None
    except ByCloudError as exception:
        raise FetchFailed(FetchError.from_error(exception).to_wall()) from None
    sources = split_instances(answer.body)
    return FetchedPage(session, page, sources, clock.to_wall(answer.fetched_at), answer.left_out)


def check_credential(session: ApiSession, *, is_stored: bool = True) -> int | None:
    """Request one instance, so that an invalid credential raises its `ByCloudError` now.

    Returns how many instances the credential can see, or None if the response does not tell. The result applies to all
    later requests: a failure starts a backoff, and success ends the one that a rejection started. A backoff that
    ByCloud asked for applies here, too. Raises `TooManyAttempts`. For a rejected credential that is not stored
    (`is_stored` False), nothing is recorded.
    """
    is_counted = is_stored or settings.BYCLOUD_RATE_SCOPE == "region"
    with acquire_slot(session.member_id):
        _check_required_backoff(session)
        count_attempt(session)
        if is_counted:
            acquire_call(session, Priority.PERSON)
            _check_required_backoff(session)
        began_at = clock.read_moment()
        seconds = settings.BYCLOUD_LIMITS.deadline_seconds
        try:
            _, page = fetch_page(session, InstanceQuery(limit=1), Priority.PERSON, seconds, records_rejection=is_stored)
        except ByCloudError as error:
            if is_stored or not isinstance(error, Unauthorized | Forbidden):
                record_failure(session, FetchError.from_error(error), began_at=began_at)
            raise
    if not is_counted:
        # The credential is valid, so the request counts against its rate limit.
        with suppress(RateLimitReached, Busy):
            acquire_call(session, Priority.PERSON)
    end_backoff(session, is_credential_good=True)
    total = page.meta.total if page.meta else None
    return None if total is None or total < 0 else total


def _check_backoff(session: ApiSession, policy: FetchPolicy, last_error: FetchError | None = None) -> None:
    """Raises `FetchFailed` while a backoff or the page's last error holds this policy's requests back."""
    backoff = find_backoff(session, policy)
    if backoff:
        raise FetchFailed(backoff.error)
    if last_error and last_error.holds_back(policy):
        raise FetchFailed(last_error)


def _check_required_backoff(session: ApiSession) -> None:
    """Raises `RateLimited` during a backoff that ByCloud asked for."""
    backoff = find_backoff(session, FetchPolicy.FORCE)
    if backoff and backoff.until:
        error = backoff.error
        raise RateLimited(error.message, status=error.status, retry_at=clock.to_wall(backoff.until))


def _is_too_early(session: ApiSession, stored: Cached[InstancePage], policy: FetchPolicy) -> bool:
    """Whether an automatic refresh should use the cached response, so that the rate limit lasts."""
    if policy.priority is not Priority.REFRESH:
        return False
    pace = read_pace(session)
    return pace.goes_at > clock.now() or (
        policy is FetchPolicy.REVALIDATE_FAST and stored.is_fresh and not pace.is_easy
    )


def _fetch_once(session: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Cached[InstancePage]:
    """Fetch a page, or wait for another process that is fetching it. Raises `FetchFailed` or a `ByCloudError`."""
    began_at = clock.read_moment()
    key = session.make_key(lock_name(query))
    while monotonic() < ends_at:
        lock = acquire_lock(key)
        try:
            # The process that held the lock may have finished since the last check.
            answer, error, _largest = find_page(session, query)
            if answer and (
                _is_after(began_at, answer.fetched_at) or policy.accepts(clock.measure_age(answer.fetched_at))
            ):
                page = _decode_page(answer, error)
                if page:
                    return page
            if error and _is_after(began_at, error.at):
                raise FetchFailed(error)
            if lock:
                return _load_page(session, query, policy, ends_at, had_error=error is not None)
        finally:
            if lock:
                lock.release()
        sleep(POLL_SECONDS)
    raise TimedOut("The page was not fetched in time")


def _decode_page(answer: CachedResponse, error: FetchError | None) -> Cached[InstancePage] | None:
    """A cached page; None if it cannot be decoded (written by another version)."""
    try:
        page = decode_instance_page(answer.body)
    except InvalidResponse:
        return None
    call = _describe_call(answer, from_store=True)
    return Cached(page, clock.to_wall(answer.fetched_at), call, error.to_wall() if error else None, answer.body)


def _is_after(began_at: datetime, moment: datetime) -> bool:
    """Whether `moment` is after `began_at`. A time in the future does not count: the clock was different."""
    return moment > began_at and clock.is_past(moment)


def _load_page(
    session: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float, *, had_error: bool
) -> Cached[InstancePage]:
    try:
        answer, page = _send(session, query, policy, ends_at)
    except _RecordedFailure as failure:
        set_cached(session, error_name(query), failure.error)
        raise
    set_cached(session, page_name(query), answer)
    if had_error:
        delete_cached(session, error_name(query))
    fetched_at = clock.to_wall(answer.fetched_at)
    announce(FetchedPage(session, page, split_instances(answer.body), fetched_at, answer.left_out))
    return Cached(page, fetched_at, _describe_call(answer, from_store=False), body=answer.body)


def _send(
    session: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float
) -> tuple[CachedResponse, InstancePage]:
    """One request within the rate limit and the backoff. Raises `FetchFailed`, or a `ByCloudError` if none was sent."""
    acquire_call(session, policy.priority)
    # One may have started while this request waited for the rate limit.
    _check_backoff(session, policy)
    began_at = clock.read_moment()
    within_seconds = ends_at - monotonic()
    try:
        answer, page = fetch_page(session, query, policy.priority, within_seconds)
    except ByCloudError as exception:
        error = FetchError.from_error(exception)
        if error.kind == "timed-out" and _is_short(within_seconds):
            raise FetchFailed(error) from None
        raise _RecordedFailure(record_failure(session, error, began_at=began_at)) from None
    end_backoff(session)
    return answer, page


def _is_short(within_seconds: float) -> bool:
    """Whether that is too little time to blame ByCloud for a timeout."""
    return within_seconds < settings.BYCLOUD_LIMITS.deadline_seconds / 2


def _describe_call(answer: CachedResponse, *, from_store: bool) -> UpstreamCall:
    return UpstreamCall(
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        from_store=from_store,
        left_out=answer.left_out,
    )
