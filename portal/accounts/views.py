"""Views for sign-in and sign-out, invitations, the team and preferences."""

from copy import copy
from typing import Any
from urllib.parse import urlencode

from allauth.account.views import LoginView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from portal.accounts import services as team
from portal.accounts.forms import AcceptForm, InvitationForm, PreferencesForm, RoleForm, ThemeForm
from portal.accounts.mfa.reauthentication import after_reauthentication, after_reauthentication_for_form
from portal.accounts.models import Member
from portal.core.http import find_own_path, is_at_public_host, make_absolute
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, posted_data, require_form, require_post


class SignInView(LoginView):  # type: ignore[misc]  # allauth has no types
    """allauth's view with the other sign-in methods. With SSO_ONLY the form is only shown at `?local=1`."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        if settings.OIDC_ISSUER:
            # Browsers apply form-action to redirects of the form, too.
            origins = (
                settings.OIDC_ORIGINS if is_at_public_host(request) else [settings.PUBLIC_URL, *settings.OIDC_ORIGINS]
            )
            response._csp_update = {"form-action": origins}  # type: ignore[attr-defined]  # noqa: SLF001
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        facts: dict[str, Any] = super().get_context_data(**kwargs)
        is_asked_for = self.request.method == "POST" or "local" in self.request.GET
        return facts | {
            "provider_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
            "has_password_form": is_asked_for or not settings.SSO_ONLY,
            "local_url": f"?{urlencode(self.request.GET.dict() | {'local': '1'})}",
        }


@requires(Capability.PUBLIC)
@require_form
def sign_out(request: HttpRequest) -> HttpResponse:
    """POST ends the session and clears the browser's data; GET asks for confirmation."""
    if request.method != "POST":
        return render(request, "account/logout.html") if request.user.is_authenticated else redirect("account_login")
    logout(request)
    response = redirect("account_login")
    # Without "cookies", which would clear those of the whole domain. The session cookie is already deleted.
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@requires(Capability.MANAGE_TEAM)
@require_form
@after_reauthentication
def invite(request: MemberRequest) -> HttpResponse:
    """POST shows the link. Not a redirect, because the link is shown only once. Access is confirmed before the form is
    filled in; should that expire meanwhile, the form is kept until it is confirmed again.
    """
    form = InvitationForm(posted_data(request))
    if form.is_valid():
        invitation = form.save(commit=False)
        token = team.make_invitation(invitation, by=request.user, request=request)
        link = make_absolute(reverse("accounts:accept_invitation", args=[token]))
        return render(request, "accounts/invitation_made.html", {"invitation": invitation, "link": link})
    return render(request, "accounts/invite.html", {"form": form}, status=422 if form.errors else 200)


@requires(Capability.MANAGE_TEAM)
@require_post
def revoke_invitation(request: MemberRequest, pk: int) -> HttpResponse:
    invitation = team.revoke_invitation(pk, by=request.user, request=request)
    if invitation is None:
        messages.info(request, _("This invitation is no longer pending."))
    else:
        messages.success(request, _("Invitation for %(name)s revoked.") % {"name": invitation.name})
    return redirect("team")


@requires(Capability.MANAGE_TEAM)
@require_form
@after_reauthentication_for_form
def change_role(request: MemberRequest, pk: int) -> HttpResponse:
    member = get_object_or_404(Member, pk=pk)
    form = RoleForm(posted_data(request), instance=Member(pk=member.pk, role=member.role))
    if form.is_valid():
        try:
            changed = team.change_role(pk, form.cleaned_data["role"], by=request.user, request=request)
        except team.LastAdminError:
            form.add_error(
                "role", _("%(name)s is the last admin. Make someone else an admin first.") % {"name": member}
            )
        else:
            what = {"name": changed.username, "role": changed.get_role_display()}
            messages.success(request, _("%(name)s is now %(role)s.") % what)
            has_lost_team = changed.pk == request.user.pk and not changed.can(Capability.MANAGE_TEAM)
            return redirect("home" if has_lost_team else "team")
    context = {"form": form, "member": member}
    return render(request, "accounts/change_role.html", context, status=422 if form.errors else 200)


@requires(Capability.MANAGE_TEAM)
@require_form
@after_reauthentication_for_form
def deactivate(request: MemberRequest, pk: int) -> HttpResponse:
    """GET asks for confirmation; POST deactivates the member."""
    member = get_object_or_404(Member, pk=pk)
    error = ""
    if request.method == "POST":
        try:
            team.deactivate(pk, by=request.user, request=request)
        except team.LastAdminError:
            error = _("%(name)s is the last admin. Make someone else an admin first.") % {"name": member}
        else:
            messages.success(request, _("%(name)s was deactivated and signed out everywhere.") % {"name": member})
            if pk != request.user.pk:
                return redirect("team")
            # The admin's own session was ended with the others and must not be saved again.
            request.session.flush()
            return redirect("account_login")
    context = {"member": member, "error": error}
    return render(request, "accounts/deactivate.html", context, status=422 if error else 200)


@requires(Capability.MANAGE_TEAM)
@require_post
@after_reauthentication
def reactivate(request: MemberRequest, pk: int) -> HttpResponse:
    member = team.reactivate(pk, by=request.user, request=request)
    messages.success(request, _("%(name)s was reactivated.") % {"name": member})
    return redirect("team")


@requires(Capability.PUBLIC)
@sensitive_post_parameters()
@require_form
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Accept an invitation: choose a user name and a password, then sign in."""
    invitation = team.find_invitation(token)
    if invitation is None:
        return render(request, "accounts/invitation_gone.html", status=404)
    if request.user.is_authenticated:
        return render(request, "accounts/invitation_signed_in.html", {"invitation": invitation})
    form = AcceptForm(posted_data(request), instance=Member(email=invitation.email, role=invitation.role))
    if form.is_valid():
        try:
            member = team.accept_invitation(token, form.save(commit=False), request=request)
        except team.InvitationGoneError:
            return render(request, "accounts/invitation_gone.html", status=404)
        except team.MemberNameTakenError:
            form.add_error("username", _("This user name or e-mail address is already in use."))
        else:
            messages.success(request, _("Welcome, %(name)s. Sign in with your new password.") % {"name": member})
            return redirect("account_login")
    context = {"form": form, "invitation": invitation}
    return render(request, "accounts/accept_invitation.html", context, status=422 if form.errors else 200)


@requires(Capability.MANAGE_OWN_PREFERENCES)
@require_form
def show_preferences(request: MemberRequest) -> HttpResponse:
    # A copy: an invalid form may change its instance, which the page layout uses.
    form = PreferencesForm(posted_data(request), instance=copy(request.user))
    if form.is_valid():
        member = form.save(commit=False)
        member.save(update_fields=form.changed_data)
        # The message appears on the next page, in the new language.
        with translation.override(member.language or translation.get_language_from_request(request)):
            messages.success(request, _("Preferences saved."))
        return redirect("accounts:preferences")
    context = {"form": form, "now": timezone.now()}
    return render(request, "accounts/preferences.html", context, status=422 if form.errors else 200)


@requires(Capability.MANAGE_OWN_PREFERENCES)
@require_post
def change_theme(request: MemberRequest) -> HttpResponse:
    """The theme menu of every page. Redirects back to that page."""
    form = ThemeForm(request.POST, instance=copy(request.user))
    if form.is_valid():
        form.save(commit=False).save(update_fields=["theme"])
    return redirect(find_own_path(request, request.POST.get("next")) or "accounts:preferences")
