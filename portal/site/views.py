"""The home page, the team page, and health checks, which don't depend on ByCloud."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.accounts.adapter import may_sign_in_here
from portal.accounts.mfa.services import filter_mfa_methods
from portal.accounts.models import Invitation, Member
from portal.accounts.sso.services import find_linked
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest
from portal.credentials.status import Badge, list_marks, list_statuses
from portal.instances.indexed import can_read_index
from portal.site.context import OVERVIEW, name_first_page

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TeamRow:
    """A member with the status of their credential in each region, and nothing else about it."""

    member: Member
    regions: tuple[tuple[str, Badge], ...]
    is_last_admin: bool
    has_second_factor: bool
    may_sign_in_here: bool


@requires(Capability.LIST_INSTANCES)
@require_safe
def show_home(request: MemberRequest) -> HttpResponse:
    """The page of the first region that the member prefers. The list, if the index cannot be read."""
    name = name_first_page(request.user)
    if name == OVERVIEW and not can_read_index():
        name = "instances:list"
    return redirect(name, region=next(iter(settings.BYCLOUD_REGIONS)))


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


@requires(Capability.PUBLIC)
@require_safe
def show_live(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive\n", content_type="text/plain")


@requires(Capability.PUBLIC)
@require_safe
def show_ready(_request: HttpRequest) -> HttpResponse:
    """200 if the database and the cache respond, otherwise 503. Only the log says which one failed."""
    is_ready = all([_answers("database", _ask_database), _answers("cache", _ask_cache)])
    return HttpResponse(
        "ready\n" if is_ready else "not ready\n", status=200 if is_ready else 503, content_type="text/plain"
    )


def _answers(part: str, ask: Callable[[], None]) -> bool:
    try:
        ask()
    except Exception:
        log.exception("not_ready", part=part)
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_cache() -> None:
    caches["pages"].get("health")
