"""Sign-out, the team page, invitations and preferences."""

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.capabilities import Capability, requires
from portal.accounts.requests import MemberRequest


@requires(Capability.PUBLIC)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """POST ends the session and empties the browser; GET asks first."""
    if request.method != "POST" and request.user.is_authenticated:
        return render(request, "account/logout.html")
    response = redirect("account_login")
    if request.method == "POST":
        logout(request)
        response["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@requires(Capability.KEEP_TEAM)
@require_safe
def show_team(request: MemberRequest) -> HttpResponse:
    return render(request, "accounts/team.html")


@requires(Capability.KEEP_TEAM)
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: MemberRequest) -> HttpResponse:
    return render(request, "accounts/invite.html")


@requires(Capability.KEEP_TEAM)
@require_POST
def revoke_invitation(request: MemberRequest, pk: int) -> HttpResponse:
    return redirect("accounts:team")


@requires(Capability.KEEP_TEAM)
@require_http_methods(["GET", "HEAD", "POST"])
def change_role(request: MemberRequest, pk: int) -> HttpResponse:
    return render(request, "accounts/change_role.html")


@requires(Capability.KEEP_TEAM)
@require_http_methods(["GET", "HEAD", "POST"])
def deactivate(request: MemberRequest, pk: int) -> HttpResponse:
    return render(request, "accounts/deactivate.html")


@requires(Capability.KEEP_TEAM)
@require_POST
def activate_again(request: MemberRequest, pk: int) -> HttpResponse:
    return redirect("accounts:team")


@requires(Capability.PUBLIC)
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    return render(request, "accounts/accept_invitation.html")


@requires(Capability.KEEP_OWN_PREFERENCES)
@require_http_methods(["GET", "HEAD", "POST"])
def show_preferences(request: MemberRequest) -> HttpResponse:
    return render(request, "accounts/preferences.html")
