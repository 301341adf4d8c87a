"""Second factors: who must have one, which exist, which can be removed."""

from dataclasses import dataclass

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.accounts import mails
from portal.accounts.models import Member, PauseReason, may_be_taken_over
from portal.accounts.sessions.services import end_sessions
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.crypto import CryptoError
from portal.core.permissions import Capability


class LastMfaMethodError(Exception):
    """The member must have a second factor, and the one to be removed is the last."""


@dataclass(frozen=True)
class MfaMethods:
    """A member's second factors. Recovery codes don't count as one: they only replace one."""

    app: Authenticator | None
    passkeys: tuple[Authenticator, ...]
    codes: Authenticator | None

    @property
    def count(self) -> int:
        return len(self.passkeys) + (self.app is not None)


def list_mfa_methods(member: Member) -> MfaMethods:
    found = list(Authenticator.objects.filter(user=member).order_by("pk"))
    by_type = {row.type: row for row in found}
    return MfaMethods(
        app=by_type.get(Authenticator.Type.TOTP),
        passkeys=tuple(row for row in found if row.type == Authenticator.Type.WEBAUTHN),
        codes=by_type.get(Authenticator.Type.RECOVERY_CODES),
    )


def filter_mfa_methods() -> QuerySet[Authenticator]:
    """All methods that count as a second factor."""
    found: QuerySet[Authenticator] = Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES)
    return found


def is_required_of(member: Member) -> bool:
    """Whether REQUIRE_SECOND_FACTOR applies to this member."""
    if settings.REQUIRE_SECOND_FACTOR == "admins":
        return member.can(Capability.MANAGE_TEAM)
    return bool(settings.REQUIRE_SECOND_FACTOR == "everybody")


def must_set_up_mfa(member: Member, request: HttpRequest) -> bool:
    """Whether the member must set up a second factor before using the portal.

    A session that was confirmed with one is not looked at again: members who need one can't remove their last, and a
    reset or a new role ends their sessions.
    """
    if not is_required_of(member):
        return False
    enough = {"mfa", "socialaccount"} if settings.OIDC_COUNTS_AS_SECOND_FACTOR else {"mfa"}
    if any(record["method"] in enough for record in get_authentication_records(request, member)):
        return False
    return not filter_mfa_methods().filter(user=member).exists()


def signed_in_with_sso(member: Member, request: HttpRequest) -> bool:
    """Whether this session started with single sign-on."""
    return any(record["method"] == "socialaccount" for record in get_authentication_records(request, member))


def remove_mfa_method(authenticator: Authenticator, *, member: Member, request: HttpRequest) -> None:
    """Remove a second factor, and with the last one the recovery codes. Raises `LastMfaMethodError`.

    Locks the member's row, so that two requests can't remove the last two factors.
    """
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        removed = [authenticator]
        if not filter_mfa_methods().filter(user=member).exclude(pk=authenticator.pk).exists():
            if is_required_of(member):
                raise LastMfaMethodError
            removed += Authenticator.objects.filter(user=member).exclude(pk=authenticator.pk)
        for row in removed:
            record_event(Action.SECOND_FACTOR_REMOVED, request=request, member=member, subject=describe(row))
            row.delete()


def reset_mfa(member: Member, *, by: Member | None = None, request: HttpRequest | None = None) -> bool:
    """Remove all of the member's second factors and end their sessions. Returns False if there were none.

    Pauses the member's credentials, because the account is no longer protected by the second factor, and notifies the
    member.
    """
    with transaction.atomic():
        count, _rows = Authenticator.objects.filter(user=member).delete()
        if count:
            record_event(Action.SECOND_FACTOR_RESET, request=request, member=by, subject=member.username)
            end_sessions(member)
            may_be_taken_over.send(Member, member=member, why=PauseReason.SECOND_FACTOR, by=by, request=request)
            transaction.on_commit(lambda: mails.notify(member, Action.SECOND_FACTOR_RESET, by=by))
    return bool(count)


def list_recovery_codes(codes: Authenticator) -> list[str]:
    """Return the unused codes; empty if they can't be decrypted."""
    try:
        left: list[str] = codes.wrap().get_unused_codes()
    except CryptoError:
        return []
    return left


def describe(authenticator: Authenticator) -> str:
    """A description for the audit, which is in English."""
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        return f"passkey {authenticator.wrap().name}"
    return "recovery codes" if authenticator.type == Authenticator.Type.RECOVERY_CODES else "authenticator app"


def suggest_name(member: Member) -> str:
    """The default name of the member's next passkey."""
    count = Authenticator.objects.filter(user=member, type=Authenticator.Type.WEBAUTHN).count()
    return _("Passkey") if not count else _("Passkey %(number)s") % {"number": count + 1}
