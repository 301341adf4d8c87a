"""Error pages. htmx requests get a fragment, so that no whole page is inserted into a table."""

import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from portal.accounts.hashers import RETRY_AFTER_SECONDS, BusyError
from portal.accounts.middleware import send_back
from portal.accounts.models import Member
from portal.core.http import add_way_back, find_own_path

log = structlog.get_logger(__name__)


class ErrorPageMiddleware:
    """Adds a page to Django's empty response for a method that is not allowed, and one for a password that could not be
    hashed in time (503, not logged as an error).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        page = method_not_allowed(request)
        page.headers["Allow"] = response.headers["Allow"]
        return page

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, BusyError):
            return None
        page = _answer(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            title=_("Too many passwords at once"),
            text=_(
                "The portal is checking many passwords right now. Yours was not checked and doesn't count as an"
                " attempt. Go back and try again in a few seconds."
            ),
        )
        page.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return page


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Also used for an invalid host name, from which the page must not load anything.

    If the session ended during the request, redirects to sign-in instead.
    """
    if isinstance(exception, SessionInterrupted):
        return send_back(request)
    return _answer_alone(
        request,
        HTTPStatus.BAD_REQUEST,
        title=_("Bad request"),
        text=_("The portal couldn't process the request. Go back and try again."),
    )


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Shows who is signed in and which admins to ask. Names are shown to members only."""
    del exception
    member = _find_member(request)
    names = list(Member.objects.active_admins().values_list("username", flat=True)) if member else []
    return _answer(
        request,
        HTTPStatus.FORBIDDEN,
        title=_("You don't have permission"),
        text=_("Your role doesn't allow this."),
        template="errors/403.html",
        context={"member": member, "admins": [name for name in names if member and name != member.username]},
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF check failed, usually because the page was opened before the last sign-in. Django logs the reason.

    The page says whether the member is still signed in, so that a failed sign-out is not taken for a successful one.
    """
    del reason
    member, is_way_out = _find_member(request), request.path == resolve_url("account_logout")
    name = {"name": member.get_username() if member else ""}
    label = _("Reload page")
    if member and is_way_out:
        text = _("The page was opened before %(name)s signed in here. You are still signed in as %(name)s.") % name
        label = _("Sign out")
    elif member:
        text = (
            _("The form was opened before %(name)s signed in here, or comes from another site. Nothing was changed.")
            % name
        )
    else:
        text = _("You signed in or out after opening it, or your browser blocks cookies. Reload the page.")
    # A fragment replaces a part of the page, so link to the page that contains it.
    url = find_own_path(request, request.headers.get("HX-Current-URL") or request.headers.get("Referer"))
    if member and is_way_out:
        url = request.path
    elif going := find_own_path(request, request.POST.get("next")):
        url = going if member else add_way_back(resolve_url(settings.LOGIN_URL), going)
    return _answer(
        request,
        HTTPStatus.FORBIDDEN,
        title=_("This form has expired"),
        text=text,
        context={"action_url": url, "action_label": label},
    )


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    del exception
    return _answer(
        request,
        HTTPStatus.NOT_FOUND,
        title=_("Page not found"),
        text=_("Check the address, or go to the instances."),
    )


def method_not_allowed(request: HttpRequest) -> HttpResponse:
    """Usually a reload of a response to a form, whose URL has no page for GET."""
    return _answer(
        request,
        HTTPStatus.METHOD_NOT_ALLOWED,
        title=_("This address has no page"),
        text=_("It only processes a form from another page. Go to the instances."),
        context={"start_url": find_own_path(request, request.get_full_path()) if request.method == "GET" else None},
    )


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Called by allauth when an IP address or a member sends too many forms."""
    response = _answer(
        request,
        HTTPStatus.TOO_MANY_REQUESTS,
        title=_("Too many attempts"),
        text=_("Too many forms were sent within a minute. Go back, where your input is kept, and try again."),
    )
    response.headers["Retry-After"] = "60"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Uses no database, session or context processor, because any of them may be what failed.

    Django calls it while the exception is being handled. A database that does not respond, or has no free connection in
    time, is usually a temporary problem.
    """
    if isinstance(sys.exc_info()[1], OperationalError):
        response = _answer_alone(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            title=_("The portal is unavailable"),
            text=_("The database request failed and was logged. Try again in a moment."),
        )
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    return _answer_alone(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        title=_("Something went wrong"),
        text=_("The error was logged. Try again in a moment."),
    )


def _answer(
    request: HttpRequest,
    status: HTTPStatus,
    *,
    title: str,
    text: str,
    template: str = "errors/error.html",
    context: dict[str, Any] | None = None,
) -> HttpResponse:
    facts = _describe(status, title, text) | (context or {})
    is_fragment = _wants_fragment(request)
    response = render(request, "errors/_error.html" if is_fragment else template, facts, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _answer_alone(request: HttpRequest, status: HTTPStatus, *, title: str, text: str) -> HttpResponse:
    facts = _describe(status, title, text)
    template = "errors/_error.html" if _wants_fragment(request) else "errors/alone.html"
    try:
        return HttpResponse(render_to_string(template, facts), status=status)
    except Exception:
        # The template engine or the static files manifest may be broken, too.
        log.exception("error_page_failed")
        return HttpResponse(f"{title}\n{text}\n", status=status, content_type="text/plain; charset=utf-8")


def _describe(status: HTTPStatus, title: str, text: str) -> dict[str, Any]:
    """What every error page shows; the URLs are those of what can be done about it."""
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    empty = dict.fromkeys(("action_url", "action_label", "start_url"), "")
    return {"status": int(status), "title": title, "text": text, "request_id": request_id, **empty}


def _wants_fragment(request: HttpRequest) -> bool:
    # Read the headers directly: the htmx middleware may not have run.
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def _find_member(request: HttpRequest) -> Member | None:
    user = getattr(request, "user", None)
    return user if isinstance(user, Member) else None
