"""Lets a member's credentials wait until the member enters them again. Opens none."""

from django.db import transaction
from django.http import HttpRequest

from portal.accounts.models import Member
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.credentials.models import Credential, Pause


def pause_credentials(
    owner: Member, why: Pause, *, by: Member | None = None, request: HttpRequest | None = None
) -> None:
    """The person who signs in as `owner` from now on may be another one. What is paused already keeps its reason."""
    with transaction.atomic():
        rows = Credential.objects.select_for_update().filter(member=owner, pause="").order_by("region")
        regions = [row.region for row in rows]
        if not regions:
            return
        Credential.objects.filter(member=owner, pause="").update(pause=why)
        what = f"{owner.username}: {', '.join(regions)} ({why.label})"
        record_event(Act.CREDENTIAL_PAUSED, request=request, member=by, subject=what)
