"""Verifies credentials with ByCloud, encrypts them and stores them. Used by the views and the command line.

If ByCloud rejects a credential (401, 403), nothing is saved and the previous one stays. If it can't be verified, it is
saved as not verified.
"""

from dataclasses import dataclass
from datetime import date, datetime
from math import ceil
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from portal import bycloud, gateway
from portal.accounts.models import Member, PauseReason, may_be_taken_over
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.request import MemberRequest
from portal.credentials import vault
from portal.credentials.models import Credential, Kind

LARGEST_TOTAL = 2**63 - 1


class NotSavedError(Exception):
    """The credential was not saved. The message is a sentence for the member that says why."""


@dataclass(frozen=True)
class CheckResult:
    """What ByCloud answered about a credential, in a sentence, and the level (of `messages`) of that."""

    sentence: str
    level: int

    @property
    def is_checked(self) -> bool:
        return self.level == messages.SUCCESS


@sensitive_variables()
def take_credential(
    credential: bycloud.Credential,
    *,
    member: Member | None,
    region: bycloud.Region,
    expires_on: date | None = None,
    request: MemberRequest | None = None,
) -> CheckResult:
    """Verify, encrypt and save the member's credential for the region, or the team's if `member` is None.

    Replaces the previous one. Raises `NotSavedError` if ByCloud rejects it, and `CryptoError` if it can't be encrypted.
    Without a request, it is recorded as done from the command line.
    """
    encrypted = vault.encrypt(credential, member_id=member.pk if member else None, region=region.code)
    doubt, total = "", None
    session = gateway.ApiSession(
        region=region, credential=credential, member_id=str(request.user.pk) if request else ""
    )
    try:
        total = gateway.check_credential(session, is_stored=False)
    except gateway.TooManyAttempts as error:
        raise NotSavedError(describe_attempt_limit(_count_seconds(error))) from error
    except bycloud.Unauthorized as error:
        _record_refused(member, region, 401, request=request)
        raise NotSavedError(
            _("ByCloud rejected this credential (401). It may be incorrect, expired or revoked. Nothing was saved.")
        ) from error
    except bycloud.Forbidden as error:
        _record_refused(member, region, 403, request=request)
        raise NotSavedError(
            _(
                "The credential is valid, but isn't allowed to list instances (403). Nothing was saved. "
                "Give it a role that may list instances in ByCloud's console, or use another one."
            )
        ) from error
    except bycloud.ByCloudError as error:
        doubt = _describe_doubt(error)
    now = timezone.now()
    with transaction.atomic():
        row = _store(
            credential,
            encrypted,
            member=member,
            region=region,
            now=now,
            checked_at=None if doubt else now,
            visible_total=_bound(total),
            expires_on=expires_on,
        )
        _record_set(row, member=member, request=request)
    named = {"region": region.code, "doubt": doubt}
    if doubt:
        return CheckResult(_("Credential for %(region)s saved, but not verified: %(doubt)s.") % named, messages.WARNING)
    return CheckResult(_("Credential for %(region)s verified and saved.") % named, messages.SUCCESS)


def describe_attempt_limit(seconds: int) -> str:
    """The error message for too many attempts."""
    sentence = _("Too many credentials were tried within a minute. Nothing was saved; try again in %(seconds)s s.")
    return sentence % {"seconds": seconds}


@sensitive_variables()
def check_again(row: Credential, *, region: bycloud.Region, member: Member) -> CheckResult:
    """Verify a saved credential with one request to ByCloud. It stays saved, whatever the result.

    If it is valid, the backoff after an earlier rejection ends. Raises `CryptoError` if it can't be decrypted or is
    paused.
    """
    if row.pause:
        raise vault.PausedError(row.describe_pause())
    credential = vault.decrypt(bytes(row.encrypted), member_id=row.member_id, region=region.code)
    named = {"region": region.code}
    try:
        total = gateway.check_credential(
            gateway.ApiSession(region=region, credential=credential, member_id=str(member.pk), is_shared=row.is_team)
        )
    except bycloud.Unauthorized:
        sentence = _(
            "ByCloud rejected the credential for %(region)s (401). It may be incorrect, expired or revoked. Replace it."
        )
        return CheckResult(sentence % named, messages.ERROR)
    except bycloud.Forbidden:
        sentence = _("The credential for %(region)s is valid, but isn't allowed to list instances (403). Replace it.")
        return CheckResult(sentence % named, messages.ERROR)
    except bycloud.ByCloudError as error:
        sentence = _("The credential for %(region)s could not be verified: %(doubt)s.")
        return CheckResult(sentence % (named | {"doubt": _describe_doubt(error)}), messages.WARNING)
    # Another credential may have been saved in the meantime.
    Credential.objects.filter(pk=row.pk, fingerprint=row.fingerprint).update(
        checked_at=timezone.now(), visible_total=_bound(total)
    )
    return CheckResult(_("The credential for %(region)s is valid.") % named, messages.SUCCESS)


def _store(
    credential: bycloud.Credential,
    encrypted: bytes,
    *,
    member: Member | None,
    region: bycloud.Region,
    now: datetime,
    checked_at: datetime | None,
    visible_total: int | None,
    expires_on: date | None,
) -> Credential:
    kept = {
        "kind": Kind.BEARER if isinstance(credential, bycloud.BearerToken) else Kind.API_KEY,
        "encrypted": encrypted,
        "fingerprint": vault.fingerprint(credential),
        "checked_at": checked_at,
        "visible_total": visible_total,
        "expires_on": expires_on,
        "pause": "",
    }
    row, _created = Credential.objects.update_or_create(
        member=member,
        region=region.code,
        defaults={**kept, "replaced_at": now},
        create_defaults={**kept, "created_at": now},
    )
    return row


def _bound(total: int | None) -> int | None:
    """Return None for a total that does not fit into the column."""
    return total if total is not None and 0 <= total <= LARGEST_TOTAL else None


def _record_set(row: Credential, *, member: Member | None, request: MemberRequest | None) -> None:
    act = Action.CREDENTIAL_SET if member else Action.TEAM_CREDENTIAL_SET
    if request is not None:
        record_event(act, request=request, member=request.user, subject=str(row))
    else:
        # The person at the command line is unknown, so the member is not recorded as the actor.
        record_event(act, subject=f"{row} ({member.get_username()})" if member else str(row))


def _record_refused(
    member: Member | None, region: bycloud.Region, status: int, *, request: MemberRequest | None
) -> None:
    """Record nothing of the rejected credential: it may be a secret of another system."""
    subject = f"{region.code}: {status}{'' if member else ' (team)'}"
    record_event(Action.CREDENTIAL_REFUSED, request=request, member=request.user if request else None, subject=subject)


def _describe_doubt(error: bycloud.ByCloudError) -> str:
    # Don't include ByCloud's message: it could repeat the request and with it the credential.
    match error:
        case bycloud.Unreachable():
            doubt = _("ByCloud could not be reached")
        # Busy: too many requests are already waiting for ByCloud.
        case bycloud.TimedOut() | gateway.Busy():
            doubt = _("ByCloud did not answer in time")
        case gateway.TooManyAttempts():
            doubt = _("too many credentials were tried within a minute; wait %(seconds)s s") % {
                "seconds": _count_seconds(error)
            }
        case gateway.RateLimitReached():
            doubt = _("the portal has reached its API rate limit")
        case bycloud.RateLimited():
            doubt = _("ByCloud's rate limit was reached (429)")
        case bycloud.ServerFault():
            doubt = _("ByCloud had an error (%(status)s)") % {"status": error.status}
        case bycloud.InvalidResponse():
            doubt = _("ByCloud sent an unexpected response")
        case _other:
            doubt = _("ByCloud rejected the request (%(status)s)") % {"status": error.status}
    return doubt


def _count_seconds(error: bycloud.ByCloudError) -> int:
    left = (error.retry_at - timezone.now()).total_seconds() if error.retry_at else 0.0
    return max(1, ceil(left))


@receiver(may_be_taken_over, dispatch_uid="credentials")
def pause_credentials(
    *, member: Member, why: PauseReason, by: Member | None, request: HttpRequest | None, **_rest: Any
) -> None:
    """Another person may be able to sign in as this member: pause their credentials until they enter them again.

    A credential that is already paused keeps its reason.
    """
    with transaction.atomic():
        # In the order in which rotate_credential_keys locks them.
        rows = Credential.objects.select_for_update().filter(member=member, pause="").order_by("pk")
        regions = sorted(row.region for row in rows)
        if not regions:
            return
        Credential.objects.filter(member=member, pause="").update(pause=why)
        what = f"{member.username}: {', '.join(regions)} ({why.label})"
        record_event(Action.CREDENTIAL_PAUSED, request=request, member=by, subject=what)
