"""Views to sign in with a second factor or a passkey, to manage second factors, and to reset those of a member."""

import json
from typing import Any, NoReturn

from allauth.account.adapter import get_adapter
from allauth.account.stages import LoginStageController
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.views import AddWebAuthnView, EditWebAuthnView, LoginWebAuthnView, ReauthenticateWebAuthnView
from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.accounts.adapter import may_sign_in_here
from portal.accounts.allauth_internals import begin_authentication
from portal.accounts.mfa import services as mfa
from portal.accounts.mfa.reauthentication import ReauthenticationMixin, after_reauthentication_for_form
from portal.accounts.models import Member
from portal.accounts.sessions.services import end_sessions
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.http import add_way_back
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, require_form, require_post


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc]  # allauth has no types
    """Between the first step and the second factor. Expires in the same cases as a session of the member."""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        self.state["session_auth_hash"] = self.login.user.get_session_auth_hash()
        answer: tuple[HttpResponse | None, bool] = super().handle()
        return answer

    def still_holds(self) -> bool:
        member = self.login.user
        return (
            member is not None
            and constant_time_compare(self.state.get("session_auth_hash", ""), member.get_session_auth_hash())
            and (mfa.signed_in_with_sso(member, self.request) or may_sign_in_here(member))
        )


class SecondFactorView(AuthenticateView):  # type: ignore[misc]
    """The second step after the password: a code or a passkey."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        stage = LoginStageController.enter(request, SecondFactorStage.key)
        if isinstance(stage, SecondFactorStage) and not stage.still_holds():
            stage.abort()
            return get_adapter().respond_user_inactive(request, stage.login.user)  # type: ignore[no-any-return]
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        facts: dict[str, Any] = super().get_context_data(**kwargs)
        options = facts["js_data"]["request_options"]
        has_passkeys = bool(options["publicKey"].get("allowCredentials"))
        return facts | {"has_passkeys": has_passkeys, "options": json.dumps(options)}


@requires(Capability.PUBLIC)
@require_post
def make_challenge(request: HttpRequest) -> HttpResponse:
    """Create the challenge for passwordless sign-in and store it in the session."""
    # Creates a session, so it is rate-limited like the sign-in form.
    refused: HttpResponse | None = ratelimit.consume_or_429(request, action="login")
    return refused or JsonResponse(begin_authentication(user=None))


class PasskeySignInView(LoginWebAuthnView):  # type: ignore[misc]
    """Passwordless sign-in with a passkey. Redirects to `next` like the password form."""

    def form_invalid(self, form: Form) -> HttpResponse:
        for error in form.errors.get("credential", []):
            messages.error(self.request, str(error))
        back = get_next_redirect_url(self.request)
        return redirect(add_way_back(reverse("account_login"), back))


@requires(Capability.MANAGE_OWN_MFA)
@require_safe
def show_factors(request: MemberRequest) -> HttpResponse:
    mine = mfa.list_mfa_methods(request.user)
    context = {
        "methods": mine,
        "codes_left": len(mfa.list_recovery_codes(mine.codes)) if mine.codes else 0,
        "must_set_up": mfa.must_set_up_mfa(request.user, request),
        "is_required": mfa.is_required_of(request.user),
    }
    return render(request, "mfa/index.html", context)


class SetUpAppView(ActivateTOTPView):  # type: ignore[misc]
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
        what = f"{mfa.describe(self.object)} → {form.cleaned_data['name']}"
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record_event(Action.SECOND_FACTOR_RENAMED, request=self.request, member=self.request.user, subject=what)
        return response


@requires(Capability.MANAGE_OWN_MFA)
@require_form
@after_reauthentication_for_form
def remove_factor(request: MemberRequest, pk: int) -> HttpResponse:
    """GET asks for confirmation; POST removes the factor, unless it is the last one of a member who needs one."""
    factor = get_object_or_404(mfa.filter_mfa_methods(), pk=pk, user=request.user)
    name = factor.wrap().name if factor.type == Authenticator.Type.WEBAUTHN else ""
    title = _("Remove the passkey %(name)s?") % {"name": name} if name else _("Remove your authenticator app?")
    error = ""
    if request.method == "POST":
        try:
            mfa.remove_mfa_method(factor, member=request.user, request=request)
        except mfa.LastMfaMethodError:
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
@after_reauthentication_for_form
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
    if mfa.list_mfa_methods(request.user).count == 1:
        # The other sessions started without a second factor and may belong to someone else.
        request.session.cycle_key()
        end_sessions(request.user, but=request.session.session_key)


def _show_codes(request: MemberRequest) -> HttpResponse:
    codes = mfa.list_mfa_methods(request.user).codes
    if codes is None:
        raise Http404
    left = mfa.list_recovery_codes(codes)
    is_shown = request.method == "POST"
    if is_shown:
        record_event(Action.RECOVERY_CODES_SHOWN, request=request, member=request.user, subject=f"{len(left)} left")
    context = {"count": len(left), "codes": left if is_shown else []}
    return render(request, "mfa/recovery_codes.html", context)


class PasskeyAgainView(ReauthenticationMixin, ReauthenticateWebAuthnView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        facts = super().get_context_data(**kwargs)
        return facts | {"options": json.dumps(facts["js_data"]["request_options"])}

    def form_invalid(self, form: Form) -> HttpResponse:
        # allauth's version redirects to the sign-in page.
        response: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        return response


@requires(Capability.MANAGE_TEAM)
@require_form
@after_reauthentication_for_form
def reset_mfa(request: MemberRequest, pk: int) -> HttpResponse:
    """For a member who lost their phone and recovery codes. GET asks for confirmation; POST resets.

    Admins manage their own factors on their own page, which does not allow removing the last one.
    """
    member = get_object_or_404(Member, pk=pk)
    if member.pk == request.user.pk:
        return redirect("mfa_index")
    if request.method != "POST":
        return render(request, "accounts/reset_factors.html", {"member": member})
    if mfa.reset_mfa(member, by=request.user, request=request):
        messages.success(
            request,
            _("Two-factor authentication of %(name)s was reset, and their sessions were ended.") % {"name": member},
        )
    else:
        messages.info(request, _("%(name)s has no two-factor authentication.") % {"name": member})
    return redirect("team")
