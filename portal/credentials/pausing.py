"""Pauses a member's credentials until they enter them again."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from portal.accounts.models import Member
from portal.accounts.takeover import Takeover, may_be_taken_over
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.credentials.models import Credential


@receiver(may_be_taken_over, dispatch_uid="credentials")
def pause_credentials(
    *, member: Member, why: Takeover, by: Member | None, request: HttpRequest | None, **_rest: Any
) -> None:
    """Another person may be able to sign in as this member. A credential that is already paused keeps its reason."""
    with transaction.atomic():
        rows = Credential.objects.select_for_update().filter(member=member, pause="").order_by("region")
        regions = [row.region for row in rows]
        if not regions:
            return
        Credential.objects.filter(member=member, pause="").update(pause=why)
        what = f"{member.username}: {', '.join(regions)} ({why.label})"
        record_event(Act.CREDENTIAL_PAUSED, request=request, member=by, subject=what)
