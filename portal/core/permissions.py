"""Roles and their capabilities. Each view declares the capability it requires; views without one are denied."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

View = TypeVar("View", bound=Callable[..., Any])


class Role(TextChoices):
    VIEWER = "viewer", _("Viewer")
    OPERATOR = "operator", _("Operator")
    ADMIN = "admin", _("Admin")


class Capability(StrEnum):
    """What a view requires of the current user."""

    PUBLIC = "public"
    """Open to everyone, signed in or not: sign-in, invitations, health."""
    LIST_INSTANCES = "list-instances"
    OPEN_INSTANCE = "open-instance"
    READ_RAW_INSTANCE = "read-raw-instance"
    MANAGE_OWN_CREDENTIAL = "manage-own-credential"
    MANAGE_OWN_PREFERENCES = "manage-own-preferences"
    MANAGE_OWN_MFA = "manage-own-second-factor"
    """The only capability of a member who must set up two-factor authentication first."""
    MANAGE_SAVED_VIEWS = "manage-saved-views"
    FORCE_REFRESH = "force-refresh"
    MANAGE_TEAM = "manage-team"
    MANAGE_TEAM_CREDENTIAL = "manage-team-credential"
    READ_AUDIT = "read-audit"


_VIEWER = frozenset(
    {
        Capability.LIST_INSTANCES,
        Capability.OPEN_INSTANCE,
        Capability.READ_RAW_INSTANCE,
        Capability.MANAGE_OWN_CREDENTIAL,
        Capability.MANAGE_OWN_PREFERENCES,
        Capability.MANAGE_OWN_MFA,
        Capability.MANAGE_SAVED_VIEWS,
    }
)
_OPERATOR = _VIEWER | {Capability.FORCE_REFRESH}
_ADMIN = _OPERATOR | {Capability.MANAGE_TEAM, Capability.MANAGE_TEAM_CREDENTIAL, Capability.READ_AUDIT}

ROLE_CAPABILITIES: dict[str, frozenset[Capability]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _ADMIN,
}


def requires(capability: Capability) -> Callable[[View], View]:
    """Declare the capability a view requires. `AccessMiddleware` denies views without one."""

    def declare(view: View) -> View:
        view.capability = capability  # type: ignore[attr-defined]
        return view

    return declare
