"""What members do with saved views. Each function sees to it that nobody learns of another's private one.

Knows nothing of what a query string means; who calls has checked it.
"""

from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from portal.accounts.models import Member
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.core.permissions import Capability
from portal.saved_views.models import DefaultView, SavedView

MOST_VIEWS = 50


class Link(NamedTuple):
    """A view as a link shows it."""

    pk: int
    name: str
    query: str
    is_shared: bool
    owner_id: int
    owner_name: str


class TooManyViewsError(Exception):
    """The member has as many views in this region as she may have."""


class NameTakenError(Exception):
    """The member has another view of this name in this region."""


def list_views(member: Member, region: str) -> tuple[SavedView, ...]:
    """The member's own and the shared ones, by name; each knows as `is_default` whether her list begins with it."""
    default = Exists(DefaultView.objects.filter(member=member, view=OuterRef("pk")))
    return tuple(_list_visible(member, region).select_related("owner").annotate(begins_list=default))


def list_links(member: Member, region: str) -> tuple[Link, ...]:
    """The same as a list's page needs them: bare values in one plain query, as every such page asks for it."""
    fields = ("pk", "name", "query", "is_shared", "owner_id", "owner__username")
    return tuple(Link(*values) for values in _list_visible(member, region).values_list(*fields))


def find_default(*, member: Member, region: str) -> SavedView | None:
    """The view that the member's list begins with, unless it is hidden from her by now."""
    return _list_visible(member, region).filter(defaults__member=member).first()


def find_own_view(pk: int, *, member: Member, region: str) -> SavedView | None:
    """A view that the member may change: nobody changes another's, not even a shared one."""
    return SavedView.objects.filter(owner=member, region=region, pk=pk).first()


@transaction.atomic
def add_view(view: SavedView, *, request: HttpRequest) -> SavedView:
    """Keep a new view of its owner's. Raises `TooManyViewsError` or `NameTakenError`."""
    # Two at once could each find the last place free.
    Member.objects.select_for_update().get(pk=view.owner.pk)
    if SavedView.objects.filter(owner=view.owner, region=view.region).count() >= MOST_VIEWS:
        raise TooManyViewsError
    _save(view, was_shared=False, request=request)
    return view


@transaction.atomic
def change_view(view: SavedView, *, request: HttpRequest) -> SavedView:
    """Keep what was changed of a view. Raises `NameTakenError`, and `SavedView.DoesNotExist` for one removed since."""
    Member.objects.select_for_update().get(pk=view.owner.pk)
    was_shared = SavedView.objects.values_list("is_shared", flat=True).get(pk=view.pk)
    _save(view, was_shared=was_shared, request=request)
    return view


@transaction.atomic
def remove_view(pk: int, *, member: Member, region: str, request: HttpRequest) -> SavedView | None:
    """Remove one's own view or, who keeps the team, a shared one. None where there is no such view for this member."""
    mine = Q(owner=member)
    removable = mine | Q(is_shared=True) if member.can(Capability.MANAGE_TEAM) else mine
    view = SavedView.objects.filter(removable, region=region, pk=pk).select_related("owner").first()
    if view is None:
        return None
    view.delete()
    if view.is_shared:
        record_event(Act.VIEW_REMOVED, request=request, member=member, subject=_describe(view))
    return view


@transaction.atomic
def set_default(pk: int, *, member: Member, region: str) -> SavedView | None:
    """Let the member's list begin with this view. None where there is no such view for this member."""
    # Whoever removes it meanwhile waits, and takes the default away with it.
    view = _list_visible(member, region).select_for_update().filter(pk=pk).first()
    if view:
        DefaultView.objects.update_or_create(member=member, region=region, defaults={"view": view})
    return view


def clear_default(*, member: Member, region: str) -> None:
    """Let the member's list begin with the whole list."""
    DefaultView.objects.filter(member=member, region=region).delete()


def _list_visible(member: Member, region: str) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner=member) | Q(is_shared=True), region=region)


def _save(view: SavedView, *, was_shared: bool, request: HttpRequest) -> None:
    same_name = SavedView.objects.filter(owner=view.owner, region=view.region, name__iexact=view.name)
    if same_name.exclude(pk=view.pk).exists():
        raise NameTakenError
    view.save()
    if view.is_shared != was_shared:
        act = Act.VIEW_SHARED if view.is_shared else Act.VIEW_UNSHARED
        record_event(act, request=request, member=view.owner, subject=_describe(view))


def _describe(view: SavedView) -> str:
    return f"{view.region}: {view.name} ({view.owner.get_username()})"
