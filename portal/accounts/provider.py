"""allauth's OpenID Connect provider, configured by the settings. allauth finds this module by its name."""

from typing import Any

from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from portal.accounts.sso.id_tokens import UntrustedTokenError, check_claims
from portal.core.http import make_absolute

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


class DiscoveryAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth has no types
    """The requests to the provider (OpenID Connect Core 1.0 and Discovery 1.0)."""

    @property
    def openid_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().openid_config
        # Discovery 4.3: the issuer in the metadata must be the configured one.
        if str(config.get("issuer", "")).rstrip("/") != settings.OIDC_ISSUER:
            raise OAuth2Error("The provider gives another issuer than OIDC_ISSUER")
        # allauth does not verify the signature of an ID token that it fetched itself, so the connection must use TLS.
        is_plain = any(not str(config.get(name, "https:")).startswith("https:") for name in _ENDPOINTS)
        if is_plain and not settings.PLAIN_HTTP:
            raise OAuth2Error("The provider has an endpoint without TLS")
        return config

    def get_callback_url(self, _request: HttpRequest, _app: SocialApp) -> str:
        return make_absolute(reverse("accounts:single_sign_on_callback"))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error("The provider sent no ID token")
        app.settings["fetch_userinfo"] = "userinfo_endpoint" in self.openid_config
        try:
            return super().complete_login(request, app, token, **kwargs)
        except OAuth2Error as error:
            # The cause is PyJWT's error, whose message allauth drops.
            raise UntrustedTokenError(str(error.__cause__ or error)) from error


class OpenIDProvider(OpenIDConnectProvider):  # type: ignore[misc]
    id = "oidc"
    oauth2_adapter_class = DiscoveryAdapter

    def sociallogin_from_response(self, request: HttpRequest, response: dict[str, Any]) -> SocialLogin:
        """Return the login for the claims of the ID token and of the userinfo endpoint, which must have the same
        subject (Core 5.3.2).
        """
        claims: dict[str, Any] = response["id_token"]
        check_claims(claims, client_id=self.app.client_id)
        if "userinfo" in response:
            about: dict[str, Any] = response["userinfo"]
            if about.get("sub") != claims.get("sub"):
                raise UntrustedTokenError("the userinfo endpoint has another sub")
            # The nonce is valid only in the ID token.
            claims = about | {"nonce": None} | claims
        login = super().sociallogin_from_response(request, claims)
        login.claims = claims
        return login

    def extract_extra_data(self, _data: dict[str, Any]) -> dict[str, Any]:
        """Store nothing about the person except the subject."""
        return {}

    def extract_common_fields(self, _data: dict[str, Any]) -> dict[str, Any]:
        """Empty: `sso.services` reads the claims and checks their types."""
        return {}

    def extract_email_addresses(self, _data: dict[str, Any]) -> list[Any]:
        """Empty: an e-mail address never gives access to an account."""
        return []


provider_classes = [OpenIDProvider]
