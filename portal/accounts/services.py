"""Changes to members by admins, and invitations.

The last active admin can't be removed, and a link creates one account, even by concurrent requests.
"""

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils import timezone

from portal.accounts.models import Invitation, Member, list_inviting_roles
from portal.accounts.sessions.services import end_sessions
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.permissions import Capability, Role


class LastAdminError(Exception):
    """The change would leave the team without an active admin."""


class InvitationGoneError(Exception):
    """The link was used, has expired, was revoked or never existed. It does not say which."""


class MemberNameTakenError(Exception):
    """The user name or the e-mail address is already in use."""


def change_role(pk: int, role: str, *, by: Member, request: HttpRequest) -> Member:
    """Change a member's role. Raises `LastAdminError`, and `Http404` if there is no such member."""
    with transaction.atomic():
        member = _lock_member(pk, by=by, spares_last_admin=role != Role.ADMIN)
        if role == member.role:
            return member
        before = member.role
        member.role = role
        member.save(update_fields=["role"])
        # Permissions have changed in all of the member's sessions. An admin who changed their own role keeps this one.
        end_sessions(member, but=request.session.session_key if member.pk == by.pk else None)
        record_event(Action.ROLE_CHANGED, request=request, member=by, subject=f"{member.username}: {before} → {role}")
        return member


def sync_role_from_groups(member: Member, role: str, *, request: HttpRequest) -> bool:
    """Set the role from the member's groups at the OpenID provider. End their sessions if it changes.

    Unless the member is an admin, their password is removed: they can't sign in with it, but reauthentication would ask
    for it. Returns False if the role stays because the member is the last active admin, which is recorded at each
    sign-in.
    """
    with transaction.atomic():
        locked, admins = _lock_with_admins(member.pk)
        member = locked[member.pk]
        if role != Role.ADMIN and admins != {member.pk} and member.has_usable_password():
            member.set_unusable_password()
            member.save(update_fields=["password"])
            end_sessions(member)
            what = f"{member.username}: none any more, by their groups"
            record_event(Action.PASSWORD_CHANGED, request=request, member=member, subject=what)
        if role == member.role:
            return True
        what = f"{member.username}: {member.role} → {role}, by their groups"
        if admins == {member.pk}:
            record_event(Action.LAST_ADMIN_KEPT, request=request, member=member, subject=what)
            return False
        member.role = role
        member.save(update_fields=["role"])
        end_sessions(member)
        record_event(Action.ROLE_CHANGED, request=request, member=member, subject=what)
        return True


def deactivate(pk: int, *, by: Member, request: HttpRequest) -> Member:
    """Deactivate a member and end their sessions. Raises `LastAdminError`, and `Http404` if there is no such member."""
    with transaction.atomic():
        member = _lock_member(pk, by=by, spares_last_admin=True)
        if member.is_active:
            member.is_active = False
            member.save(update_fields=["is_active"])
            record_event(Action.MEMBER_DEACTIVATED, request=request, member=by, subject=member.username)
        end_sessions(member)
        return member


def reactivate(pk: int, *, by: Member, request: HttpRequest) -> Member:
    """Reactivate a member. Raises `Http404` if there is no such member."""
    with transaction.atomic():
        member = _lock_member(pk, by=by, spares_last_admin=False)
        if not member.is_active:
            member.is_active = True
            member.save(update_fields=["is_active"])
            record_event(Action.MEMBER_ACTIVATED_AGAIN, request=request, member=by, subject=member.username)
        return member


def make_invitation(invitation: Invitation, *, by: Member, request: HttpRequest) -> str:
    """Save the invitation and return its token, which is not stored."""
    invitation.created_by = by
    token = invitation.make_token()
    with transaction.atomic():
        invitation.save()
        record_event(
            Action.MEMBER_INVITED, request=request, member=by, subject=f"{invitation.name} ({invitation.role})"
        )
    return token


def revoke_invitation(pk: int, *, by: Member, request: HttpRequest) -> Invitation | None:
    """Revoke a pending invitation. Returns None if it is no longer pending."""
    with transaction.atomic():
        invitation = Invitation.objects.pending().select_for_update(of=("self",)).filter(pk=pk).first()
        if invitation is not None:
            invitation.delete()
            record_event(Action.INVITATION_REVOKED, request=request, member=by, subject=invitation.name)
        return invitation


def find_invitation(token: str) -> Invitation | None:
    return Invitation.objects.pending().with_token(token).select_related("created_by").first()


def accept_invitation(token: str, member: Member, *, request: HttpRequest) -> Member:
    """Save the new member, whose password is already set, with the invitation's role and e-mail address.

    Raises `InvitationGoneError` or `MemberNameTakenError`. The row is locked, so that the link works only once, even
    for two requests at the same time.
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
                Action.MEMBER_ACTIVATED, request=request, member=member, subject=f"{invitation.name} ({member.role})"
            )
    except IntegrityError as error:
        raise MemberNameTakenError from error
    return member


def _lock_member(pk: int, *, by: Member, spares_last_admin: bool) -> Member:
    """Lock the member and all active admins until the end of the transaction, so that concurrent changes run one by
    one.

    Raises `PermissionDenied` if the acting admin lost their role while waiting.
    """
    locked, admins = _lock_with_admins(pk)
    if by.pk not in admins:
        raise PermissionDenied
    if pk not in locked:
        raise Http404
    if spares_last_admin and admins == {pk}:
        raise LastAdminError
    return locked[pk]


def _lock_with_admins(pk: int) -> tuple[dict[int, Member], set[int]]:
    """Lock the member, if they exist, and all active admins: all of them by id, and the ids of the admins.

    In one query and in the order of ids: two requests that lock the same members in different orders would each wait
    for the other, and PostgreSQL would end one of them.
    """
    wanted = Q(pk=pk) | Q(is_active=True, role__in=list_inviting_roles())
    rows = Member.objects.filter(wanted).select_for_update(no_key=True).order_by("pk")
    locked = {member.pk: member for member in rows}
    return locked, {member.pk for member in rows if member.can(Capability.MANAGE_TEAM)}
