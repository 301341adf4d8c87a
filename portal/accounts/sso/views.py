"""Single sign-on: the redirect to the OpenID provider, and its callback."""

import secrets

from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.accounts.adapter import fail
from portal.accounts.provider import DiscoveryAdapter
from portal.core.http import add_way_back, is_at_public_host, make_absolute
from portal.core.permissions import Capability, requires
from portal.core.request import require_post

# Errors caused by invalid provider responses, besides those that allauth checks. (requests' errors are OSErrors.)
_UNREADABLE = (OAuth2Error, OSError, KeyError, TypeError, ValueError, AttributeError, ImproperlyConfigured)


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
