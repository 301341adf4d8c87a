"""Answers as pages: the whole page, or the one region of it that htmx asked for. Calls nothing upstream."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect, retarget

from portal.accounts.capabilities import Capability
from portal.accounts.requests import MemberRequest
from portal.bycloud import InstanceQuery, Region
from portal.credentials.forms import CredentialForm
from portal.gateway import Access, Asking, Dated
from portal.instances import results
from portal.instances.catalog import Found, Listing, Missing, Seen, read_seen
from portal.instances.details import build_details, describe_curl
from portal.instances.filters import DEFAULT_LIMIT, Reading, has_filters, to_query_string, without_filters
from portal.instances.forms import build_form
from portal.instances.hints import Hints, read_back
from portal.instances.links import credential_url, instance_url, list_url, raw_url
from portal.instances.rows import build_rows
from portal.instances.statuses import KNOWN_STATUSES
from portal.instances.troubles import Notice, describe

_REGIONS = {
    "instances": "instances/_instances.html",
    "results": "instances/_results.html",
    "instance": "instances/_instance.html",
}


def wants_fragment(request: MemberRequest) -> bool:
    """Whether a region of the page was asked for. A history restore carries htmx's header too, but needs the page."""
    htmx = request.htmx
    return bool(htmx) and not htmx.history_restore_request and htmx.target in _REGIONS


def ask_for_credential(request: MemberRequest, region: Region, problem: str, *, url: str) -> HttpResponse:
    """The page that takes a credential and comes back to `url`. `problem` says why the one that is kept will not do."""
    if wants_fragment(request):
        return HttpResponseClientRedirect(url)
    return render(
        request,
        "credentials/missing.html",
        {"region": region, "form": CredentialForm(), "problem": problem, "next": url},
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
    )


def refuse_list(request: MemberRequest, region: Region, reading: Reading) -> HttpResponse:
    """Parameters that cannot be accepted, each named; nothing that was typed is lost."""
    context = {
        "region": region,
        "form": build_form(reading, seen=Seen()),
        "unknown": reading.unknown,
        "is_refused": True,
        "known_url": list_url(region, reading.known) if reading.known and reading.unknown else "",
        "list_url": reverse("instances:list", args=[region]),
        "statuses": KNOWN_STATUSES,
    }
    response = _answer(request, "instances/list.html", context, status=HTTPStatus.BAD_REQUEST)
    return retarget(response, "#instances") if wants_fragment(request) else response


def answer_list(
    request: MemberRequest, access: Access, query: InstanceQuery, outcome: Listing | Notice, *, asking: Asking
) -> HttpResponse:
    """A page of the list, or the trouble in its place."""
    region, seen = access.region, read_seen(access)
    url = list_url(region, query)
    context = {
        "region": region,
        "seen": seen,
        "form": build_form(Reading(query), seen=seen),
        "tokens": results.build_tokens(query, region=region, seen=seen),
        "has_filters": has_filters(query),
        "clear_url": list_url(region, without_filters(query)),
        "list_url": reverse("instances:list", args=[region]),
        "url": url,
        "statuses": tuple(sorted({*KNOWN_STATUSES, *seen.statuses})),
        **_renewing(request, region, to_query_string(query), url, target="#results"),
    }
    if isinstance(outcome, Notice):
        return _answer(request, "instances/list.html", context | {"notice": outcome}, notice=outcome)
    page = outcome.page
    context |= {
        "listing": outcome,
        "page": page,
        "rows": build_rows(outcome.instances, region=region, query=query),
        "pager": results.build_pager(outcome, query, region=region),
        "count": results.describe_count(outcome),
        "notice": describe(page.trouble) if page.trouble else None,
        "asks_again": _asks_again(page, asking),
        "announcement": results.describe_page(outcome),
    }
    return _answer(request, "instances/list.html", context)


def refuse_instance(
    request: MemberRequest, region: Region, instance_id: str, problems: Mapping[str, str]
) -> HttpResponse:
    """An instance's address with parameters that cannot be accepted."""
    context = {
        "region": region,
        "instance_id": instance_id,
        # As pairs: the parameters are a stranger's words, and one of them may be "items".
        "problems": tuple(problems.items()),
        "url": instance_url(region, instance_id, Hints()),
        "back_url": reverse("instances:list", args=[region]),
    }
    return _answer(request, "instances/detail.html", context, status=HTTPStatus.BAD_REQUEST)


def answer_instance(
    request: MemberRequest,
    access: Access,
    instance_id: str,
    hints: Hints,
    outcome: Found | Missing | Notice,
    *,
    asking: Asking,
) -> HttpResponse:
    """One instance; or how far the search for it has come, that it was not found, or the trouble."""
    region = access.region
    url = instance_url(region, instance_id, hints)
    context = {
        "region": region,
        "instance_id": instance_id,
        "hints": hints,
        "url": url,
        "back_url": list_url(region, read_back(hints.back) or InstanceQuery(limit=DEFAULT_LIMIT)),
        **_renewing(request, region, hints.to_query_string(), url, target="#instance"),
    }
    if isinstance(outcome, Notice):
        if outcome.kind == "invalid-request":
            # The instance at which the search was to go on may be gone: Retry begins anew.
            context["url"] = instance_url(region, instance_id, msgspec.structs.replace(hints, marker=None, step=0))
        return _answer(request, "instances/detail.html", context | {"notice": outcome}, notice=outcome)
    if isinstance(outcome, Missing):
        following = msgspec.structs.replace(hints, marker=outcome.next_marker, step=hints.step + 1)
        context |= {
            "missing": outcome,
            "next_url": instance_url(region, instance_id, following),
            "goes_on_by_itself": hints.goes_on_by_itself,
        }
        status = HTTPStatus.OK if outcome.next_marker else HTTPStatus.NOT_FOUND
        return _answer(request, "instances/detail.html", context, status=status)
    found = outcome.instance
    instance = found.value.instance
    context |= {
        "instance": instance,
        "page": found,
        "details": build_details(found.value, region=region),
        "notice": describe(found.trouble) if found.trouble else None,
        "asks_again": _asks_again(found, asking),
        "announcement": results.describe_moment(found.fetched_at),
        "elapsed_milliseconds": round(found.exchange.elapsed_seconds * 1000),
        "curl": describe_curl(access, found.exchange),
        "raw_url": raw_url(region, instance_id, name=hints.name),
        "download_url": raw_url(region, instance_id, name=hints.name, download=True),
    }
    return _answer(request, "instances/detail.html", context)


def _renewing(request: MemberRequest, region: Region, query_string: str, url: str, *, target: str) -> dict[str, str]:
    """What Refresh and Retry send and where to, which region of the page they renew, and where a token is replaced."""
    may_force = request.user.can(Capability.FORCE_REFRESH)
    revalidate_url = reverse("instances:revalidate", args=[region])
    return {
        "query_string": query_string,
        "target": target,
        "renew_url": reverse("instances:refresh", args=[region]) if may_force else revalidate_url,
        "revalidate_url": revalidate_url,
        "credential_url": credential_url(region, next_url=url),
    }


def _asks_again(page: Dated[Any], asking: Asking) -> bool:
    """Whether the page asks once by itself for a fresh answer: not after one that did, nor before ByCloud allows."""
    retry_at = page.trouble.retry_at if page.trouble else None
    return asking is Asking.STORED_FIRST and page.is_due and not (retry_at and retry_at > timezone.now())


def _answer(
    request: MemberRequest,
    template: str,
    context: dict[str, Any],
    *,
    status: int = HTTPStatus.OK,
    notice: Notice | None = None,
) -> HttpResponse:
    """The page, or the region of it that htmx asked for. `notice`: the trouble in the place of everything."""
    target = request.htmx.target if wants_fragment(request) else None
    if target:
        template = _REGIONS["instances" if "is_refused" in context else target]
    context["counts_apart"] = target == "results"
    response = render(request, template, context, status=notice.status if notice else status)
    if notice and notice.retry_seconds:
        response.headers["Retry-After"] = str(notice.retry_seconds)
    patch_vary_headers(response, ("HX-Request", "HX-Target", "Cookie"))
    return response
