"""Hears sign-in, sign-out and failed sign-in from Django and writes them down."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from portal.accounts.models import Member
from portal.audit.events import record_event
from portal.audit.models import Act


@receiver(user_logged_in, dispatch_uid="audit")
def record_sign_in(*, request: HttpRequest, user: Member, **_rest: Any) -> None:
    record_event(Act.SIGNED_IN, request=request, member=user)


@receiver(user_logged_out, dispatch_uid="audit")
def record_sign_out(*, request: HttpRequest, user: Member | None, **_rest: Any) -> None:
    if user is not None:
        record_event(Act.SIGNED_OUT, request=request, member=user)


@receiver(user_login_failed, dispatch_uid="audit")
def record_failed_sign_in(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_rest: Any) -> None:
    # Only the name is read. Django has starred the password already; it is not touched all the same.
    record_event(
        Act.SIGN_IN_FAILED, request=request, name=str(credentials.get("username") or credentials.get("email") or "")
    )
