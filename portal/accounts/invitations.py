"""Creates, revokes and accepts invitations. A link creates one account, once."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.models import Invitation, Member
from portal.audit.events import record_event
from portal.audit.models import Act


class InvitationGoneError(Exception):
    """The link was used, has expired, was revoked or never existed. It does not say which."""


class NameTakenError(Exception):
    """The user name or the e-mail address is already in use."""


def make_invitation(invitation: Invitation, *, by: Member, request: HttpRequest) -> str:
    """Save the invitation and return its token, which is not stored."""
    invitation.created_by = by
    token = invitation.make_token()
    with transaction.atomic():
        invitation.save()
        record_event(Act.MEMBER_INVITED, request=request, member=by, subject=f"{invitation.name} ({invitation.role})")
    return token


def revoke_invitation(pk: int, *, by: Member, request: HttpRequest) -> Invitation | None:
    """Revoke a pending invitation. Returns None if it is no longer pending."""
    with transaction.atomic():
        invitation = Invitation.objects.pending().select_for_update(of=("self",)).filter(pk=pk).first()
        if invitation is not None:
            invitation.delete()
            record_event(Act.INVITATION_REVOKED, request=request, member=by, subject=invitation.name)
        return invitation


def find_invitation(token: str) -> Invitation | None:
    return Invitation.objects.pending().with_token(token).select_related("created_by").first()


def accept_invitation(token: str, member: Member, *, request: HttpRequest) -> Member:
    """Save the new member, whose password is already set, with the invitation's role and e-mail address.

    Raises `InvitationGoneError` or `NameTakenError`. The row is locked, so that the link can only be used once, even by
    two requests at the same time.
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
