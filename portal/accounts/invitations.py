"""Invitations: made, revoked, accepted. A link gives one account, once."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.models import Invitation, Member
from portal.audit.events import record_event
from portal.audit.models import Act


class InvitationGoneError(Exception):
    """Used, expired, revoked or never made: which of them, is nobody's business."""


class NameTakenError(Exception):
    """Somebody took the user name or the e-mail address in the meantime."""


def make_invitation(invitation: Invitation, *, by: Member, request: HttpRequest) -> str:
    """Save the invitation and return its token, which is nowhere else."""
    invitation.created_by = by
    token = invitation.make_token()
    with transaction.atomic():
        invitation.save()
        record_event(Act.MEMBER_INVITED, request=request, member=by, subject=f"{invitation.name} ({invitation.role})")
    return token


def revoke_invitation(pk: int, *, by: Member, request: HttpRequest) -> Invitation | None:
    """Take a pending invitation back. None when it is not pending any more."""
    with transaction.atomic():
        invitation = Invitation.objects.pending().select_for_update(of=("self",)).filter(pk=pk).first()
        if invitation is not None:
            invitation.delete()
            record_event(Act.INVITATION_REVOKED, request=request, member=by, subject=invitation.name)
        return invitation


def find_invitation(token: str) -> Invitation | None:
    return Invitation.objects.pending().with_token(token).select_related("created_by").first()


def accept_invitation(token: str, member: Member, *, request: HttpRequest) -> Member:
    """Save the new member, whose password is set already, with the invitation's role and e-mail address.

    Raises `InvitationGoneError` and `NameTakenError`. The row is locked, so of two who come with one link at once the
    second finds it used.
    """
    try:
        with transaction.atomic():
            invitation = Invitation.objects.pending().with_token(token).select_for_update(of=("self",)).first()
            if invitation is None:
                raise InvitationGoneError
            member.email, member.role = invitation.email, invitation.role
            member.save(force_insert=True)
            invitation.used_at = timezone.now()
            invitation.save(update_fields=["used_at"])
            record_event(
                Act.MEMBER_ACTIVATED, request=request, member=member, subject=f"{invitation.name} ({member.role})"
            )
    except IntegrityError as error:
        raise NameTakenError from error
    return member
