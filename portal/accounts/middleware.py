"""Access control, sessions, language and time zone. A view without a capability is denied."""

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import structlog
from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext, ngettext
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from portal.accounts.mfa.services import must_set_up_mfa
from portal.accounts.models import Member
from portal.accounts.sessions import services as sessions
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.http import add_way_back, describe_path, find_own_path
from portal.core.permissions import Capability

GetResponse = Callable[[HttpRequest], HttpResponse]
_HEALTH = "/health/"
STAMP = "Portal-Page"
# Set by static/js/zone.js; anything may be in it.
ZONE_COOKIE = "zone"
_ASKED_BY_PAGES = frozenset({"instances:revalidate"})


class AccessMiddleware:
    """Calls the view, redirects to sign-in, or denies access and records it.

    A view that declares no capability is denied to everyone, so that forgetting it does not open the view.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        try:
            return check_access(request, view)
        except PermissionDenied as error:
            self.process_exception(request, error)
            raise

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Record denied access. Django calls this for exceptions from views, not for those from `process_view`."""
        if isinstance(error, PermissionDenied) and isinstance(request.user, Member):
            subject = f"{request.method} {describe_path(request)}"
            record_event(Action.ACCESS_REFUSED, request=request, member=request.user, subject=subject)


def check_access(request: HttpRequest, view: Callable[..., Any]) -> HttpResponse | None:
    """Return None if the view may be called, or a redirect. Raises `PermissionDenied`."""
    capability: Capability | None = getattr(view, "capability", None)
    if capability is Capability.PUBLIC:
        return None
    member = request.user
    if not member.is_authenticated:
        return send_to_sign_in(request)
    structlog.contextvars.bind_contextvars(member=member.get_username())
    if capability is not None and member.can(capability):
        if capability is not Capability.MANAGE_OWN_MFA and must_set_up_mfa(member, request):
            return send_to(request, resolve_url("mfa_index"))
        return _refuse_too_many(request, member)
    raise PermissionDenied


def _refuse_too_many(request: HttpRequest, member: Member) -> HttpResponse | None:
    """Rate-limit a member's requests that change something. Requests made by pages themselves are excluded."""
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    if request.method in {"GET", "HEAD", "OPTIONS"} or view_name in _ASKED_BY_PAGES:
        return None
    if ratelimit.consume(request, action="act", user=member):
        return None
    return ratelimit.respond_429(request)  # type: ignore[no-any-return]


class MemberMiddleware(AuthenticationMiddleware):
    """Sets `request.user`. Ends a session after its idle or absolute timeout, and updates its last activity.

    The auto-refresh of an open page does not count as activity.
    """

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: sessions.find_member(request.session) or AnonymousUser())  # type: ignore[assignment]
        # Health checks must not query the session, and without a cookie there is none.
        has_cookie = settings.SESSION_COOKIE_NAME in request.COOKIES
        if not has_cookie or request.path_info.startswith(_HEALTH) or not sessions.is_signed_in(request.session):
            return
        if end := sessions.find_end(request.session):
            self._end(request, end)
            return
        if "Portal-Refresh" not in request.headers:
            sessions.record_activity(request.session)
        # The session has brought the member. Each look at one that is lazy costs three calls, and a page has some 80.
        request.user = sessions.find_member(request.session) or AnonymousUser()

    def _end(self, request: HttpRequest, end: sessions.SessionEnd) -> None:
        if isinstance(request.user, Member):
            record_event(Action.SESSION_ENDED, request=request, member=request.user, subject=f"{request.user}: {end}")
        request.session.flush()
        request.user = AnonymousUser()
        request.session_end = end  # type: ignore[attr-defined]


class LocaleMiddleware:
    """Activates the language and the time zone that the member has chosen, or else the browser's."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Health checks must not query the session.
        user = None if request.path_info.startswith(_HEALTH) else request.user
        member = user if isinstance(user, Member) else None
        with translation.override(_find_language(request, member)), timezone.override(_find_zone(request, member)):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        patch_vary_headers(response, ["Accept-Language"])
        return response


class PageMiddleware:
    """Makes htmx reload the whole page if it is outdated.

    Each page has a stamp, which htmx sends with each request. If another member has signed in in another tab, or the
    role, the language or the portal's version has changed, the page is reloaded and the request is not processed.
    `AccessMiddleware` redirects members who are signed out.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(STAMP) if HtmxDetails(request) else None
        if given is None or not isinstance(request.user, Member) or given == sessions.make_stamp(request):
            return self.get_response(request)
        messages.info(
            request,
            gettext("This page was loaded again: since it was opened, the portal or who is signed in has changed."),
        )
        return send_back(request)


def _find_language(request: HttpRequest, member: Member | None) -> str:
    if member and member.language in dict(settings.LANGUAGES):
        return member.language
    return translation.get_language_from_request(request)


def _find_zone(request: HttpRequest, member: Member | None) -> ZoneInfo | None:
    """The zone that the member has chosen, or else the browser's. None, for UTC, if there is none of this name."""
    name = (member and member.time_zone) or request.COOKIES.get(ZONE_COOKIE, "")
    return ZoneInfo(name) if name in _list_zones() else None


@lru_cache(maxsize=1)
def _list_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def send_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in page, which redirects back afterwards."""
    if settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.is_empty():
        messages.info(request, _describe_end(getattr(request, "session_end", None)))
    back = _find_way_back(request)
    return send_to(request, add_way_back(resolve_url(settings.LOGIN_URL), back))


def send_back(request: HttpRequest) -> HttpResponse:
    """Redirect to the current page, which then redirects to sign-in and says that the session has ended."""
    return send_to(request, _find_way_back(request) or resolve_url("home"))


def send_to(request: HttpRequest, url: str) -> HttpResponse:
    """Redirect the whole page, for htmx requests as well."""
    response = HttpResponseClientRedirect(url) if HtmxDetails(request) else HttpResponseRedirect(url)
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    return response


def _describe_end(end: sessions.SessionEnd | None) -> str:
    if end is sessions.SessionEnd.IDLE:
        minutes = settings.SESSION_IDLE // timedelta(minutes=1)
        return ngettext(
            "You were signed out after %(minutes)s minute of inactivity. Sign in to continue.",
            "You were signed out after %(minutes)s minutes of inactivity. Sign in to continue.",
            minutes,
        ) % {"minutes": minutes}
    if end is sessions.SessionEnd.ABSOLUTE:
        hours = settings.SESSION_ABSOLUTE // timedelta(hours=1)
        return ngettext(
            "Sessions last %(hours)s hour. Sign in again to continue where you left off.",
            "Sessions last %(hours)s hours. Sign in again to continue where you left off.",
            hours,
        ) % {"hours": hours}
    return gettext("Your session has ended. Sign in to continue where you left off.")


def _find_way_back(request: HttpRequest) -> str | None:
    htmx = HtmxDetails(request)
    if htmx:
        return find_own_path(request, htmx.current_url)
    if request.method in {"GET", "HEAD"}:
        return find_own_path(request, request.get_full_path())
    # The target of a form can't be shown with GET; go back to the page that contains the form.
    return find_own_path(request, request.headers.get("Referer"))
