"""Views to change a password, request a reset link, set a new password, and create a link as an admin."""

from copy import copy

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from portal.accounts.adapter import may_sign_in_here, throttle_key
from portal.accounts.forms import ChangePasswordForm, ForgottenForm
from portal.accounts.mfa.reauthentication import after_reauthentication
from portal.accounts.models import Member
from portal.accounts.passwords import services as passwords
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, posted_data, require_form, require_post


@requires(Capability.MANAGE_OWN_PREFERENCES)
@sensitive_post_parameters()
@require_form
def change_own(request: MemberRequest) -> HttpResponse:
    # A copy: an invalid form may change its instance, which the page layout uses.
    member = copy(request.user)
    if request.method == "POST" and not ratelimit.consume(request, action="change_password", user=member):
        # Don't validate the form: its errors would reveal whether the old password is correct.
        messages.error(request, _("Too many attempts. Try again in a minute."))
        return render(request, "accounts/change_password.html", {"form": ChangePasswordForm(member)}, status=429)
    form = ChangePasswordForm(member, posted_data(request))
    if form.is_valid():
        passwords.change_password(member, form.cleaned_data["new_password1"], request=request)
        messages.success(request, _("Password changed. Your other sessions were ended."))
        return redirect("accounts:preferences")
    return render(request, "accounts/change_password.html", {"form": form}, status=422 if form.errors else 200)


@requires(Capability.PUBLIC)
@require_form
def forgotten(request: HttpRequest) -> HttpResponse:
    """The response is the same whether the account exists or not."""
    form = ForgottenForm(posted_data(request))
    if form.is_valid() and settings.EMAIL_URL:
        typed = form.cleaned_data["login"]
        if ratelimit.consume(request, action="reset_password", key=throttle_key(typed)):
            passwords.send_link(typed, request=request)
        return render(request, "accounts/password_sent.html")
    context = {"form": form, "is_by_mail": bool(settings.EMAIL_URL)}
    return render(request, "accounts/forgotten.html", context, status=422 if form.errors else 200)


@requires(Capability.PUBLIC)
@sensitive_post_parameters()
@require_form
def choose_new(request: HttpRequest, key: str, token: str) -> HttpResponse:
    """Set a new password with a reset link."""
    member = passwords.find_member(key, token)
    if member is None:
        return render(request, "accounts/password_link_gone.html", status=404)
    form = SetPasswordForm(member, posted_data(request))
    if form.is_valid():
        try:
            passwords.set_password(key, token, password=form.cleaned_data["new_password1"], request=request)
        except passwords.LinkGoneError:
            return render(request, "accounts/password_link_gone.html", status=404)
        if request.user == member:
            # This session was ended with the others and must not be saved again.
            request.session.flush()
        messages.success(request, _("Your password was reset. Sign in with the new one."))
        return redirect("account_login")
    context = {"form": form, "member": member}
    return render(request, "accounts/new_password.html", context, status=422 if form.errors else 200)


@requires(Capability.MANAGE_TEAM)
@require_post
@after_reauthentication
def make_link(request: MemberRequest, pk: int) -> HttpResponse:
    """Show a new reset link. Not a redirect, because the link is shown only once.

    Admins change their own password on their own page, which asks for the old one. Members who must use the OpenID
    provider get no link.
    """
    member = get_object_or_404(Member, pk=pk, is_active=True)
    if member.pk == request.user.pk:
        return redirect("accounts:change_password")
    if not may_sign_in_here(member):
        what = {"name": member, "provider": settings.OIDC_NAME}
        messages.error(request, _("%(name)s signs in with %(provider)s and can't use a password.") % what)
        return redirect("team")
    link = passwords.make_link(member, by=request.user, request=request)
    return render(request, "accounts/password_link_made.html", {"member": member, "link": link})
