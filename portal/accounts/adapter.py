"""How allauth behaves here: nobody signs up by herself, and a refused sign-in tells nothing about who exists."""

from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlsplit

import qrcode
import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.accounts.hashers import BusyError
from portal.accounts.mfa import encryption
from portal.accounts.models import Member
from portal.accounts.sso import services as single_sign_on
from portal.accounts.sso.id_tokens import UntrustedTokenError
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.core.http import is_own_url, read_address
from portal.core.permissions import Capability

log = structlog.get_logger(__name__)

_WRONG = _("Incorrect user name, e-mail address or password.")


def count_as(typed: str) -> str:
    """What tries are counted under: an account has one count, whether its name or its e-mail address is typed."""
    member = Member.objects.find_by_login(typed)
    return f"member {member.pk}" if member else f"typed {typed.lower()}"


def may_sign_in_here(member: Member, *, is_linked: bool | None = None) -> bool:
    """Whether she may sign in without the OpenID provider, where her groups are asked about each time.

    Who is linked to it may not, but an admin who has a password: it is the way in for the day when the provider is
    down. `is_linked` is looked up unless it is given.
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
        """Only this very host, where allauth would also go to every other allowed one."""
        return is_own_url(self.request, url)

    def is_ajax(self, _request: HttpRequest) -> bool:
        """One way to sign in, as a form: no JSON twin that a header switches on."""
        return False

    def add_message(self, *_args: Any, **_kwargs: Any) -> None:
        """The page one lands on says enough."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return read_address(request) or "unknown"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Counts what was typed, and is open about it when that is full: anybody's is counted. That two names are one
        member's must not show, so hers is counted besides, in silence.
        """
        super().pre_authenticate(request, **credentials)
        key = count_as(_read_login(credentials))
        self._try_of_account = ratelimit.consume(
            request, app="allauth.account", action="login_failed_of_account", key=key
        )

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """A deactivated member is refused as a wrong password is, and counted as one; so is whoever may sign in
        through the OpenID provider alone, and who has been tried too often under another of her names.

        An e-mail address is never a user name here. Were it looked up as both, a member's password would be hashed
        twice and a stranger's once, and the time taken would tell who is a member.
        """
        if "email" in credentials:
            credentials.pop("username", None)
        try:
            user: Member | None = super().authenticate(request, **credentials)
        except BusyError:
            self._take_back_counts()
            raise
        if user is None:
            return None
        if self._try_of_account and user.is_active and may_sign_in_here(user):
            self._take_back_counts()
            return user
        if user.is_active:
            # To Django that was no failure.
            record_event(Act.SIGN_IN_FAILED, request=request, name=_read_login(credentials))
        return None

    def _rollback_login_failed_rl_usage(self) -> None:
        """What allauth does for any right password. Counted anew where that opens nothing, it would take time that
        tells that it is right.
        """

    def _take_back_counts(self) -> None:
        for count in (self._login_failed_rl_usage, self._try_of_account):
            if count:
                count.rollback()

    def reauthenticate(self, user: Member, password: str) -> bool:
        """The password of somebody who is signed in, wherever it is asked: counted and on record as a sign-in's is."""
        key = count_as(user.username)
        limit = {"app": "allauth.account", "action": "login_failed_of_account", "key": key, "dry_run": True}
        if not ratelimit.consume(self.request, **limit):
            raise self.validation_error("too_many_login_attempts")
        is_right: bool = super().reauthenticate(user, password)
        if is_right:
            # An old hash was made anew. That ends the sessions that began with it, but this one has the password.
            user.refresh_from_db(fields=["password"])
            self.request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        return is_right

    def _get_login_attempts_cache_key(self, _request: HttpRequest, **credentials: Any) -> str:
        """On whatever host name."""
        return f"typed {_read_login(credentials).lower()}"

    def get_login_stages(self) -> list[str]:
        theirs, ours = "allauth.mfa.stages.AuthenticateStage", "portal.accounts.sign_in_views.SecondFactorStage"
        return [ours if stage == theirs else stage for stage in super().get_login_stages()]

    def respond_user_inactive(self, request: HttpRequest, _user: AbstractBaseUser) -> HttpResponseRedirect:
        """Between two steps of one sign-in she was deactivated, or got another password or another way in."""
        messages.error(request, gettext("You can't sign in. Ask an admin of your team for help."))
        return redirect("account_login")

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, Any]]:
        """Whoever has a second factor proves with it who she is; a password that was stolen once must not remove it."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] != "reauthenticate"] or methods


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: what makes their codes is sealed in the vault, and apps and devices show the portal's name."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": _("Incorrect code.")}

    def encrypt(self, text: str) -> str:
        return encryption.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.unseal(encrypted_text)

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def _get_site_name(self) -> str:
        # Of several portals each has a name of its own in the app.
        host = urlsplit(settings.PUBLIC_URL).netloc
        return f"ByCloud Portal {host.replace(':', ' ')}"

    def _get_user_identifier(self, user: AbstractBaseUser) -> str:
        return user.get_username()

    def build_totp_svg(self, url: str) -> str:
        """A picture without a style of its own, which the content policy would refuse."""
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
    """Single sign-on: one provider, out of the settings; who may come in is `single_sign_on.admit`'s to say."""

    def list_apps(self, _request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """The provider of the settings, whose accounts are kept under its issuer: of another one, with the same
        subjects, nobody here would be known.
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
        """Goes where the settings say, with nothing from the process environment, and no further."""
        session = super().get_requests_session()
        session.trust_env = False
        session.verify = settings.OIDC_CA_BUNDLE or True
        session.max_redirects = 0
        return session

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Known and new members alike pass here, before anything is signed in."""
        try:
            single_sign_on.admit(sociallogin, request=request)
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
        # Some providers leave out the state when they say so, which allauth takes for an answer nobody asked for.
        if error == AuthError.CANCELLED or request.GET.get("error") == "access_denied":
            messages.info(request, gettext("Sign-in with %(name)s was canceled.") % {"name": settings.OIDC_NAME})
            raise ImmediateHttpResponse(redirect("account_login"))
        raise ImmediateHttpResponse(fail(request, exception))


def fail(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    """The page for a single sign-on that came to nothing. Only a failure of the provider is on record: an answer that
    was never asked for may come from anywhere, any number of times.
    """
    if exception is not None:
        log.warning("single_sign_on_failed", error=type(exception).__name__, problem=str(exception)[:200])
        # Other errors may tell what the provider or the browser has sent.
        is_of_token = isinstance(exception, UntrustedTokenError)
        subject = f"ID token: {exception}" if is_of_token else type(exception).__name__
        record_event(Act.SINGLE_SIGN_ON_FAILED, request=request, subject=subject)
    status = HTTPStatus.BAD_REQUEST if exception is None else HTTPStatus.BAD_GATEWAY
    facts = _describe_provider() | {"is_theirs": exception is not None}
    return render(request, "accounts/single_sign_on_failed.html", facts, status=status)


def _read_login(credentials: dict[str, Any]) -> str:
    return str(credentials.get("email") or credentials.get("username") or "")


def _describe_provider() -> dict[str, str]:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return {"provider_name": settings.OIDC_NAME, "request_id": str(request_id)}
