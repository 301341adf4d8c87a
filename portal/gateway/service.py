"""Reads pages and instances: from the cache while it will do, else with a single upstream request."""

import re
from contextlib import suppress
from datetime import datetime
from functools import partial
from time import monotonic, sleep

import msgspec
import structlog
from django.conf import settings

from portal.bycloud import (
    Answer,
    ByCloudError,
    Client,
    Forbidden,
    InstancePage,
    InstanceQuery,
    InvalidResponse,
    PartialPage,
    RateLimited,
    TimedOut,
    Unauthorized,
    decode_instance,
    decode_instance_page,
    split_instances,
    trim_instance_page,
)
from portal.gateway import clock
from portal.gateway.api_session import ApiSession
from portal.gateway.backoff import end_pause, find_pause, is_credential_refused, record_failure
from portal.gateway.cache import (
    CachedAnswer,
    forget,
    instance_name,
    load_page,
    page_name,
    recall,
    remember,
    single_flight_key,
    store_answers,
    trouble_name,
)
from portal.gateway.concurrency import acquire_slot
from portal.gateway.errors import Busy, RateLimitReached
from portal.gateway.last_used import record_refusal, record_use
from portal.gateway.locks import acquire_lock
from portal.gateway.rate_limit import acquire_call, correct, read_pace, spend_try
from portal.gateway.results import Cached, CachedInstance, Exchange, FetchError, FetchFailed, FetchPolicy, Priority
from portal.gateway.single_flight import SingleFlight

POLL_SECONDS = 0.03
# The maximum number of instances per page when the query has no limit.
LARGEST_PAGE = 100

# JSON escapes of the characters that a credential may contain, which are ASCII.
_ESCAPES = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|([^u]))", re.DOTALL)

log = structlog.get_logger(__name__)
_flights: SingleFlight[Cached[InstancePage]] = SingleFlight()


def read_page(
    access: ApiSession,
    query: InstanceQuery,
    *,
    policy: FetchPolicy = FetchPolicy.CACHE_FIRST,
    ends_at: float | None = None,
) -> Cached[InstancePage]:
    """One page of instances, within the deadline. `ends_at` (monotonic) is for callers that read several pages.

    If the fetch fails, the page of up to a day ago is returned with the error in it; without one, `FetchFailed` is
    raised. No request is sent while a backoff applies to the policy, when the rate limit is reached for its priority,
    or when too many requests of this process are waiting for ByCloud.
    """
    answer, met = load_page(access, query)
    if met and met.kind == "rejected" and not is_credential_refused(access):
        # The credential has been accepted since.
        met = None
    stored = _date(answer, met) if answer else None
    if stored and (policy.accepts(stored.age_seconds) or _is_early(access, stored, policy)):
        return stored
    pause = find_pause(access)
    if pause and pause.holds_back(policy):
        return _show_instead(stored, pause.trouble)
    if met and met.holds_back(policy):
        return _show_instead(stored, met)
    longest = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    ends_at = longest if ends_at is None else min(ends_at, longest)
    # Requests with much time left do not join one that is about to time out.
    hurry = "late" if _is_hasty(ends_at - monotonic()) else "in time"
    flight = f"{access.scope}:{policy}:{hurry}:{page_name(query)}"
    try:
        with acquire_slot(access.asker):
            return _flights.join(
                flight, partial(_fly, access, query, policy, ends_at), timeout_seconds=max(0.0, ends_at - monotonic())
            )
    except FetchFailed as error:
        return _show_instead(stored, error.trouble)
    except ByCloudError as error:
        return _show_instead(stored, FetchError.from_error(error))


def read_instance(access: ApiSession, instance_id: str) -> Cached[CachedInstance] | None:
    """An instance as it was on the last page that contained it, or None. Never goes upstream."""
    answer = recall(access, instance_name(instance_id), CachedAnswer)
    if answer is None:
        return None
    instance = decode_instance(answer.body)
    if instance.id is None:
        # Written by another version, which could decode it.
        return None
    value = CachedInstance(instance=instance, source=answer.body)
    return Cached(value, clock.to_wall(answer.fetched_at), _exchange_behind(answer, from_store=True))


def forget_instance(access: ApiSession, instance_id: str) -> None:
    """Remove an instance that a search of the whole list has not found."""
    forget(access, instance_name(instance_id))


def check_credential(access: ApiSession, *, is_kept: bool = True) -> int | None:
    """Request one instance, so that an invalid credential raises its `ByCloudError` now.

    Returns how many instances the credential can see, or None if the response does not tell. The result applies to all
    later requests: a failure starts a backoff, and success ends the one that a rejection started. A backoff that
    ByCloud asked for applies here, too. Raises `TriesSpent` after too many attempts. For a rejected credential that is
    not stored (`is_kept` False), nothing is recorded.
    """
    is_counted = is_kept or settings.BYCLOUD_RATE_SCOPE == "region"
    with acquire_slot(access.asker):
        _refuse_in_named_pause(access)
        spend_try(access)
        if is_counted:
            acquire_call(access, Priority.PERSON)
            _refuse_in_named_pause(access)
        began_at = clock.read_moment()
        seconds = settings.BYCLOUD_LIMITS.deadline_seconds
        try:
            _, page = _fetch(access, InstanceQuery(limit=1), Priority.PERSON, seconds, leaves_refusals=is_kept)
        except ByCloudError as error:
            if is_kept or not isinstance(error, Unauthorized | Forbidden):
                record_failure(access, FetchError.from_error(error), began_at=began_at)
            raise
    if not is_counted:
        # The credential is valid, so the request counts against its rate limit.
        with suppress(RateLimitReached, Busy):
            acquire_call(access, Priority.PERSON)
    end_pause(access, is_credential_good=True)
    total = page.meta.total if page.meta else None
    return None if total is None or total < 0 else total


def _refuse_in_named_pause(access: ApiSession) -> None:
    pause = find_pause(access)
    if pause and pause.until and pause.holds_back(FetchPolicy.FORCE):
        raise RateLimited(pause.trouble.message, status=pause.trouble.status, retry_at=clock.to_wall(pause.until))


def _show_instead(stored: Cached[InstancePage] | None, trouble: FetchError) -> Cached[InstancePage]:
    trouble = trouble.to_wall()
    if stored is None:
        raise FetchFailed(trouble)
    return Cached(stored.value, stored.fetched_at, stored.exchange, trouble)


def _is_early(access: ApiSession, stored: Cached[InstancePage], policy: FetchPolicy) -> bool:
    """Whether an automatic refresh should use the cached response, so that the rate limit lasts."""
    if policy.priority is not Priority.REFRESH:
        return False
    pace = read_pace(access)
    return pace.goes_at > clock.now() or (
        policy is FetchPolicy.REVALIDATE_FAST and stored.is_fresh and not pace.is_easy
    )


def _fly(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Cached[InstancePage]:
    """Fetch a page, or wait for another process that is fetching it. Raises `FetchFailed` or a `ByCloudError`."""
    began_at = clock.read_moment()
    key = single_flight_key(access, query)
    while monotonic() < ends_at:
        lock = acquire_lock(key)
        try:
            # The process that held the lock may have finished since the last check.
            answer, trouble = load_page(access, query)
            if answer and (
                _is_since(began_at, answer.fetched_at) or policy.accepts(clock.measure_age(answer.fetched_at))
            ):
                landed = _date(answer, trouble)
                if landed:
                    return landed
            if trouble and _is_since(began_at, trouble.at):
                raise FetchFailed(trouble)
            if lock:
                return _load_page(access, query, policy, ends_at)
        finally:
            if lock:
                lock.release()
        sleep(POLL_SECONDS)
    raise TimedOut("The page was not fetched in time")


def _date(answer: CachedAnswer, trouble: FetchError | None) -> Cached[InstancePage] | None:
    """A cached page; None if it cannot be decoded (written by another version)."""
    try:
        page = decode_instance_page(answer.body)
    except InvalidResponse:
        return None
    exchange = _exchange_behind(answer, from_store=True)
    return Cached(page, clock.to_wall(answer.fetched_at), exchange, trouble.to_wall() if trouble else None)


def _is_since(began_at: datetime, moment: datetime) -> bool:
    """Whether `moment` is after `began_at`. A time in the future does not count: the clock was different."""
    return moment > began_at and clock.is_past(moment)


def _load_page(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Cached[InstancePage]:
    acquire_call(access, policy.priority)
    pause = find_pause(access)
    if pause and pause.holds_back(policy):
        # The backoff started while this request waited for the rate limit.
        raise FetchFailed(pause.trouble)
    began_at = clock.read_moment()
    within_seconds = ends_at - monotonic()
    try:
        answer, page = _fetch(access, query, policy.priority, within_seconds)
    except ByCloudError as error:
        trouble = FetchError.from_error(error)
        if trouble.kind != "timed-out" or not _is_hasty(within_seconds):
            trouble = record_failure(access, trouble, began_at=began_at)
            remember(access, trouble_name(query), trouble)
        raise FetchFailed(trouble) from None
    answers = {page_name(query): answer}
    for instance, source in zip(page.instances or (), split_instances(answer.body), strict=True):
        if instance.id:
            answers[instance_name(instance.id)] = msgspec.structs.replace(answer, body=source)
    store_answers(access, answers)
    forget(access, trouble_name(query))
    end_pause(access)
    return Cached(page, clock.to_wall(answer.fetched_at), _exchange_behind(answer, from_store=False))


def _is_hasty(within_seconds: float) -> bool:
    """Whether that is too little time to blame ByCloud for a timeout."""
    return within_seconds < settings.BYCLOUD_LIMITS.deadline_seconds / 2


def _fetch(
    access: ApiSession, query: InstanceQuery, priority: Priority, within_seconds: float, *, leaves_refusals: bool = True
) -> tuple[CachedAnswer, InstancePage]:
    """Send one request, decode the response and log it. The first try has been counted against the rate limit already.

    Unless `leaves_refusals`, nothing is recorded for a credential that ByCloud rejects.
    """
    limits = msgspec.structs.replace(settings.BYCLOUD_LIMITS, deadline_seconds=within_seconds)
    client = Client(access.region, access.credential, limits=limits)
    started_at, began_at = clock.read_moment(), monotonic()
    try:
        answer = client.fetch_instances(query, may_try_again=partial(_may_try_again, access, priority, started_at))
        if answer.rate_limit:
            correct(access, answer.rate_limit)
        _check_secrecy(access, answer)
        body, left_out = trim_instance_page(answer.body, query.limit or LARGEST_PAGE)
        page = decode_instance_page(body, request_id=answer.request_id)
        _check_list(page, query, answer)
    except ByCloudError as error:
        is_refused = isinstance(error, Unauthorized | Forbidden)
        if error.rate_limit and (leaves_refusals or not is_refused):
            correct(access, error.rate_limit)
        seconds = monotonic() - began_at
        log.warning(
            "bycloud_exchange_failed",
            region=access.region.code,
            error=type(error).__name__,
            status=error.status,
            upstream_request_id=error.request_id,
            upstream_milliseconds=round(seconds * 1000),
        )
        if is_refused and leaves_refusals:
            record_refusal(access)
        raise
    record_use(access)
    log.info(
        "bycloud_exchange",
        region=access.region.code,
        priority=priority,
        upstream_request_id=answer.request_id,
        upstream_milliseconds=round(answer.elapsed_seconds * 1000),
    )
    if left_out or isinstance(page, PartialPage):
        log.warning(
            "bycloud_answer_odd",
            region=access.region.code,
            upstream_request_id=answer.request_id,
            left_out=left_out,
            unreadable=page.unreadable if isinstance(page, PartialPage) else {},
        )
    return _keep(answer, body, left_out), page


def _check_secrecy(access: ApiSession, answer: Answer) -> None:
    """A response that contains the credential is neither cached nor shown."""
    body = answer.body
    if b"\\" in body:
        # Characters may be escaped, so compare the unescaped text, even if it is not valid JSON.
        try:
            body += msgspec.json.encode(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            body += _ESCAPES.sub(_unescape, body)
    if access.credential.secret.encode() in body:
        raise InvalidResponse("The answer repeats the credential", path="$", status=200, request_id=answer.request_id)


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else found[2]


def _check_list(page: InstancePage, query: InstanceQuery, answer: Answer) -> None:
    """A response without a list is a failure, not an empty list, and must not replace rows that are cached.

    The same goes for an unfiltered first page that is empty, claims that there are instances and has no next page.
    Elsewhere an empty page is fine: nothing may follow a marker, and whether the total takes filters into account is
    not documented.
    """
    total, has_more, marker = (page.meta.total, page.meta.has_more, page.meta.marker) if page.meta else (None,) * 3
    leads_on = has_more is not False and bool((page.links and page.links.next) or (has_more and marker))
    says_some = has_more or (total is not None and total > 0)
    problem = ""
    if page.instances is None and total != 0:
        problem = "The answer holds no list of instances"
    elif not page.instances and query == InstanceQuery(limit=query.limit) and says_some and not leads_on:
        problem = "The answer holds no instance, and says that there are some"
    if problem:
        raise InvalidResponse(problem, path="$.instances", status=200, request_id=answer.request_id)


def _may_try_again(access: ApiSession, priority: Priority, started_at: datetime) -> bool:
    """Whether the rate limit has room, and no other request has started a backoff that ByCloud asked for since."""
    pause = find_pause(access)
    if pause and pause.trouble.at > started_at and pause.holds_back(FetchPolicy.FORCE):
        return False
    try:
        acquire_call(access, priority)
    except (RateLimitReached, Busy):
        return False
    return True


def _keep(answer: Answer, body: bytes, left_out: int) -> CachedAnswer:
    return CachedAnswer(
        body=body,
        fetched_at=clock.read_moment(),
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        left_out=left_out,
    )


def _exchange_behind(answer: CachedAnswer, *, from_store: bool) -> Exchange:
    return Exchange(
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        from_store=from_store,
        left_out=answer.left_out,
    )
