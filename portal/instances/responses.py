"""Renders responses: the whole page, or the region that htmx requested. Sends no requests to ByCloud."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language
from django_htmx.http import HttpResponseClientRedirect, retarget, trigger_client_event

from portal.bycloud import Region
from portal.core.http import describe_unknown
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.credentials.forms import CredentialForm
from portal.credentials.status import describe_expiry
from portal.gateway import ApiSession, Cached, FetchPolicy, read_largest_page, read_meter
from portal.instances import pagination
from portal.instances.detail import build_details, describe_request
from portal.instances.detail_query import DetailQuery, read_back
from portal.instances.display_options import DisplayOptions, choose_display_options
from portal.instances.errors import ErrorNotice, describe
from portal.instances.forms import build_form
from portal.instances.links import credential_url, instance_url, list_url, raw_url
from portal.instances.list_query import (
    ListView,
    ParsedQuery,
    at_marker,
    has_filters,
    name_hidden_in,
    to_query_string,
    without_filters,
    without_hidden,
)
from portal.instances.live import (
    RefreshState,
    describe_budget,
    describe_unchanged,
    make_version,
    name_pending,
    name_trouble,
)
from portal.instances.services import Found, KnownValues, Listing, Missing, read_known_values
from portal.instances.table import render_table
from portal.instances.toolbar import build_settings, build_share, link_views

_REGIONS = {
    "instances": "instances/_instances.html",
    "results": "instances/_results.html",
    "instance": "instances/_instance.html",
}
# Templates in which whitespace does not matter. An instance's JSON must stay as it is.
_WITHOUT_LITERAL_TEXT = frozenset({"instances/list.html", "instances/_instances.html", "instances/_results.html"})
# A twentieth of the response, even compressed.
_INDENTATION = re.compile(rb"(?<=>)\n\s+(?=<)")
VARY = ("HX-Request", "HX-Target", "HX-Trigger", "Cookie")


def wants_fragment(request: MemberRequest) -> bool:
    """Whether a region of the page was requested. A history restore also sends htmx's header, but needs the page."""
    htmx = request.htmx
    return bool(htmx) and not htmx.history_restore_request and htmx.target in _REGIONS


def ask_for_credential(request: MemberRequest, region: Region, problem: str, *, url: str) -> HttpResponse:
    """The page that asks for a credential and then returns to `url`. `problem` says why the current one fails."""
    if wants_fragment(request):
        return HttpResponseClientRedirect(url)
    return render(
        request,
        "credentials/missing.html",
        {"region": region, "form": CredentialForm(), "problem": problem, "next": url},
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
    )


def refuse_list(request: MemberRequest, region: Region, reading: ParsedQuery) -> HttpResponse:
    """The list with invalid parameters: an error for each, and the input as it was entered."""
    context = {
        "region": region,
        "form": build_form(reading, seen=KnownValues()),
        "unknown": describe_unknown(reading.unknown) if reading.unknown else "",
        "is_refused": True,
        "list_url": reverse("instances:list", args=[region]),
    }
    response = _answer(request, "instances/list.html", context, status=HTTPStatus.BAD_REQUEST)
    return retarget(response, "#instances") if wants_fragment(request) else response


def answer_list(
    request: MemberRequest,
    access: ApiSession,
    view: ListView,
    outcome: Listing | ErrorNotice,
    *,
    policy: FetchPolicy,
    unknown: tuple[str, ...] = (),
) -> HttpResponse:
    """A page of the list, or the error instead; 204 if the open page that asks shows the same already.

    `unknown` are parameters that were ignored; the page names them.
    """
    region, seen = access.region, read_known_values(access)
    refresh_seconds = request.user.refresh_seconds
    url = list_url(region, view)
    layout = choose_display_options(view, request.user)
    tokens = pagination.build_active_filters(view, region=region, seen=seen)
    version = "" if isinstance(outcome, ErrorNotice) else _make_list_version(request, outcome, tokens, layout)
    if isinstance(outcome, Listing) and _is_shown_already(request, version):
        return _answer_unchanged(access, outcome.page)
    context = {
        "region": region,
        "form": build_form(ParsedQuery(view), seen=seen),
        "unknown": describe_unknown(unknown) if unknown else "",
        "tokens": tokens,
        "clear_url": list_url(region, without_filters(view)),
        "hidden": ", ".join(name_hidden_in(view)),
        "cleaned_url": list_url(region, without_hidden(view)),
        "list_url": reverse("instances:list", args=[region]),
        "url": url,
        "budget": describe_budget(read_meter(access)),
        **_renewing(request, region, to_query_string(view), url, target="#results"),
        **_lay_beside(request, access, view, layout),
    }
    if isinstance(outcome, ErrorNotice):
        live = RefreshState(
            url=url, target="#results", version="", refresh_seconds=refresh_seconds, trouble=outcome.trouble
        )
        return _answer(request, "instances/list.html", context | {"notice": outcome, "live": live}, notice=outcome)
    page = outcome.page
    table = render_table(outcome.instances, region=region, view=view, layout=layout)
    context |= {
        "listing": outcome,
        "left_out": page.exchange.left_out,
        "page": page,
        "table": table,
        "is_without_matches": table is None and has_filters(view) and not outcome.says_more,
        "none_here": pagination.title_none_here(outcome, is_filtered=has_filters(view)),
        "limit_words": pagination.describe_limit(outcome, view),
        "pager": pagination.build_pager(outcome, view, region=region),
        "count": pagination.describe_count(outcome),
        "notice": describe(page.trouble, read_meter(access)) if page.trouble else None,
        "live": RefreshState(
            url=url,
            target="#results",
            version=version,
            refresh_seconds=refresh_seconds,
            is_due=_is_due(page, policy),
            pending=table.pending if table else "",
            trouble=page.trouble,
        ),
        "announcement": pagination.describe_page(outcome, is_filtered=has_filters(view)),
        "working": describe_request(access, page),
    }
    return _answer(request, "instances/list.html", context)


def refuse_instance(
    request: MemberRequest, region: Region, instance_id: str, problems: Mapping[str, str]
) -> HttpResponse:
    """An instance's URL with invalid parameters."""
    context = {
        "region": region,
        "instance_id": instance_id,
        # Pairs, because a parameter may be called "items", which a template would look up as a key.
        "problems": tuple(problems.items()),
        "shown_name": instance_id,
        "url": instance_url(region, instance_id, DetailQuery()),
        "back_url": reverse("instances:list", args=[region]),
    }
    return _answer(request, "instances/detail.html", context, status=HTTPStatus.BAD_REQUEST)


def answer_instance(
    request: MemberRequest,
    access: ApiSession,
    instance_id: str,
    hints: DetailQuery,
    outcome: Found | Missing | ErrorNotice,
    *,
    policy: FetchPolicy,
) -> HttpResponse:
    """An instance, the progress of its search, "not found", or the error; or 204, as above."""
    region, refresh_seconds = access.region, request.user.refresh_seconds
    url = instance_url(region, instance_id, hints)
    version = ""
    if isinstance(outcome, Found):
        version = _make_version(request, outcome.instance.value.source, name_trouble(outcome.instance.trouble))
        if _is_shown_already(request, version):
            return _answer_unchanged(access, outcome.instance)
    context = {
        "region": region,
        "instance_id": instance_id,
        "shown_name": hints.name or instance_id,
        "url": url,
        "back_url": list_url(region, read_back(hints.back) or ListView()),
        "budget": describe_budget(read_meter(access)),
        **_renewing(request, region, hints.to_query_string(), url, target="#instance"),
    }
    if isinstance(outcome, ErrorNotice):
        if outcome.kind == "invalid-request":
            # The instance at the marker may be gone, so Retry starts the search again.
            hints = msgspec.structs.replace(hints, marker=None, step=0)
            context["query_string"] = hints.to_query_string()
        live = RefreshState(
            url=instance_url(region, instance_id, hints),
            target="#instance",
            version="",
            refresh_seconds=refresh_seconds,
            trouble=outcome.trouble,
        )
        return _answer(request, "instances/detail.html", context | {"notice": outcome, "live": live}, notice=outcome)
    if isinstance(outcome, Missing):
        following = msgspec.structs.replace(hints, marker=outcome.next_marker, step=hints.step + 1)
        context |= {
            "missing": outcome,
            "page": outcome.page,
            "announcement": pagination.describe_search(outcome),
            "working": describe_request(access, outcome.page, ends_search=True),
            "next_url": instance_url(region, instance_id, following),
            "goes_on_by_itself": hints.goes_on_by_itself,
        }
        status = HTTPStatus.OK if outcome.next_marker else HTTPStatus.NOT_FOUND
        return _answer(request, "instances/detail.html", context, status=status)
    found = outcome.instance
    details = build_details(found.value, region=region)
    context |= {
        "instance": found.value.instance,
        "page": found,
        "details": details,
        "shown_name": details.name or hints.name or instance_id,
        "notice": describe(found.trouble, read_meter(access)) if found.trouble else None,
        "live": RefreshState(
            url=url,
            target="#instance",
            version=version,
            refresh_seconds=refresh_seconds,
            is_due=_is_due(found, policy),
            pending=name_pending([instance_id] if details.state.is_pending else []),
            trouble=found.trouble,
        ),
        "announcement": pagination.describe_moment(found.fetched_at),
        "working": describe_request(access, found),
        "raw_url": raw_url(region, instance_id, name=hints.name),
        "download_url": raw_url(region, instance_id, name=hints.name, download=True),
    }
    return _answer(request, "instances/detail.html", context)


def _renewing(request: MemberRequest, region: Region, query_string: str, url: str, *, target: str) -> dict[str, str]:
    """What Refresh and Retry submit and which region they update, and the URLs to check or replace the credential."""
    may_force = request.user.can(Capability.FORCE_REFRESH)
    revalidate_url = reverse("instances:revalidate", args=[region])
    return {
        "query_string": query_string,
        "target": target,
        "renew_url": reverse("instances:refresh", args=[region]) if may_force else revalidate_url,
        "revalidate_url": revalidate_url,
        "check_url": reverse("instances:check_credential", args=[region]),
        "credential_url": credential_url(region, next_url=url),
    }


def _lay_beside(
    request: MemberRequest, access: ApiSession, view: ListView, layout: DisplayOptions
) -> dict[str, object]:
    """The context around the results, as far as it is needed: all of it, or what changes with filters and pages."""
    region = access.region
    is_alone = wants_fragment(request) and request.htmx.target == "results"
    if is_alone and "Portal-Refresh" in request.headers:
        return {}
    beside: dict[str, object] = {"share": build_share(view, layout, region=region)}
    if not is_alone or request.htmx.trigger == "filters":
        views = link_views(view, layout, member=request.user, region=region)
        beside |= {
            "views": views,
            "has_own_views": any(not one.owner for one in views),
            "is_whole_list": at_marker(view, None) == ListView() and not any(one.is_current for one in views),
            "whole_list_url": list_url(region, ListView()),
        }
    if not is_alone:
        beside["layout"] = build_settings(view, layout, largest_limit=read_largest_page(region))
    return beside


def _is_due(page: Cached[Any], policy: FetchPolicy) -> bool:
    """Whether the page should refresh at once: not if it has just tried, and not before ByCloud allows it."""
    return policy is FetchPolicy.CACHE_FIRST and page.is_due


def _make_list_version(
    request: MemberRequest, listing: Listing, tokens: tuple[pagination.ActiveFilter, ...], layout: DisplayOptions
) -> str:
    place = (
        listing.total,
        listing.next_marker,
        listing.has_previous,
        listing.previous_marker,
        listing.first_position,
        listing.marker_is_gone,
        listing.says_more,
        listing.limit,
        listing.largest_limit,
        listing.page.exchange.left_out,
    )
    trouble = name_trouble(listing.page.trouble)
    return _make_version(request, listing.page.value.instances, trouble, place, tokens, layout)


def _make_version(request: MemberRequest, *parts: Any) -> str:
    """The version depends on content, member and credential: buttons depend on the role, times on the time zone."""
    member, held = request.user, request.held
    reader = (member.role, member.refresh_seconds, timezone.get_current_timezone_name(), get_language())
    return make_version(reader, held.is_team, describe_expiry(held), *parts)


def _is_shown_already(request: MemberRequest, version: str) -> bool:
    """Whether an open page refreshes itself and has this version."""
    is_refresh = wants_fragment(request) and "Portal-Refresh" in request.headers
    return is_refresh and request.headers.get("Portal-Version") == version


def _answer_unchanged(access: ApiSession, page: Cached[Any]) -> HttpResponse:
    """Nothing to swap: only the date and the rate limit are updated."""
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    trigger_client_event(response, "portal:unchanged", describe_unchanged(page, read_meter(access)))
    patch_vary_headers(response, VARY)
    return response


def _answer(
    request: MemberRequest,
    template: str,
    context: dict[str, Any],
    *,
    status: int = HTTPStatus.OK,
    notice: ErrorNotice | None = None,
) -> HttpResponse:
    """The page, or the region that htmx requested. `notice`: the error that replaces the content."""
    target = request.htmx.target if wants_fragment(request) else None
    if target:
        # Errors in parameters also affect the form above the results.
        target = "instances" if "is_refused" in context else target
        template = _REGIONS[target]
    # Parameters are checked before the credential is looked up.
    held = getattr(request, "held", None)
    context |= {"held": held, "expiry_warning": describe_expiry(held) if held else ""}
    context["counts_apart"] = target == "results"
    response = render(request, template, context, status=notice.status if notice else status)
    if template in _WITHOUT_LITERAL_TEXT:
        response.content = _INDENTATION.sub(b"\n", response.content)
    if notice and notice.retry_seconds:
        response.headers["Retry-After"] = str(notice.retry_seconds)
    patch_vary_headers(response, VARY)
    return response
