"""Views to set up, rename and remove second factors, show recovery codes, and reset another member's factors."""

import json
from typing import Any, NoReturn

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.views import AddWebAuthnView, EditWebAuthnView, ReauthenticateWebAuthnView
from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.accounts.mfa import services as factors
from portal.accounts.mfa.reauthentication import Proof, after_proof_of_form
from portal.accounts.models import Member
from portal.accounts.sessions.services import end_sessions
from portal.audit.events import record_event
from portal.audit.models import Action
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, require_form


@requires(Capability.MANAGE_OWN_MFA)
@require_safe
def show_factors(request: MemberRequest) -> HttpResponse:
    mine = factors.list_mfa_methods(request.user)
    context = {
        "factors": mine,
        "codes_left": len(factors.list_recovery_codes(mine.codes)) if mine.codes else 0,
        "must_set_up": factors.must_set_up(request.user, request),
        "is_required": factors.is_required_of(request.user),
    }
    return render(request, "mfa/index.html", context)


class SetUpAppView(ActivateTOTPView):  # type: ignore[misc]  # allauth has no types
    """The first code proves that the app has the secret. The secret is stored in the session until then."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_mfa_enabled(request.user, [Authenticator.Type.TOTP]):
            return redirect("mfa_index")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        facts: dict[str, Any] = super().get_context_data(**kwargs)
        secret = facts["form"].secret
        return facts | {"secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))}

    def form_valid(self, form: Form) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            _finish_set_up(self.request, "authenticator app", has_new_codes=self.did_generate_recovery_codes)
        messages.success(self.request, _("Your authenticator app is set up."))
        return response


class AddPasskeyView(AddWebAuthnView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # allauth drops the given context, including a form with errors.
        facts: dict[str, Any] = super().get_context_data(**kwargs) | kwargs
        return facts | {"options": json.dumps(facts["js_data"]["creation_options"])}

    def form_valid(self, form: Form) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            name = f"passkey {form.cleaned_data['name']}"
            _finish_set_up(self.request, name, has_new_codes=self.did_generate_recovery_codes)
        messages.success(self.request, _("Your passkey is set up."))
        return response


class RenamePasskeyView(EditWebAuthnView):  # type: ignore[misc]
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Form) -> HttpResponse:
        what = f"{factors.describe(self.object)} → {form.cleaned_data['name']}"
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record_event(Action.SECOND_FACTOR_RENAMED, request=self.request, member=self.request.user, subject=what)
        return response


@requires(Capability.MANAGE_OWN_MFA)
@require_form
@after_proof_of_form
def remove_factor(request: MemberRequest, pk: int) -> HttpResponse:
    """GET asks for confirmation; POST removes the factor, unless it is the last one of a member who needs one."""
    factor = get_object_or_404(factors.filter_mfa_methods(), pk=pk, user=request.user)
    name = factor.wrap().name if factor.type == Authenticator.Type.WEBAUTHN else ""
    title = _("Remove the passkey %(name)s?") % {"name": name} if name else _("Remove your authenticator app?")
    error = ""
    if request.method == "POST":
        try:
            factors.remove_mfa_method(factor, member=request.user, request=request)
        except factors.LastMfaMethodError:
            error = _("This is your only two-factor method, and one is required. Set up another one first.")
        else:
            said = (
                _("The passkey %(name)s is removed.") % {"name": name}
                if name
                else _("Your authenticator app is removed.")
            )
            messages.success(request, said)
            return redirect("mfa_index")
    context = {"factor": factor, "title": title, "error": error}
    return render(request, "mfa/remove.html", context, status=422 if error else 200)


@requires(Capability.MANAGE_OWN_MFA)
@require_form
@after_proof_of_form
def show_recovery_codes(request: MemberRequest) -> HttpResponse:
    """GET shows how many are left; POST shows the codes."""
    return _show_codes(request)


class RenewCodesView(GenerateRecoveryCodesView):  # type: ignore[misc]
    """Replaces the recovery codes and shows the new ones."""

    def form_valid(self, form: Form) -> HttpResponse:
        with transaction.atomic():
            super().form_valid(form)
            record_event(Action.RECOVERY_CODES_RENEWED, request=self.request, member=self.request.user)
        messages.success(self.request, _("These are your new recovery codes. The old ones no longer work."))
        return _show_codes(self.request)

    def form_invalid(self, _form: Form) -> NoReturn:
        """The member has no second factor."""
        raise Http404


def _finish_set_up(request: MemberRequest, name: str, *, has_new_codes: bool) -> None:
    """Called here because allauth sends its signal after the change is committed."""
    for what in (name, "recovery codes") if has_new_codes else (name,):
        record_event(Action.SECOND_FACTOR_ADDED, request=request, member=request.user, subject=what)
    if factors.list_mfa_methods(request.user).count == 1:
        # The other sessions started without a second factor and may belong to someone else.
        request.session.cycle_key()
        end_sessions(request.user, but=request.session.session_key)


def _show_codes(request: MemberRequest) -> HttpResponse:
    codes = factors.list_mfa_methods(request.user).codes
    if codes is None:
        raise Http404
    left = factors.list_recovery_codes(codes)
    is_shown = request.method == "POST"
    if is_shown:
        record_event(Action.RECOVERY_CODES_SHOWN, request=request, member=request.user, subject=f"{len(left)} left")
    context = {"count": len(left), "codes": left if is_shown else []}
    return render(request, "mfa/recovery_codes.html", context)


class PasskeyAgainView(Proof, ReauthenticateWebAuthnView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        facts = super().get_context_data(**kwargs)
        return facts | {"options": json.dumps(facts["js_data"]["request_options"])}

    def form_invalid(self, form: Form) -> HttpResponse:
        # allauth's version redirects to the sign-in page.
        response: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        return response


@requires(Capability.MANAGE_TEAM)
@require_form
@after_proof_of_form
def reset_mfa(request: MemberRequest, pk: int) -> HttpResponse:
    """For a member who lost their phone and recovery codes. GET asks for confirmation; POST resets.

    Admins manage their own factors on their own page, which does not allow removing the last one.
    """
    member = get_object_or_404(Member, pk=pk)
    if member.pk == request.user.pk:
        return redirect("mfa_index")
    if request.method != "POST":
        return render(request, "accounts/reset_factors.html", {"member": member})
    if factors.reset_mfa(member, by=request.user, request=request):
        messages.success(
            request,
            _("Two-factor authentication of %(name)s was reset, and their sessions were ended.") % {"name": member},
        )
    else:
        messages.info(request, _("%(name)s has no two-factor authentication.") % {"name": member})
    return redirect("team")
