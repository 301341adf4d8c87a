"""What the pages of the list and of an instance have in common, and their responses: whole, or the region for htmx."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from portal.bycloud import Region
from portal.core.invisible import show_plain
from portal.core.permissions import Capability
from portal.core.request import MemberRequest
from portal.credentials.forms import CredentialForm
from portal.credentials.status import describe_expiry
from portal.gateway import ApiSession, Cached, FetchPolicy, read_meter
from portal.instances.errors import ErrorNotice, NoCredentialError
from portal.instances.index_status import IndexStatus
from portal.instances.links import ListView, list_url
from portal.instances.live import RateLimitUsage, RefreshState, RequestInfo, describe_unchanged, make_version

_TARGETS = {
    "instances": "instances/_instances.html",
    "results": "instances/_results.html",
    "instance": "instances/_instance.html",
    "overview": "overview/_overview.html",
    "changes": "changes/_changes.html",
    "export-all": "instances/_export_all.html",
}
# Before the title of a page on which something is wrong.
TROUBLE = "\N{WARNING SIGN}\N{VARIATION SELECTOR-15}"
VARY = ("HX-Request", "HX-Target", "HX-Trigger", "Cookie")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the templates of the list and of an instance have in common: each field is a variable there.

    `query_string` and `target` are what Refresh and Retry submit and which region they update.
    """

    region: Region
    instance_id: str = ""
    query_string: str = ""
    target: str = ""
    renew_url: str = ""
    credential_url: str = ""
    rate_limit: RateLimitUsage | None = None
    cached: Cached[Any] | None = None
    live: RefreshState | None = None
    notice: ErrorNotice | None = None
    request_info: RequestInfo | None = None
    announcement: str = ""
    index: IndexStatus | None = None

    def title(self) -> str:
        """What the browser's tabs, history and bookmarks call the page, without the region and the product."""
        return _("Instances")

    def is_in_trouble(self) -> bool:
        return self.notice is not None or bool(self.index and self.index.live_url)


def find_target(request: MemberRequest) -> str:
    """The region of the page that htmx requested; empty for the whole page, which a history restore needs, too."""
    htmx = request.htmx
    is_fragment = bool(htmx) and not htmx.history_restore_request and htmx.target in _TARGETS
    return str(htmx.target) if is_fragment else ""


def ask_for_credential(request: MemberRequest, region: Region, error: NoCredentialError) -> HttpResponse:
    """The page that asks for a credential, and then returns to the page or, after a form, to the list."""
    url = list_url(region, ListView()) if request.method == "POST" else request.get_full_path()
    if find_target(request):
        return HttpResponseClientRedirect(url)
    return render(
        request,
        "credentials/missing.html",
        {"region": region, "form": CredentialForm(), "problem": error.problem, "next": url},
        status=HTTPStatus.CONFLICT if error.problem else HTTPStatus.OK,
    )


def renew_url(request: MemberRequest, region: Region) -> str:
    """Where Refresh and Retry lead."""
    name = "refresh" if request.user.can(Capability.FORCE_REFRESH) else "revalidate"
    return reverse(f"instances:{name}", args=[region])


def is_due(page: Cached[Any], policy: FetchPolicy) -> bool:
    """Whether the page should refresh at once: not if it has just tried, and not before ByCloud allows it."""
    return policy is FetchPolicy.CACHE_FIRST and page.is_due


def make_page_version(request: MemberRequest, *parts: Any) -> str:
    """The version depends on content, member and credential: buttons depend on the role, times on the time zone."""
    member, credential = request.user, request.credential
    reader = (member.role, member.refresh_seconds, timezone.get_current_timezone_name(), get_language())
    return make_version(reader, credential.is_team, describe_expiry(credential), *parts)


def is_shown_already(request: MemberRequest, version: str) -> bool:
    """Whether an open page refreshes itself and has this version."""
    headers = request.headers
    return "Portal-Refresh" in headers and headers.get("Portal-Version") == version and bool(find_target(request))


def answer_shown() -> HttpResponse:
    """Nothing to swap or to update."""
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    patch_vary_headers(response, VARY)
    return response


def answer_unchanged(session: ApiSession, page: Cached[Any]) -> HttpResponse:
    """Nothing to swap: only the date and the rate limit are updated."""
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    trigger_client_event(response, "portal:unchanged", describe_unchanged(page, read_meter(session)))
    patch_vary_headers(response, VARY)
    return response


def respond(
    request: MemberRequest, template: str, page: Page, *, target: str, status: int = HTTPStatus.OK
) -> HttpResponse:
    """The page, or the region that htmx requested, with its title. A notice without a page is all there is to show."""
    notice = None if page.cached else page.notice
    # Parameters may be checked before the credential is looked up.
    credential = getattr(request, "credential", None)
    warning = describe_expiry(credential) if credential else ""
    title = show_plain(f"{page.title()} · {page.region.code} · {_('ByCloud Portal')}")
    variables = {
        **vars(page),
        "credential": credential,
        "expiry_warning": warning,
        "title": f"{TROUBLE} {title}" if page.is_in_trouble() else title,
        "fragment": _TARGETS.get(target),
    }
    template = "layout/fragment.html" if target else template
    response = render(request, template, variables, status=notice.status if notice else status)
    if notice and notice.retry_seconds:
        response.headers["Retry-After"] = str(notice.retry_seconds)
    patch_vary_headers(response, VARY)
    return response
