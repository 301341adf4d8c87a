"""Reads pages and instances: from the store while that will do, else by one joined request upstream."""

from datetime import UTC, datetime

import structlog
from django.conf import settings

from portal.bycloud import (
    ByCloudError,
    Client,
    InstancePage,
    InstanceQuery,
    decode_instance,
    decode_instance_page,
    split_instances,
)
from portal.gateway.access import Access
from portal.gateway.flight import Flights
from portal.gateway.freshness import Asking, Dated, Exchange, StoredInstance, Trouble
from portal.gateway.store import (
    StoredAnswer,
    forget,
    instance_name,
    keep_answers,
    page_name,
    recall,
    remember,
    trouble_name,
)

log = structlog.get_logger(__name__)
_flights: Flights[Dated[InstancePage]] = Flights()


def read_page(access: Access, query: InstanceQuery, *, asking: Asking = Asking.STORED_FIRST) -> Dated[InstancePage]:
    """One page of instances, dated.

    When upstream fails and the page was seen within a day, that page comes back with the trouble in it; when it was
    not, the `ByCloudError` is raised.
    """
    stored = _find_page(access, query)
    if stored and _will_do(stored, asking):
        return stored

    def load() -> Dated[InstancePage]:
        # Whoever led the flight before may have landed between our look and ours: look again.
        landed = _find_page(access, query)
        return landed if landed and _will_do(landed, asking) else _load_page(access, query)

    try:
        flight = f"{access.scope}:{asking}:{page_name(query)}"
        return _flights.join(flight, load, timeout_seconds=settings.BYCLOUD_LIMITS.deadline_seconds)
    except ByCloudError as error:
        trouble = Trouble.from_error(error)
        remember(access, trouble_name(query), trouble)
        if stored is None:
            raise
        return Dated(stored.value, stored.fetched_at, stored.exchange, trouble)


def read_instance(access: Access, instance_id: str) -> Dated[StoredInstance] | None:
    """An instance as it stood on the last page that held it, or None. Never goes upstream."""
    answer = recall(access, instance_name(instance_id), StoredAnswer)
    if answer is None:
        return None
    value = StoredInstance(instance=decode_instance(answer.body), source=answer.body)
    return Dated(value, answer.fetched_at, _exchange_behind(answer, from_store=True))


def check_credential(access: Access) -> None:
    """Ask upstream for one instance, so that a credential that is not taken raises its `ByCloudError` now."""
    _fetch(access, InstanceQuery(limit=1))


def _will_do(page: Dated[InstancePage], asking: Asking) -> bool:
    return asking is Asking.STORED_FIRST or (asking is Asking.REVALIDATED and page.is_fresh)


def _find_page(access: Access, query: InstanceQuery) -> Dated[InstancePage] | None:
    answer = recall(access, page_name(query), StoredAnswer)
    if answer is None:
        return None
    return Dated(
        decode_instance_page(answer.body),
        answer.fetched_at,
        _exchange_behind(answer, from_store=True),
        recall(access, trouble_name(query), Trouble),
    )


def _load_page(access: Access, query: InstanceQuery) -> Dated[InstancePage]:
    answer, page = _fetch(access, query)
    answers = {page_name(query): answer}
    for instance, source in zip(page.instances or (), split_instances(answer.body), strict=True):
        if instance.id:
            answers[instance_name(instance.id)] = StoredAnswer(
                body=source,
                fetched_at=answer.fetched_at,
                target=answer.target,
                elapsed_seconds=answer.elapsed_seconds,
                request_id=answer.request_id,
            )
    keep_answers(access, answers)
    forget(access, trouble_name(query))
    return Dated(page, answer.fetched_at, _exchange_behind(answer, from_store=False))


def _fetch(access: Access, query: InstanceQuery) -> tuple[StoredAnswer, InstancePage]:
    """One exchange upstream, decoded and written to the log."""
    client = Client(access.region, access.credential, limits=settings.BYCLOUD_LIMITS)
    started_at = datetime.now(UTC)
    try:
        answer = client.fetch_instances(query)
        page = decode_instance_page(answer.body, request_id=answer.request_id)
    except ByCloudError as error:
        seconds = (datetime.now(UTC) - started_at).total_seconds()
        log.warning(
            "bycloud_exchange_failed",
            region=access.region.code,
            error=type(error).__name__,
            status=error.status,
            upstream_request_id=error.request_id,
            upstream_milliseconds=round(seconds * 1000),
        )
        raise
    log.info(
        "bycloud_exchange",
        region=access.region.code,
        upstream_request_id=answer.request_id,
        upstream_milliseconds=round(answer.elapsed_seconds * 1000),
    )
    stored = StoredAnswer(
        body=answer.body,
        fetched_at=answer.received_at,
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
    )
    return stored, page


def _exchange_behind(answer: StoredAnswer, *, from_store: bool) -> Exchange:
    return Exchange(
        target=answer.target,
        elapsed_seconds=answer.elapsed_seconds,
        request_id=answer.request_id,
        from_store=from_store,
    )
