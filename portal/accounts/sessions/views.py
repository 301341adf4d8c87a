"""Views to list and end sessions: for all members their own, for admins any member's."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from portal.accounts.mfa.reauthentication import after_reauthentication
from portal.accounts.models import Member
from portal.accounts.sessions import services as sessions
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, require_post


@requires(Capability.MANAGE_OWN_PREFERENCES)
@require_safe
def show_own(request: MemberRequest) -> HttpResponse:
    return _show(request, request.user)


@requires(Capability.MANAGE_OWN_PREFERENCES)
@require_post
def end_own(request: MemberRequest) -> HttpResponse:
    """End the session given in the form, or all others if none is given."""
    _end(request, request.user)
    return redirect("accounts:sessions")


@requires(Capability.MANAGE_OWN_PREFERENCES)
@require_post
def stay(request: MemberRequest) -> HttpResponse:
    """Sent when a member extends a session that is about to expire; the middleware has already reset the timeout."""
    del request
    return HttpResponse(status=204)


@requires(Capability.MANAGE_TEAM)
@require_safe
def show_members(request: MemberRequest, pk: int) -> HttpResponse:
    return _show(request, get_object_or_404(Member, pk=pk))


@requires(Capability.MANAGE_TEAM)
@require_post
@after_reauthentication
def end_members(request: MemberRequest, pk: int) -> HttpResponse:
    """End the session given in the form, or all sessions of the member except the admin's current one."""
    member = get_object_or_404(Member, pk=pk)
    _end(request, member)
    return redirect("accounts:member_sessions", pk)


def _show(request: MemberRequest, member: Member) -> HttpResponse:
    found = sessions.list_sessions(member, this_key=request.session.session_key)
    is_own = member.pk == request.user.pk
    return render(request, "accounts/sessions.html", {"member": member, "sessions": found, "is_own": is_own})


def _end(request: HttpRequest, member: Member) -> None:
    handle = request.POST.get("session", "")
    if handle:
        count = int(sessions.end_session(member, handle))
    else:
        count = sessions.end_sessions(member, but=request.session.session_key)
    if count:
        record_event(Action.SESSION_ENDED, request=request, member=request.user, subject=f"{member}: {count}")  # type: ignore[arg-type]
    words = ngettext("%(count)s session ended.", "%(count)s sessions ended.", count)
    messages.success(request, words % {"count": count} if count else _("There was no session to end."))
