"""Audit events. Never changed, and deleted only by `services.prune_events`. Database triggers enforce this, too."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

NAME_LENGTH = 150
# User names contain no spaces.
COMMAND_LINE = "command line"
# Stored instead of an entered name that may be a password.
NOT_A_NAME = "(not a name)"
SUBJECT_LENGTH = 255
USER_AGENT_LENGTH = 200


class Action(models.TextChoices):
    SIGNED_IN = "signed-in", _("Signed in")
    SIGN_IN_FAILED = "sign-in-failed", _("Sign-in failed")
    SIGNED_OUT = "signed-out", _("Signed out")
    SESSION_ENDED = "session-ended", _("Session ended")
    PASSWORD_CHANGED = "password-changed", _("Password changed")
    PASSWORD_LINK_MADE = "password-link-made", _("Password reset link created")
    CREDENTIAL_SET = "credential-set", _("Credential set")
    CREDENTIAL_REMOVED = "credential-removed", _("Credential removed")
    CREDENTIAL_PAUSED = "credential-paused", _("Credentials paused")
    TEAM_CREDENTIAL_SET = "team-credential-set", _("Team credential set")
    TEAM_CREDENTIAL_REMOVED = "team-credential-removed", _("Team credential removed")
    CREDENTIAL_REFUSED = "credential-refused", _("Credential rejected by ByCloud")
    ROLE_CHANGED = "role-changed", _("Role changed")
    MEMBER_ADDED = "member-added", _("Member added")
    MEMBER_INVITED = "member-invited", _("Member invited")
    INVITATION_REVOKED = "invitation-revoked", _("Invitation revoked")
    MEMBER_ACTIVATED = "member-activated", _("Member activated")
    MEMBER_DEACTIVATED = "member-deactivated", _("Member deactivated")
    MEMBER_ACTIVATED_AGAIN = "member-activated-again", _("Member reactivated")
    VIEW_SHARED = "view-shared", _("View shared")
    VIEW_UNSHARED = "view-unshared", _("View unshared")
    VIEW_REMOVED = "view-removed", _("Shared view deleted")
    INSTANCES_EXPORTED = "instances-exported", _("Instances exported")
    ACCESS_REFUSED = "access-refused", _("Access denied")
    SECOND_FACTOR_ADDED = "second-factor-added", _("Two-factor method added")
    SECOND_FACTOR_RENAMED = "second-factor-renamed", _("Two-factor method renamed")
    SECOND_FACTOR_REMOVED = "second-factor-removed", _("Two-factor method removed")
    SECOND_FACTOR_USED = "second-factor-used", _("Two-factor method used")
    SECOND_FACTOR_FAILED = "second-factor-failed", _("Two-factor authentication failed")
    SECOND_FACTOR_RESET = "second-factor-reset", _("Two-factor authentication reset by an admin")
    RECOVERY_CODES_SHOWN = "recovery-codes-shown", _("Recovery codes shown")
    RECOVERY_CODES_RENEWED = "recovery-codes-renewed", _("Recovery codes renewed")
    SINGLE_SIGN_ON_REFUSED = "single-sign-on-refused", _("Single sign-on denied")
    SINGLE_SIGN_ON_FAILED = "single-sign-on-failed", _("Single sign-on failed")
    SINGLE_SIGN_ON_LINKED = "single-sign-on-linked", _("Linked to single sign-on")
    LAST_ADMIN_KEPT = "last-admin-kept", _("Last admin retained")
    AUDIT_EXPORTED = "audit-exported", _("Audit exported")
    AUDIT_PRUNED = "audit-pruned", _("Old events deleted")


# Actions possible without signing in. The event's name is then what the person entered.
BEFORE_SIGN_IN = frozenset(
    {
        Action.SIGN_IN_FAILED,
        Action.PASSWORD_LINK_MADE,
        Action.SECOND_FACTOR_FAILED,
        Action.SINGLE_SIGN_ON_REFUSED,
        Action.SINGLE_SIGN_ON_FAILED,
    }
)


def list_actions() -> list[tuple[str, Any]]:
    """A function, so that a new action needs no migration."""
    return Action.choices


class AppendOnlyError(TypeError):
    """An attempt to change or delete audit events."""


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise AppendOnlyError("Audit events are only ever added, one by one")


class EventQuerySet(models.QuerySet["Event"]):
    """Allows reading and `create` only."""

    update = _refuse
    delete = _refuse
    bulk_create = _refuse
    bulk_update = _refuse
    _raw_delete = _refuse


class Event(models.Model):
    """An audit event.

    `name` is the member's name at that time, the name entered at a failed sign-in, `NOT_A_NAME` or `COMMAND_LINE`. The
    foreign key has no constraint, so that a deleted member's events stay unchanged.
    """

    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    act = models.CharField(max_length=32, choices=list_actions)
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    name = models.CharField(max_length=NAME_LENGTH, blank=True)
    subject = models.CharField(max_length=SUBJECT_LENGTH, blank=True)
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=USER_AGENT_LENGTH, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["act", "-id"], name="event_act"),
            models.Index(fields=["name", "-id"], name="event_name"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.act} {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            _refuse()
        super().save(*args, **kwargs | {"force_insert": True})

    delete = _refuse

    @property
    def is_from_command_line(self) -> bool:
        """No member was signed in or tried to sign in, so it was done on the server."""
        return self.member_id is None and self.act not in BEFORE_SIGN_IN

    @property
    def is_without_name(self) -> bool:
        """A name was entered, but is not stored."""
        return self.name == NOT_A_NAME
