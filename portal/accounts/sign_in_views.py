"""Sign-in with a password, a passkey or the OpenID provider, and the second step after the password."""

import json
import secrets
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.stages import LoginStageController
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import LoginView
from allauth.core import ratelimit
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn.views import LoginWebAuthnView
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from portal.accounts.adapter import fail, may_sign_in_here
from portal.accounts.allauth_internals import begin_authentication
from portal.accounts.mfa.services import came_through_provider
from portal.accounts.provider import DiscoveryAdapter
from portal.core.http import add_way_back, is_at_public_host, make_absolute
from portal.core.permissions import Capability, requires
from portal.core.request import require_post

# Errors caused by invalid provider responses, besides those that allauth checks. (requests' errors are OSErrors.)
_UNREADABLE = (OAuth2Error, OSError, KeyError, TypeError, ValueError, AttributeError, ImproperlyConfigured)


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


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc]
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
            and (came_through_provider(member, self.request) or may_sign_in_here(member))
        )


class SecondFactorView(AuthenticateView):  # type: ignore[misc]
    """The second step after the password: a code or a passkey."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        stage = LoginStageController.enter(request, SecondFactorStage.key)
        if isinstance(stage, SecondFactorStage) and not stage.still_holds():
            stage.abort()
            return get_account_adapter().respond_user_inactive(request, stage.login.user)  # type: ignore[no-any-return]
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


@requires(Capability.PUBLIC)
@require_post
def start_single_sign_on(request: HttpRequest) -> HttpResponse:
    """Redirect to the OpenID provider. Only `next` is taken from the request."""
    if not settings.OIDC_ISSUER:
        raise Http404
    if refused := ratelimit.consume_or_429(request, action="login"):
        return refused  # type: ignore[no-any-return]
    next_url = get_next_redirect_url(request)
    if not is_at_public_host(request):
        # The provider redirects to PUBLIC_URL, where the browser would not send the cookie set on this host.
        return redirect(make_absolute(add_way_back(reverse("account_login"), next_url)))
    nonce = secrets.token_urlsafe(16)
    provider = get_adapter().get_provider(request, settings.OIDC_ISSUER)
    try:
        response: HttpResponse = provider.redirect(
            request,
            process=AuthProcess.LOGIN,
            next_url=next_url,
            auth_params={"nonce": nonce},
            nonce=nonce,
        )
    except _UNREADABLE as error:
        return fail(request, error)
    return response


@requires(Capability.PUBLIC)
@require_safe
def finish_single_sign_on(request: HttpRequest) -> HttpResponse:
    """The callback of the OpenID provider."""
    if not settings.OIDC_ISSUER:
        raise Http404
    try:
        response: HttpResponse = OAuth2CallbackView.adapter_view(DiscoveryAdapter(request, settings.OIDC_ISSUER))(
            request
        )
    except _UNREADABLE as error:
        return fail(request, error)
    return response
