"""Takes a credential in: asks ByCloud about it, then seals and stores it. The pages and the command line share it.

ByCloud says no (401, 403): nothing is stored and the earlier one stays. ByCloud says nothing of use: stored unchecked.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from portal import bycloud, gateway
from portal.accounts.models import Member
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.credentials import vault
from portal.credentials.models import Credential, Kind


@dataclass(frozen=True)
class Kept:
    """Stored. `sentence` says so, and says it when nobody could check it."""

    credential: Credential
    is_checked: bool
    sentence: str


@dataclass(frozen=True)
class Refused:
    """Not stored. `sentence` says why."""

    sentence: str


@sensitive_variables()
def take_credential(
    credential: bycloud.Credential,
    *,
    member: Member,
    region: bycloud.Region,
    request: HttpRequest | None = None,
) -> Kept | Refused:
    """Check, seal and store `credential` as the member's only one for the region. `VaultError`: it cannot be sealed."""
    sealed = vault.seal(credential, member_id=member.pk, region=region.code)
    doubt = ""
    try:
        gateway.check_credential(gateway.Access(region=region, credential=credential))
    except bycloud.Rejected:
        return Refused(_("ByCloud refused this credential (401): it is wrong, expired or revoked. Nothing was saved."))
    except bycloud.Forbidden:
        return Refused(
            _(
                "ByCloud knows this credential, but it may not list instances (403). Nothing was saved. "
                "Give it a role that may list instances in ByCloud's console, or use another one."
            )
        )
    except bycloud.ByCloudError as error:
        doubt = _describe_doubt(error)
    now = timezone.now()
    with transaction.atomic():
        row = _store(credential, sealed, member=member, region=region, now=now, checked_at=None if doubt else now)
        _record_set(row, member=member, request=request)
    if doubt:
        return Kept(
            row,
            is_checked=False,
            sentence=_("The credential for %(region)s is saved, but not checked: %(doubt)s.")
            % {"region": region.code, "doubt": doubt},
        )
    sentence = _("The credential for %(region)s is checked and saved.") % {"region": region.code}
    return Kept(row, is_checked=True, sentence=sentence)


@sensitive_variables()
def check_again(row: Credential, *, region: bycloud.Region) -> Kept | Refused:
    """Ask ByCloud about a credential that is kept. It stays, whatever the answer. `VaultError`: it cannot be opened."""
    credential = vault.unseal(bytes(row.sealed), member_id=row.member_id, region=region.code)
    named = {"region": region.code}
    rejected = _("ByCloud refuses the credential for %(region)s (401): it is wrong, expired or revoked. Replace it.")
    forbidden = _("ByCloud knows the credential for %(region)s, but it may not list instances (403). Replace it.")
    try:
        gateway.check_credential(gateway.Access(region=region, credential=credential))
    except bycloud.Rejected:
        return Refused(rejected % named)
    except bycloud.Forbidden:
        return Refused(forbidden % named)
    except bycloud.ByCloudError as error:
        sentence = _("The credential for %(region)s could not be checked: %(doubt)s.")
        return Kept(row, is_checked=False, sentence=sentence % (named | {"doubt": _describe_doubt(error)}))
    # Another one may have been saved in the meantime.
    Credential.objects.filter(pk=row.pk, fingerprint=row.fingerprint).update(checked_at=timezone.now())
    return Kept(row, is_checked=True, sentence=_("ByCloud takes the credential for %(region)s.") % named)


def _store(
    credential: bycloud.Credential,
    sealed: bytes,
    *,
    member: Member,
    region: bycloud.Region,
    now: datetime,
    checked_at: datetime | None,
) -> Credential:
    kept = {
        "kind": Kind.BEARER if isinstance(credential, bycloud.BearerToken) else Kind.API_KEY,
        "sealed": sealed,
        "fingerprint": vault.fingerprint(credential),
        "checked_at": checked_at,
    }
    row, _created = Credential.objects.update_or_create(
        member=member,
        region=region.code,
        defaults={**kept, "replaced_at": now},
        create_defaults={**kept, "created_at": now},
    )
    return row


def _record_set(row: Credential, *, member: Member, request: HttpRequest | None) -> None:
    if request is not None:
        record_event(Act.CREDENTIAL_SET, request=request, member=member, subject=str(row))
    else:
        # Whoever is at the command line is not known; the member did not do it herself.
        record_event(Act.CREDENTIAL_SET, subject=f"{row} ({member.get_username()})")


def _describe_doubt(error: bycloud.ByCloudError) -> str:
    # ByCloud's own words are left out: an answer could echo the request, and with it the credential.
    match error:
        case bycloud.Unreachable():
            doubt = _("ByCloud could not be reached")
        # Where nobody may wait any more, others wait for ByCloud already.
        case bycloud.TimedOut() | gateway.Busy():
            doubt = _("ByCloud did not answer in time")
        case gateway.BudgetSpent():
            doubt = _("the portal has used up the requests it may send to ByCloud for the moment")
        case bycloud.RateLimited():
            doubt = _("ByCloud takes no more requests for the moment (429)")
        case bycloud.ServerFault():
            doubt = _("ByCloud has a fault of its own (%(status)s)") % {"status": error.status}
        case bycloud.BadPayload():
            doubt = _("ByCloud's answer could not be read")
        case _other:
            doubt = _("ByCloud did not take the question (%(status)s)") % {"status": error.status}
    return doubt
