"""Operations on saved views. None of them reveals another member's private views.

The query string is not interpreted here; the caller must have validated it.
"""

from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from portal.accounts.models import Member
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.permissions import Capability
from portal.saved_views.models import DefaultView, SavedView

MOST_VIEWS = 50


class SavedLink(NamedTuple):
    """A view as shown in links. `default_id` is set if the member's lists open with it."""

    pk: int
    name: str
    query: str
    is_shared: bool
    owner_id: int
    owner_name: str
    default_id: int | None


class TooManyViewsError(Exception):
    """The member has reached the maximum number of views in this region."""


class ViewNameTakenError(Exception):
    """The member has another view with this name in this region."""


def list_views(member: Member, region: str) -> tuple[SavedView, ...]:
    """The member's own and the shared views, by name. `is_default` is set on each for this member."""
    default = Exists(DefaultView.objects.filter(member=member, view=OuterRef("pk")))
    views = _list_visible(member, region).select_related("owner")
    return tuple(views.annotate(is_default=default))  # type: ignore[no-redef]  # the model declares it


def list_links(member: Member, region: str) -> tuple[SavedLink, ...]:
    """The same for the list page: plain values, because every list page needs them."""
    # Django takes ten times as long to write this query as to run it.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, v.name, v.query, v.is_shared, v.owner_id, m.username, d.id
            FROM saved_views_savedview v
            JOIN accounts_member m ON m.id = v.owner_id
            LEFT JOIN saved_views_defaultview d ON d.view_id = v.id AND d.member_id = %s
            WHERE v.region = %s AND (v.owner_id = %s OR v.is_shared)
            ORDER BY lower(v.name), v.id
            """,
            [member.pk, region, member.pk],
        )
        return tuple([SavedLink(*values) for values in cursor.fetchall()])


def find_own_view(pk: int, *, member: Member, region: str) -> SavedView | None:
    """A view that the member may change. Members can change only their own views, not shared ones."""
    return SavedView.objects.filter(owner=member, region=region, pk=pk).first()


@transaction.atomic
def add_view(view: SavedView, *, request: HttpRequest) -> SavedView:
    """Save a new view for its owner. Raises `TooManyViewsError` or `ViewNameTakenError`."""
    # Locks the member, so that two concurrent requests cannot exceed the maximum.
    Member.objects.select_for_update(no_key=True).get(pk=view.owner.pk)
    if SavedView.objects.filter(owner=view.owner, region=view.region).count() >= MOST_VIEWS:
        raise TooManyViewsError
    _save(view, was_shared=False, request=request)
    return view


@transaction.atomic
def change_view(view: SavedView, *, request: HttpRequest) -> SavedView:
    """Save changes to a view. Raises `ViewNameTakenError`, and `SavedView.DoesNotExist` if it has been deleted."""
    Member.objects.select_for_update(no_key=True).get(pk=view.owner.pk)
    was_shared = SavedView.objects.values_list("is_shared", flat=True).get(pk=view.pk)
    _save(view, was_shared=was_shared, request=request)
    return view


def find_removable_view(pk: int, *, member: Member, region: str) -> SavedView | None:
    """A view that the member may delete: their own or, for those who manage the team, a shared one."""
    return _list_removable(member, region).filter(pk=pk).first()


@transaction.atomic
def remove_view(pk: int, *, member: Member, region: str, request: HttpRequest) -> SavedView | None:
    """Delete a view that the member may delete. None if not found."""
    # Locked, like in `set_default`: deleting takes the default views first, which that one writes last.
    view = _list_removable(member, region).select_for_update(of=("self",)).filter(pk=pk).first()
    if view is None:
        return None
    view.delete()
    if view.is_shared:
        record_event(Action.VIEW_REMOVED, request=request, member=member, subject=_describe(view))
    return view


@transaction.atomic
def set_default(pk: int, *, member: Member, region: str) -> SavedView | None:
    """Make this view the member's default. None if there is no such view for this member."""
    # Locks the view, so that a concurrent deletion waits and then removes the default as well.
    view = _list_visible(member, region).select_for_update().filter(pk=pk).first()
    if view:
        DefaultView.objects.update_or_create(member=member, region=region, defaults={"view": view})
    return view


def clear_default(*, member: Member, region: str) -> None:
    """Remove the member's default view of this region."""
    DefaultView.objects.filter(member=member, region=region).delete()


def _list_visible(member: Member, region: str) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner=member) | Q(is_shared=True), region=region)


def _list_removable(member: Member, region: str) -> QuerySet[SavedView]:
    mine = Q(owner=member)
    removable = mine | Q(is_shared=True) if member.can(Capability.MANAGE_TEAM) else mine
    return SavedView.objects.filter(removable, region=region).select_related("owner")


def _save(view: SavedView, *, was_shared: bool, request: HttpRequest) -> None:
    same_name = SavedView.objects.filter(owner=view.owner, region=view.region, name__iexact=view.name)
    if same_name.exclude(pk=view.pk).exists():
        raise ViewNameTakenError
    view.save()
    if view.is_shared != was_shared:
        act = Action.VIEW_SHARED if view.is_shared else Action.VIEW_UNSHARED
        record_event(act, request=request, member=view.owner, subject=_describe(view))


def _describe(view: SavedView) -> str:
    return f"{view.region}: {view.name} ({view.owner.get_username()})"
