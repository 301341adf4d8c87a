"""Reads pages and instances: from the store while that will do, else by one joined request upstream."""

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
# How many instances a page may hold whose query names no limit.
LARGEST_PAGE = 100

# Of the signs that a credential may have, which are ASCII.
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
    """One page of instances, dated, within the deadline. `ends_at` (monotonic) is for who reads several by one.

    When it cannot be fetched and was seen within a day, that page comes back with the trouble in it; when it was not
    seen, `FetchFailed` is raised. Upstream is not asked while a pause holds this policy back, when the budget is out
    for its priority, or when too many requests of this process wait for upstream already.
    """
    answer, met = load_page(access, query)
    if met and met.kind == "rejected" and not is_credential_refused(access):
        # It has been taken since.
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
    # Who has time does not share the impatience of who has little left.
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
    """An instance as it stood on the last page that held it, or None. Never goes upstream."""
    answer = recall(access, instance_name(instance_id), CachedAnswer)
    if answer is None:
        return None
    instance = decode_instance(answer.body)
    if instance.id is None:
        # Another version could read it.
        return None
    value = CachedInstance(instance=instance, source=answer.body)
    return Cached(value, clock.to_wall(answer.fetched_at), _exchange_behind(answer, from_store=True))


def forget_instance(access: ApiSession, instance_id: str) -> None:
    """Drop an instance that a search of the whole list has not found."""
    forget(access, instance_name(instance_id))


def check_credential(access: ApiSession, *, is_kept: bool = True) -> int | None:
    """Ask upstream for one instance, so that a credential that is not taken raises its `ByCloudError` now.

    Gives how many instances it may see, None when the answer does not say. What it comes to counts for all: a failure
    begins a pause, and a credential that is taken ends the pause that its refusal began. A time that ByCloud has named
    is waited for here, too. Raises `TriesSpent` when too many were tried already; of one that is not kept and is
    refused, nothing is written down.
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
        # It is a credential indeed, with a budget.
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
    """Whether an open page that asks by itself is to make do with what is stored, so that the budget lasts."""
    if policy.priority is not Priority.REFRESH:
        return False
    pace = read_pace(access)
    return pace.goes_at > clock.now() or (
        policy is FetchPolicy.REVALIDATE_FAST and stored.is_fresh and not pace.is_easy
    )


def _fly(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Cached[InstancePage]:
    """Fetch a page, or wait for the process that is fetching it already. Raises `FetchFailed` or a `ByCloudError`."""
    began_at = clock.read_moment()
    key = single_flight_key(access, query)
    while monotonic() < ends_at:
        lock = acquire_lock(key)
        try:
            # Whoever led before may have landed since we last looked.
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
    """A stored page; None for one that another version of the portal could read and this one cannot."""
    try:
        page = decode_instance_page(answer.body)
    except InvalidResponse:
        return None
    exchange = _exchange_behind(answer, from_store=True)
    return Cached(page, clock.to_wall(answer.fetched_at), exchange, trouble.to_wall() if trouble else None)


def _is_since(began_at: datetime, moment: datetime) -> bool:
    """Whether that came after it was asked; what comes from the future came from another clock."""
    return moment > began_at and clock.is_past(moment)


def _load_page(access: ApiSession, query: InstanceQuery, policy: FetchPolicy, ends_at: float) -> Cached[InstancePage]:
    acquire_call(access, policy.priority)
    pause = find_pause(access)
    if pause and pause.holds_back(policy):
        # It began while this one waited for its turn.
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
    """Whether that is too little time to call ByCloud slow."""
    return within_seconds < settings.BYCLOUD_LIMITS.deadline_seconds / 2


def _fetch(
    access: ApiSession, query: InstanceQuery, priority: Priority, within_seconds: float, *, leaves_refusals: bool = True
) -> tuple[CachedAnswer, InstancePage]:
    """One exchange upstream, decoded and written to the log. Its first try is paid for already.

    Unless it `leaves_refusals`, nothing is kept of a credential that ByCloud refuses.
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
    """An answer that repeats the credential it was asked with is neither kept nor shown."""
    body = answer.body
    if b"\\" in body:
        # A letter may be written as an escape: what is compared is the text, also of what is no regular JSON.
        try:
            body += msgspec.json.encode(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            body += _ESCAPES.sub(_unescape, body)
    if access.credential.secret.encode() in body:
        raise InvalidResponse("The answer repeats the credential", path="$", status=200, request_id=answer.request_id)


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else found[2]


def _check_list(page: InstancePage, query: InstanceQuery, answer: Answer) -> None:
    """An answer without a list is a failure, not an empty fleet, and must not take the place of rows seen before.

    So is an empty whole list that says it is not empty, and not where it goes on. After a marker nothing may follow,
    and whether a total is that of a filter is not documented.
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
    """Whether the budget has room, and no other exchange was told since to stay away."""
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
