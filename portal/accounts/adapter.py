"""How allauth behaves here: nobody signs up by herself, and a refused sign-in tells nothing about who exists."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Member
from portal.web.addresses import is_own_url, read_address

_WRONG = _("The user name, e-mail address or password is not right.")


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

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """A deactivated member is refused as a wrong password is, and counted as one.

        An e-mail address is never a user name here. Were it looked up as both, a member's password would be hashed
        twice and a stranger's once, and the time taken would tell who is a member.
        """
        if "email" in credentials:
            credentials.pop("username", None)
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is None or user.is_active:
            return user
        # The right password took back the count of this try.
        self.pre_authenticate(request, **credentials)
        return None

    def _get_login_attempts_cache_key(self, _request: HttpRequest, **credentials: Any) -> str:
        """One count for an account, whether its name or its e-mail address is typed, and on whatever host name."""
        typed = str(credentials.get("email") or credentials.get("username") or "")
        member = Member.objects.filter(Q(username__iexact=typed) | Q(email=typed.lower())).only("pk").first()
        return f"member {member.pk}" if member else f"typed {typed.lower()}"
