"""Renders the changes of a region, or the part of the page for htmx."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.bycloud import Region
from portal.changes.days import ChangeDay, group_by_day
from portal.changes.links import SPANS, VISIT, ChangesView, changes_url
from portal.changes.models import Visit
from portal.changes.services import ChangesPage
from portal.core.formatting import exact_text, local_time, minute_text
from portal.core.http import describe_unknown
from portal.core.request import MemberRequest
from portal.fleet.change_words import KIND_NAMES, describe_change
from portal.fleet.models import ChangeKind
from portal.gateway import ApiSession, read_meter
from portal.instances.index_responses import find_pace
from portal.instances.index_status import IndexStatus, describe_coverage
from portal.instances.links import ListView, list_url
from portal.instances.live import RefreshState, describe_usage
from portal.instances.pages import Page, answer_shown, find_target, is_shown_already, make_page_version, respond

TEMPLATE = "changes/list.html"
TARGET = "#changes"


class Choice(msgspec.Struct, frozen=True):
    """A filter as a link: to the page with it, or without it if it is chosen already."""

    label: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class ChangesListPage(Page):
    """Each field is a variable of the templates. `problems` are pairs of a parameter and its error.

    `recorded_since` and `visited_at` are texts. `moment` is the time that `since` has, as a form field has it.
    """

    view: ChangesView
    page_url: str
    whole_url: str
    newest_url: str = ""
    without_instance_url: str
    instance_name: str = ""
    spans: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    moment: str = ""
    days: tuple[ChangeDay, ...] = ()
    recorded_since: str = ""
    visited_at: str = ""
    next_url: str = ""
    range: str = ""
    unknown: str = ""
    problems: Sequence[tuple[str, str]] = field(default=())

    def title(self) -> str:
        return f"{self.instance_name} – {_('Changes')}" if self.instance_name else _("Changes")


def answer_changes(
    request: MemberRequest, session: ApiSession, view: ChangesView, found: ChangesPage, *, unknown: Sequence[str] = ()
) -> HttpResponse:
    """A page of changes; 204 if the open page that asks shows the same already."""
    region, is_refresh = session.region, "Portal-Refresh" in request.headers
    status = describe_coverage(found.coverage, newest=found.read_at, problems=found.problems)
    version = make_page_version(request, found.changes, status, found.recorded_since, timezone.localdate())
    if is_shown_already(request, version):
        return answer_shown()
    changes = found.changes
    page = replace(
        _build_page(session, view, found.visit),
        index=status,
        instance_name=(changes[0].name if changes else "") or view.instance,
        days=group_by_day(changes, found.counts, region),
        recorded_since=exact_text(found.recorded_since) if found.recorded_since else "",
        next_url=changes_url(region, view, before=found.next) if found.next else "",
        range=_describe_range(found),
        unknown=describe_unknown(unknown),
        live=RefreshState(
            url=changes_url(region, view, before=view.before),
            target=TARGET,
            version=version,
            refresh_seconds=request.user.refresh_seconds,
            follow_seconds=find_pace(found.coverage),
        ),
        announcement="" if is_refresh and status.progress else _describe_page(found),
    )
    return respond(request, TEMPLATE, page, target=find_target(request))


def answer_without_index(request: MemberRequest, session: ApiSession, view: ChangesView) -> HttpResponse:
    page = replace(
        _build_page(session, view, None),
        index=IndexStatus(live_url=list_url(session.region, ListView())),
    )
    return respond(request, TEMPLATE, page, target=find_target(request))


def refuse_changes(request: MemberRequest, session: ApiSession, problems: Sequence[tuple[str, str]]) -> HttpResponse:
    """The page's address with invalid parameters."""
    page = replace(_build_page(session, ChangesView(), None), problems=problems)
    return respond(request, TEMPLATE, page, target=find_target(request), status=HTTPStatus.BAD_REQUEST)


def _build_page(session: ApiSession, view: ChangesView, visit: Visit | None) -> ChangesListPage:
    region = session.region
    moment = "" if view.since in {"", VISIT, *SPANS} else view.since
    return ChangesListPage(
        region=region,
        view=view,
        page_url=changes_url(region, view, before=view.before),
        whole_url=changes_url(region, ChangesView()),
        newest_url="" if view.before is None else changes_url(region, view),
        without_instance_url=changes_url(region, view, instance=""),
        instance_name=view.instance,
        spans=_list_spans(region, view),
        kinds=_list_kinds(region, view),
        moment=_write_local(moment),
        visited_at=_describe_visit(visit),
        rate_limit=describe_usage(read_meter(session)),
    )


def _list_spans(region: Region, view: ChangesView) -> tuple[Choice, ...]:
    labels = {
        "": _("All"),
        "1h": _("Last hour"),
        "24h": _("Last 24 hours"),
        "7d": _("Last 7 days"),
        VISIT: _("Since my last visit"),
    }
    if view.since not in labels:
        labels[view.since] = _("Since %(moment)s") % {"moment": exact_text(datetime.fromisoformat(view.since))}
    return tuple(
        Choice(label, changes_url(region, view, since=since), is_chosen=view.since == since)
        for since, label in labels.items()
    )


def _list_kinds(region: Region, view: ChangesView) -> tuple[Choice, ...]:
    def without_or_with(kind: ChangeKind) -> tuple[ChangeKind, ...]:
        return tuple(each for each in ChangeKind if (each in view.kinds) != (each is kind))

    return tuple(
        Choice(str(name), changes_url(region, view, kinds=without_or_with(kind)), is_chosen=kind in view.kinds)
        for kind, name in KIND_NAMES.items()
    )


def _write_local(moment: str) -> str:
    """As a field for local times has it."""
    return f"{local_time(datetime.fromisoformat(moment)):%Y-%m-%dT%H:%M}" if moment else ""


def _describe_visit(visit: Visit | None) -> str:
    return exact_text(visit.since_at) if visit and visit.since_at else ""


def _describe_range(found: ChangesPage) -> str:
    """`29 Nov 2026, 14:31 – 11:02`: the times of the newest and of the oldest change of the page."""
    if not found.changes:
        return ""
    newest, oldest = found.changes[0].until, found.changes[-1].until
    day = local_time(newest).date()
    first, last = minute_text(newest, timezone.localdate()), minute_text(oldest, day)
    return first if last in first else f"{first} – {last}"


def _describe_page(found: ChangesPage) -> str:
    """What a screen reader announces after a page was swapped in."""
    return describe_change(found.changes[0]) if found.changes else _("No changes")
