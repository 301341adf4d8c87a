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
    BadPayload,
    ByCloudError,
    Client,
    Forbidden,
    InstancePage,
    InstanceQuery,
    PartialPage,
    RateLimited,
    Rejected,
    TimedOut,
    decode_instance,
    decode_instance_page,
    split_instances,
    trim_instance_page,
)
from portal.gateway import clock
from portal.gateway.api_session import Access
from portal.gateway.backoff import end_pause, find_pause, is_credential_refused, record_failure
from portal.gateway.cache import (
    StoredAnswer,
    flight_key,
    forget,
    instance_name,
    keep_answers,
    page_name,
    recall,
    recall_page,
    remember,
    trouble_name,
)
from portal.gateway.concurrency import take_place
from portal.gateway.errors import BudgetSpent, Busy
from portal.gateway.last_used import record_refusal, record_use
from portal.gateway.locks import take_lease
from portal.gateway.rate_limit import correct, read_pace, spend, spend_try
from portal.gateway.results import Asking, Dated, Errand, Exchange, StoredInstance, Trouble, Troubled
from portal.gateway.single_flight import Flights

POLL_SECONDS = 0.03
# How many instances a page may hold whose query names no limit.
LARGEST_PAGE = 100

# Of the signs that a credential may have, which are ASCII.
_ESCAPES = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|([^u]))", re.DOTALL)

log = structlog.get_logger(__name__)
_flights: Flights[Dated[InstancePage]] = Flights()


def read_page(
    access: Access,
    query: InstanceQuery,
    *,
    asking: Asking = Asking.STORED_FIRST,
    ends_at: float | None = None,
) -> Dated[InstancePage]:
    """One page of instances, dated, within the deadline. `ends_at` (monotonic) is for who reads several by one.

    When it cannot be fetched and was seen within a day, that page comes back with the trouble in it; when it was not
    seen, `Troubled` is raised. Upstream is not asked while a pause holds this asking back, when the budget is out for
    its errand, or when too many requests of this process wait for upstream already.
    """
    answer, met = recall_page(access, query)
    if met and met.kind == "rejected" and not is_credential_refused(access):
        # It has been taken since.
        met = None
    stored = _date(answer, met) if answer else None
    if stored and (asking.is_content_with(stored.age_seconds) or _is_early(access, stored, asking)):
        return stored
    pause = find_pause(access)
    if pause and pause.holds_back(asking):
        return _show_instead(stored, pause.trouble)
    if met and met.holds_back(asking):
        return _show_instead(stored, met)
    longest = monotonic() + settings.BYCLOUD_LIMITS.deadline_seconds
    ends_at = longest if ends_at is None else min(ends_at, longest)
    # Who has time does not share the impatience of who has little left.
    hurry = "late" if _is_hasty(ends_at - monotonic()) else "in time"
    flight = f"{access.scope}:{asking}:{hurry}:{page_name(query)}"
    try:
        with take_place(access.asker):
            return _flights.join(
                flight, partial(_fly, access, query, asking, ends_at), timeout_seconds=max(0.0, ends_at - monotonic())
            )
    except Troubled as error:
        return _show_instead(stored, error.trouble)
    except ByCloudError as error:
        return _show_instead(stored, Trouble.from_error(error))


def read_instance(access: Access, instance_id: str) -> Dated[StoredInstance] | None:
    """An instance as it stood on the last page that held it, or None. Never goes upstream."""
    answer = recall(access, instance_name(instance_id), StoredAnswer)
    if answer is None:
        return None
    instance = decode_instance(answer.body)
    if instance.id is None:
        # Another version could read it.
        return None
    value = StoredInstance(instance=instance, source=answer.body)
    return Dated(value, clock.to_wall(answer.fetched_at), _exchange_behind(answer, from_store=True))


def forget_instance(access: Access, instance_id: str) -> None:
    """Drop an instance that a search of the whole list has not found."""
    forget(access, instance_name(instance_id))


def check_credential(access: Access, *, is_kept: bool = True) -> int | None:
    """Ask upstream for one instance, so that a credential that is not taken raises its `ByCloudError` now.

    Gives how many instances it may see, None when the answer does not say. What it comes to counts for all: a failure
    begins a pause, and a credential that is taken ends the pause that its refusal began. A time that ByCloud has named
    is waited for here, too. Raises `TriesSpent` when too many were tried already; of one that is not kept and is
    refused, nothing is written down.
    """
    is_counted = is_kept or settings.BYCLOUD_RATE_SCOPE == "region"
    with take_place(access.asker):
        _refuse_in_named_pause(access)
        spend_try(access)
        if is_counted:
            spend(access, Errand.PERSON)
            _refuse_in_named_pause(access)
        began_at = clock.read_moment()
        seconds = settings.BYCLOUD_LIMITS.deadline_seconds
        try:
            _, page = _fetch(access, InstanceQuery(limit=1), Errand.PERSON, seconds, leaves_refusals=is_kept)
        except ByCloudError as error:
            if is_kept or not isinstance(error, Rejected | Forbidden):
                record_failure(access, Trouble.from_error(error), began_at=began_at)
            raise
    if not is_counted:
        # It is a credential indeed, with a budget.
        with suppress(BudgetSpent, Busy):
            spend(access, Errand.PERSON)
    end_pause(access, is_credential_good=True)
    total = page.meta.total if page.meta else None
    return None if total is None or total < 0 else total


def _refuse_in_named_pause(access: Access) -> None:
    pause = find_pause(access)
    if pause and pause.until and pause.holds_back(Asking.FORCED):
        raise RateLimited(pause.trouble.message, status=pause.trouble.status, retry_at=clock.to_wall(pause.until))


def _show_instead(stored: Dated[InstancePage] | None, trouble: Trouble) -> Dated[InstancePage]:
    trouble = trouble.to_wall()
    if stored is None:
        raise Troubled(trouble)
    return Dated(stored.value, stored.fetched_at, stored.exchange, trouble)


def _is_early(access: Access, stored: Dated[InstancePage], asking: Asking) -> bool:
    """Whether an open page that asks by itself is to make do with what is stored, so that the budget lasts."""
    if asking.errand is not Errand.REFRESH:
        return False
    pace = read_pace(access)
    return pace.goes_at > clock.now() or (asking is Asking.QUICKENED and stored.is_fresh and not pace.is_easy)


def _fly(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> Dated[InstancePage]:
    """Fetch a page, or wait for the process that is fetching it already. Raises `Troubled` or a `ByCloudError`."""
    began_at = clock.read_moment()
    key = flight_key(access, query)
    while monotonic() < ends_at:
        lease = take_lease(key)
        try:
            # Whoever led before may have landed since we last looked.
            answer, trouble = recall_page(access, query)
            if answer and (
                _is_since(began_at, answer.fetched_at) or asking.is_content_with(clock.measure_age(answer.fetched_at))
            ):
                landed = _date(answer, trouble)
                if landed:
                    return landed
            if trouble and _is_since(began_at, trouble.at):
                raise Troubled(trouble)
            if lease:
                return _load_page(access, query, asking, ends_at)
        finally:
            if lease:
                lease.release()
        sleep(POLL_SECONDS)
    raise TimedOut("The page was not fetched in time")


def _date(answer: StoredAnswer, trouble: Trouble | None) -> Dated[InstancePage] | None:
    """A stored page; None for one that another version of the portal could read and this one cannot."""
    try:
        page = decode_instance_page(answer.body)
    except BadPayload:
        return None
    exchange = _exchange_behind(answer, from_store=True)
    return Dated(page, clock.to_wall(answer.fetched_at), exchange, trouble.to_wall() if trouble else None)


def _is_since(began_at: datetime, moment: datetime) -> bool:
    """Whether that came after it was asked; what comes from the future came from another clock."""
    return moment > began_at and clock.is_past(moment)


def _load_page(access: Access, query: InstanceQuery, asking: Asking, ends_at: float) -> Dated[InstancePage]:
    spend(access, asking.errand)
    pause = find_pause(access)
    if pause and pause.holds_back(asking):
        # It began while this one waited for its turn.
        raise Troubled(pause.trouble)
    began_at = clock.read_moment()
    within_seconds = ends_at - monotonic()
    try:
        answer, page = _fetch(access, query, asking.errand, within_seconds)
    except ByCloudError as error:
        trouble = Trouble.from_error(error)
        if trouble.kind != "timed-out" or not _is_hasty(within_seconds):
            trouble = record_failure(access, trouble, began_at=began_at)
            remember(access, trouble_name(query), trouble)
        raise Troubled(trouble) from None
    answers = {page_name(query): answer}
    for instance, source in zip(page.instances or (), split_instances(answer.body), strict=True):
        if instance.id:
            answers[instance_name(instance.id)] = msgspec.structs.replace(answer, body=source)
    keep_answers(access, answers)
    forget(access, trouble_name(query))
    end_pause(access)
    return Dated(page, clock.to_wall(answer.fetched_at), _exchange_behind(answer, from_store=False))


def _is_hasty(within_seconds: float) -> bool:
    """Whether that is too little time to call ByCloud slow."""
    return within_seconds < settings.BYCLOUD_LIMITS.deadline_seconds / 2


def _fetch(
    access: Access, query: InstanceQuery, errand: Errand, within_seconds: float, *, leaves_refusals: bool = True
) -> tuple[StoredAnswer, InstancePage]:
    """One exchange upstream, decoded and written to the log. Its first try is paid for already.

    Unless it `leaves_refusals`, nothing is kept of a credential that ByCloud refuses.
    """
    limits = msgspec.structs.replace(settings.BYCLOUD_LIMITS, deadline_seconds=within_seconds)
    client = Client(access.region, access.credential, limits=limits)
    started_at, began_at = clock.read_moment(), monotonic()
    try:
        answer = client.fetch_instances(query, may_try_again=partial(_may_try_again, access, errand, started_at))
        if answer.rate_limit:
            correct(access, answer.rate_limit)
        _check_secrecy(access, answer)
        body, left_out = trim_instance_page(answer.body, query.limit or LARGEST_PAGE)
        page = decode_instance_page(body, request_id=answer.request_id)
        _check_list(page, query, answer)
    except ByCloudError as error:
        is_refused = isinstance(error, Rejected | Forbidden)
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
        errand=errand,
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


def _check_secrecy(access: Access, answer: Answer) -> None:
    """An answer that repeats the credential it was asked with is neither kept nor shown."""
    body = answer.body
    if b"\\" in body:
        # A letter may be written as an escape: what is compared is the text, also of what is no regular JSON.
        try:
            body += msgspec.json.encode(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            body += _ESCAPES.sub(_unescape, body)
    if access.credential.secret.encode() in body:
        raise BadPayload("The answer repeats the credential", path="$", status=200, request_id=answer.request_id)


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
        raise BadPayload(problem, path="$.instances", status=200, request_id=answer.request_id)


def _may_try_again(access: Access, errand: Errand, started_at: datetime) -> bool:
    """Whether the budget has room, and no other exchange was told since to stay away."""
    pause = find_pause(access)
    if pause and pause.trouble.at > started_at and pause.holds_back(Asking.FORCED):
        return False
    try:
        spend(access, errand)
    except (BudgetSpent, Busy):
        return False
    return True


def _keep(answer: Answer, body: bytes, left_out: int) -> StoredAnswer:
    return StoredAnswer(
        body=body,
        fetched_at=clock.read_moment(),
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        left_out=left_out,
    )


def _exchange_behind(answer: StoredAnswer, *, from_store: bool) -> Exchange:
    return Exchange(
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        from_store=from_store,
        left_out=answer.left_out,
    )
