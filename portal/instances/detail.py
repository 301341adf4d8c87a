"""An instance's page and its responses."""

from dataclasses import dataclass, replace
from http import HTTPStatus

import msgspec
from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.bycloud import Instance, Region
from portal.core.numbers import number_text
from portal.core.request import MemberRequest
from portal.gateway import ApiSession, FetchPolicy, read_meter
from portal.instances.controls import describe_moment
from portal.instances.errors import DetailFailedError, DetailMissingError, describe
from portal.instances.facts import Details, build_details
from portal.instances.forms import InvalidHintsError, read_back
from portal.instances.history import History, read_history
from portal.instances.index_responses import find_pace
from portal.instances.index_status import describe_coverage
from portal.instances.links import (
    DetailQuery,
    ListView,
    bare_list_url,
    credential_url,
    instance_url,
    list_url,
    raw_url,
)
from portal.instances.live import RefreshState, describe_request, describe_usage, name_error, name_pending
from portal.instances.lookup import Absence, FoundInstance, InstanceNotFoundError
from portal.instances.neighbors import Neighbors, find_neighbors
from portal.instances.pages import (
    Page,
    answer_shown,
    answer_unchanged,
    find_target,
    is_due,
    is_shown_already,
    make_page_version,
    renew_url,
    respond,
)

TEMPLATE = "instances/detail.html"


@dataclass(frozen=True, kw_only=True)
class DetailPage(Page):
    """Each field is a variable of the templates. `problems` are pairs of a parameter and its error.

    `back_view` is the list that the page was opened from, and `back_url` its address.
    `next_url` is where an unfinished search goes on, without scripts or an index.
    """

    shown_name: str
    page_url: str
    back_url: str
    back_view: ListView
    instance: Instance | None = None
    details: Details | None = None
    raw_url: str = ""
    download_url: str = ""
    absence: Absence | None = None
    missing: InstanceNotFoundError | None = None
    next_url: str = ""
    problems: tuple[tuple[str, str], ...] = ()
    history: History | None = None
    neighbors: Neighbors | None = None

    def title(self) -> str:
        state = _("Gone") if self.absence and self.absence.is_gone else self.details.state.word if self.details else ""
        return f"{self.shown_name} · {state}" if state else self.shown_name


def answer_instance(
    request: MemberRequest,
    session: ApiSession,
    instance_id: str,
    hints: DetailQuery,
    found: FoundInstance,
    *,
    policy: FetchPolicy,
) -> HttpResponse:
    """An instance; 204 if the open page that asks shows the same already. One that is gone does not refresh itself."""
    region, cached = session.region, found.cached
    history = read_history(session, instance_id)
    page = _build_page(request, session, instance_id, hints)
    neighbors = find_neighbors(session, page.back_view, instance_id)
    # Not until when, which may be the date of the last request.
    absence = found.absence and (found.absence.is_gone, found.absence.since)
    parts = (cached.value.source, name_error(cached.error), history and history.changes, absence, neighbors)
    version = make_page_version(request, *parts)
    if is_shown_already(request, version):
        return answer_unchanged(session, cached)
    details = build_details(cached.value, region=region)
    name = details.name or hints.name or instance_id
    live = RefreshState(
        url=instance_url(region, instance_id, hints),
        target="#instance",
        version=version,
        refresh_seconds=request.user.refresh_seconds,
        is_due=is_due(cached, policy),
        pending=name_pending([instance_id] if details.state.is_pending else []),
        error=cached.error,
    )
    page = replace(
        page,
        shown_name=name,
        instance=cached.value.instance,
        cached=cached,
        details=details,
        history=history,
        neighbors=neighbors,
        absence=found.absence,
        notice=describe(cached.error, read_meter(session)) if cached.error else None,
        live=None if found.is_gone else live,
        announcement=_title_gone(name) if found.is_gone else describe_moment(cached.fetched_at),
        request_info=describe_request(session, cached, is_indexed=found.is_indexed),
        raw_url=raw_url(region, instance_id, name=hints.name),
        download_url=raw_url(region, instance_id, name=hints.name, download=True),
    )
    status = HTTPStatus.GONE if found.is_gone else HTTPStatus.OK
    return respond(request, TEMPLATE, page, target=find_target(request), status=status)


def refuse_instance(request: MemberRequest, region: Region, error: InvalidHintsError) -> HttpResponse:
    """An instance's address with invalid parameters."""
    page = DetailPage(
        region=region,
        instance_id=error.instance_id,
        shown_name=error.instance_id,
        page_url=instance_url(region, error.instance_id, DetailQuery()),
        back_url=bare_list_url(region),
        back_view=ListView(),
        problems=tuple(error.problems.items()),
    )
    return respond(request, TEMPLATE, page, target=find_target(request), status=HTTPStatus.BAD_REQUEST)


def fail_instance(request: MemberRequest, _region: Region, failure: DetailFailedError) -> HttpResponse:
    """The error in place of the instance."""
    session, hints, error = failure.session, failure.hints, failure.error
    if error.kind == "invalid-request":
        # The instance at the marker may be gone, so Retry starts the search again.
        hints = msgspec.structs.replace(hints, marker=None)
    page = replace(
        _build_page(request, session, failure.instance_id, hints),
        notice=describe(error, read_meter(session)),
        live=RefreshState(
            url=instance_url(session.region, failure.instance_id, hints),
            target="#instance",
            version="",
            refresh_seconds=request.user.refresh_seconds,
            error=error,
        ),
    )
    return respond(request, TEMPLATE, page, target=find_target(request))


def miss_instance(request: MemberRequest, _region: Region, error: DetailMissingError) -> HttpResponse:
    """The progress of the search for an instance, or that there is none. The page follows the walk."""
    session, hints, missing = error.session, error.hints, error.search
    page = replace(
        _build_page(request, session, error.instance_id, hints), missing=missing, announcement=describe_search(missing)
    )
    if missing.is_over:
        return respond(request, TEMPLATE, page, target=find_target(request), status=HTTPStatus.NOT_FOUND)
    following = msgspec.structs.replace(hints, marker=missing.next_marker)
    page = replace(page, next_url=instance_url(session.region, error.instance_id, following))
    if missing.coverage:
        index = describe_coverage(missing.coverage)
        version = make_page_version(request, index)
        if is_shown_already(request, version):
            return answer_shown()
        page = replace(
            page,
            index=index,
            announcement="" if "Portal-Refresh" in request.headers else page.announcement,
            live=RefreshState(
                url=page.page_url,
                target="#instance",
                version=version,
                refresh_seconds=request.user.refresh_seconds,
                follow_seconds=find_pace(missing.coverage),
            ),
        )
    return respond(request, TEMPLATE, page, target=find_target(request))


def describe_search(missing: InstanceNotFoundError) -> str:
    """How far the search for an instance is."""
    if missing.is_over:
        return _("Instance not found")
    searched = number_text(missing.searched)
    if not missing.total:
        return _("Searched %(searched)s instances. Not found yet.") % {"searched": searched}
    numbers = {"searched": searched, "total": number_text(missing.total)}
    return _("Searched %(searched)s of %(total)s instances. Not found yet.") % numbers


def _title_gone(name: str) -> str:
    return _("%(name)s is no longer there") % {"name": name}


def _build_page(request: MemberRequest, session: ApiSession, instance_id: str, hints: DetailQuery) -> DetailPage:
    region, url = session.region, instance_url(session.region, instance_id, hints)
    back_view = read_back(hints.back) or ListView()
    return DetailPage(
        region=region,
        instance_id=instance_id,
        shown_name=hints.name or instance_id,
        page_url=url,
        back_url=list_url(region, back_view),
        back_view=back_view,
        query_string=hints.to_query_string(),
        target="#instance",
        renew_url=renew_url(request, region),
        credential_url=credential_url(region, next_url=url),
        rate_limit=describe_usage(read_meter(session)),
    )
