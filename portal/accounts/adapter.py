"""Configures allauth: no sign-up, and a failed sign-in does not reveal which accounts exist."""

from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlsplit

import qrcode
import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY, authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.accounts.allauth_internals import RateLimitUsage, consume
from portal.accounts.hashers import BusyError
from portal.accounts.mfa import encryption
from portal.accounts.models import Member
from portal.accounts.sso import services as single_sign_on
from portal.accounts.sso.id_tokens import UntrustedTokenError
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.http import is_own_url, read_address
from portal.core.permissions import Capability

log = structlog.get_logger(__name__)

_WRONG = _("Incorrect user name, e-mail address or password.")


def throttle_key(typed: str) -> str:
    """The rate limit key for failed sign-ins: the same for a member's user name and e-mail address."""
    member = Member.objects.find_by_login(typed)
    return f"member {member.pk}" if member else f"typed {typed.lower()}"


def may_sign_in_here(member: Member, *, is_linked: bool | None = None) -> bool:
    """Whether the member may sign in without the OpenID provider, which checks their groups at each sign-in.

    Members linked to the provider may not, except admins with a password: they need to sign in while the provider is
    down. `is_linked` is queried unless given.
    """
    if is_linked is None:
        is_linked = single_sign_on.find_linked().filter(user=member.pk).exists()
    if is_linked:
        return member.can(Capability.MANAGE_TEAM) and member.has_usable_password()
    return not settings.SSO_ONLY or member.can(Capability.MANAGE_TEAM)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _WRONG,
        "username_password_mismatch": _WRONG,
        "invalid_login": _WRONG,
        "too_many_login_attempts": _("Too many failed attempts. Try again in five minutes."),
    }

    def is_open_for_signup(self, _request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Only this host; allauth would accept every allowed host."""
        return is_own_url(self.request, url)

    def is_ajax(self, _request: HttpRequest) -> bool:
        """Sign-in only works with a form; allauth would also return JSON, depending on a header."""
        return False

    def add_message(self, *_args: Any, **_kwargs: Any) -> None:
        """No messages: the next page says enough."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return read_address(request) or "unknown"

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Member | None:
        """Return the member, or None. Counts the attempt for the text entered and for the account, unless it succeeds.

        Deactivated members, members who must use the OpenID provider, and accounts with too many attempts are rejected
        in the same way as a wrong password. The limit of the text is reported, because it exists for any text. That of
        the account is not: it would reveal that a user name and an e-mail address belong to the same member.

        An e-mail address is never looked up as a user name. Otherwise the password would be hashed twice for a member
        and once for anyone else, and the response time would reveal who is a member.
        """
        if "email" in credentials:
            credentials.pop("username", None)
        typed = str(credentials.get("email") or credentials.get("username") or "")
        of_text = _count(request, "login_failed", f"typed {typed.lower()}")
        if of_text is None:
            raise self.validation_error("too_many_login_attempts")
        of_account = _count(request, "login_failed_of_account", throttle_key(typed))
        try:
            member = authenticate(request, **credentials)
        except BusyError:
            _take_back(of_text, of_account)
            raise
        if not isinstance(member, Member):
            return None
        if of_account and may_sign_in_here(member):
            _take_back(of_text, of_account)
            return member
        # Django does not consider this a failed sign-in.
        record_event(Action.SIGN_IN_FAILED, request=request, name=typed)
        return None

    def reauthenticate(self, user: Member, password: str) -> bool:
        """Check the password of a member who is signed in. Rate-limited and recorded like a sign-in."""
        if not ratelimit.consume(
            self.request, action="login_failed_of_account", key=throttle_key(user.username), dry_run=True
        ):
            raise self.validation_error("too_many_login_attempts")
        is_right: bool = super().reauthenticate(user, password)
        if is_right:
            # The password may have been rehashed. That ends the member's sessions, but this session has the password.
            user.refresh_from_db(fields=["password"])
            self.request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        return is_right

    def get_login_stages(self) -> list[str]:
        theirs, ours = "allauth.mfa.stages.AuthenticateStage", "portal.accounts.mfa.views.SecondFactorStage"
        return [ours if stage == theirs else stage for stage in super().get_login_stages()]

    def respond_user_inactive(self, request: HttpRequest, _user: AbstractBaseUser) -> HttpResponseRedirect:
        """Called if the member was deactivated, or their password or sign-in method changed, during the sign-in."""
        messages.error(request, gettext("You can't sign in. Ask an admin of your team for help."))
        return redirect("account_login")

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, Any]]:
        """Members with a second factor must use it, so that a stolen password is not enough to remove it."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] != "reauthenticate"] or methods


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Two-factor authentication: secrets are encrypted, and apps and devices show the portal's name."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": _("Incorrect code.")}

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        # The host distinguishes several portals in the same app.
        host = urlsplit(settings.PUBLIC_URL).netloc
        return f"ByCloud Portal {host.replace(':', ' ')}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        about: dict[str, str] = super().get_public_key_credential_rp_entity()
        return about | {"name": self.get_totp_issuer()}

    def get_public_key_credential_user_entity(self, user: AbstractBaseUser) -> dict[str, Any]:
        about: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return about | {"name": user.get_username()}

    def build_totp_svg(self, url: str) -> str:
        """An SVG without inline styles, which the content security policy would block."""
        code = qrcode.QRCode(border=4)
        code.add_data(url)
        rows = code.get_matrix()
        path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
        return format_html(
            '<svg viewBox="0 0 {size} {size}" width="220" height="220" role="img" aria-label="{name}">'
            '<rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>',
            size=len(rows),
            name=gettext("QR code for your authenticator app"),
            path=path,
        )


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Single sign-on with one provider from the settings. `sso.services.allow_sign_in` decides who has access."""

    def list_apps(self, _request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """Return the provider from the settings. Accounts are stored under its issuer, so that the same subject at
        another provider is not the same member.
        """
        app = SocialApp(
            provider="oidc",
            provider_id=settings.OIDC_ISSUER,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={
                "server_url": settings.OIDC_ISSUER,
                "scope": settings.OIDC_SCOPES,
                "oauth_pkce_enabled": True,
                "email_authentication": False,
            },
        )
        is_meant = provider in {None, "oidc", settings.OIDC_ISSUER} and client_id in {None, app.client_id}
        return [app] if settings.OIDC_ISSUER and is_meant else []

    def get_requests_session(self) -> Any:
        """Uses the settings only, no proxy or certificate variables from the environment, and follows no redirects."""
        session = super().get_requests_session()
        session.trust_env = False
        session.verify = settings.OIDC_CA_BUNDLE or True
        session.max_redirects = 0
        return session

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Called for known and new members before they are signed in."""
        try:
            single_sign_on.allow_sign_in(sociallogin, request=request)
        except single_sign_on.RefusedError as error:
            facts = _describe_provider() | {"reason": error.reason, "name": error.name}
            page = render(request, "accounts/single_sign_on_refused.html", facts, status=HTTPStatus.FORBIDDEN)
            raise ImmediateHttpResponse(page) from error

    def on_authentication_error(
        self,
        request: HttpRequest,
        _provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> NoReturn:
        del extra_context
        # Some providers omit the state in this response, so allauth does not recognize it as a cancellation.
        if error == AuthError.CANCELLED or request.GET.get("error") == "access_denied":
            messages.info(request, gettext("Sign-in with %(name)s was canceled.") % {"name": settings.OIDC_NAME})
            raise ImmediateHttpResponse(redirect("account_login"))
        raise ImmediateHttpResponse(fail(request, exception))


def fail(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    """The page for a failed single sign-on.

    Only errors of the provider are recorded: unsolicited responses can come from anyone, any number of times.
    """
    if exception is not None:
        log.warning("single_sign_on_failed", error=type(exception).__name__, problem=str(exception)[:200])
        # Other error messages may contain data from the provider or the browser.
        is_of_token = isinstance(exception, UntrustedTokenError)
        subject = f"ID token: {exception}" if is_of_token else type(exception).__name__
        record_event(Action.SINGLE_SIGN_ON_FAILED, request=request, subject=subject)
    status = HTTPStatus.BAD_REQUEST if exception is None else HTTPStatus.BAD_GATEWAY
    facts = _describe_provider() | {"is_theirs": exception is not None}
    return render(request, "accounts/single_sign_on_failed.html", facts, status=status)


def _count(request: HttpRequest, action: str, key: str) -> RateLimitUsage | None:
    """Count an attempt. Returns None if there were too many."""
    return consume(request, app="allauth.account", action=action, key=key)


def _take_back(*counts: RateLimitUsage | None) -> None:
    for count in counts:
        if count:
            count.rollback()


def _describe_provider() -> dict[str, str]:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return {"provider_name": settings.OIDC_NAME, "request_id": str(request_id)}
