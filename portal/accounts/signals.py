"""Records sign-ins, sign-outs and second factors, from signals of Django and allauth."""

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from portal.accounts.mfa.services import describe
from portal.accounts.models import Member
from portal.audit.models import Action
from portal.audit.services import record_event


@receiver(user_logged_in, dispatch_uid="audit")
def record_sign_in(*, request: HttpRequest, user: Member, **_rest: Any) -> None:
    record_event(Action.SIGNED_IN, request=request, member=user, subject=_describe_ways(request, user))


@receiver(user_logged_out, dispatch_uid="audit")
def record_sign_out(*, request: HttpRequest, user: Member | None, **_rest: Any) -> None:
    if user is not None:
        record_event(Action.SIGNED_OUT, request=request, member=user)


@receiver(user_login_failed, dispatch_uid="audit")
def record_failed_sign_in(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_rest: Any) -> None:
    """Also called for a failed reauthentication."""
    # Only reads the name. Django has already masked the password.
    name = str(credentials.get("username") or credentials.get("email") or "")
    user = getattr(request, "user", None)
    member = user if isinstance(user, Member) else None
    record_event(
        Action.SIGN_IN_FAILED, request=request, member=member, name=name, subject="asked again" if member else ""
    )


@receiver(signals.authenticator_used, dispatch_uid="audit")
def record_used_factor(
    *, request: HttpRequest, user: Member, authenticator: Authenticator, reauthenticated: bool, **_rest: Any
) -> None:
    purpose = "to confirm a change" if reauthenticated else "to sign in"
    record_event(
        Action.SECOND_FACTOR_USED, request=request, member=user, subject=f"{describe(authenticator)}, {purpose}"
    )


@receiver(signals.authentication_failed, dispatch_uid="audit")
def record_failed_factor(*, request: HttpRequest, user: Member, **_rest: Any) -> None:
    """The code was neither a valid app code nor a recovery code. (Failed passkeys are recorded in `mfa.forms`.)"""
    record_event(Action.SECOND_FACTOR_FAILED, request=request, member=user, subject="code")


def _describe_ways(request: HttpRequest, user: Member) -> str:
    """The authentication methods of this sign-in, in order."""
    names = {"socialaccount": "single sign-on", "totp": "authenticator app", "recovery_codes": "recovery code"}
    ways = [record.get("type") or record["method"] for record in get_authentication_records(request, user)]
    return ", ".join(names.get(way, "passkey" if way == "webauthn" else way) for way in ways)
