"""The team page: members, their credentials' status, pending invitations."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.accounts.adapter import may_sign_in_here
from portal.accounts.mfa.services import filter_mfa_methods
from portal.accounts.models import Invitation, Member
from portal.accounts.sso.services import find_linked
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest
from portal.credentials.status import Badge, list_marks, list_statuses


@dataclass(frozen=True)
class TeamRow:
    """A member with the status of their credential in each region, and nothing else about it."""

    member: Member
    regions: tuple[tuple[str, Badge], ...]
    is_last_admin: bool
    has_second_factor: bool
    may_sign_in_here: bool


@requires(Capability.MANAGE_TEAM)
@require_safe
def show_team(request: MemberRequest) -> HttpResponse:
    statuses = list_statuses()
    admins = set(Member.objects.active_admins().values_list("pk", flat=True))
    with_factor = set(filter_mfa_methods().values_list("user_id", flat=True))
    linked = set(find_linked().values_list("user_id", flat=True))
    rows = [
        TeamRow(
            member=member,
            regions=list_marks(member, statuses),
            is_last_admin=admins == {member.pk},
            has_second_factor=member.pk in with_factor,
            may_sign_in_here=may_sign_in_here(member, is_linked=member.pk in linked),
        )
        for member in Member.objects.order_by("-is_active", "username")
    ]
    pending = Invitation.objects.pending().select_related("created_by").order_by("expires_at")
    context = {"rows": rows, "pending": pending, "regions": list(settings.BYCLOUD_REGIONS)}
    return render(request, "accounts/team.html", context)
