"""Members, sessions, invitations and rate limit counters."""

import hashlib
import secrets
from importlib import import_module
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.core.permissions import ROLE_CAPABILITIES, Capability, Role

LONGEST_USER_AGENT = 200


# Django's e-mail validator ignores case and therefore accepts characters that are only equal to a-z without case, such
# as the dotless i.
only_plain_letters = RegexValidator(
    r"^[\x21-\x7e]*\Z",
    _("Use an e-mail address without accented letters; for other domain names, use the form that begins with xn--."),
)


class Theme(models.TextChoices):
    SYSTEM = "system", _("System")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Density(models.TextChoices):
    COMFORTABLE = "comfortable", _("Comfortable")
    COMPACT = "compact", _("Compact")


class FirstPage(models.TextChoices):
    """The page of a region that opens first."""

    OVERVIEW = "overview", _("Overview")
    INSTANCES = "instances", _("Instances")


class PauseReason(models.TextChoices):
    """Why another person may be able to sign in as a member. The labels are for the audit, which is in English."""

    PASSWORD = "password", "a password set through a link"
    SECOND_FACTOR = "second-factor", "a second factor reset"
    SINGLE_SIGN_ON = "single-sign-on", "an account linked to single sign-on"


# For apps that store something for a member only. Sent within the transaction, with `member`, `why` (a `PauseReason`),
# `by` (the admin, or None) and `request` (or None).
may_be_taken_over = Signal()


def list_inviting_roles() -> list[str]:
    """The roles that can manage the team."""
    return [role for role, capabilities in ROLE_CAPABILITIES.items() if Capability.MANAGE_TEAM in capabilities]


class MemberManager(UserManager["Member"]):
    use_in_migrations = False

    def active_admins(self) -> models.QuerySet["Member"]:
        """Members who can invite, change roles and deactivate, and who can be asked for permissions."""
        return self.filter(is_active=True, role__in=list_inviting_roles()).order_by("username")

    def find_by_name(self, typed: str) -> "Member | None":
        """Find a member by user name, case-insensitively. Compares in lower case like the constraint.

        `iexact` on PostgreSQL compares in upper case, where a dotless i is equal to I and would match another member.
        """
        return self.alias(lowered=Lower("username")).filter(lowered=Lower(models.Value(typed))).first()

    def find_by_login(self, typed: str) -> "Member | None":
        """Find a member by user name or e-mail address, case-insensitively. Only e-mail addresses contain an @."""
        return self.filter(email=typed.lower()).first() if "@" in typed else self.find_by_name(typed)


class Member(AbstractUser):
    """A member of the team. Permissions depend on the role only; Django's permissions are not used."""

    # No "@": a user name must not look like another member's e-mail address, because both can be used to sign in. No
    # letters of other scripts, which may look like these; existing names keep theirs.
    username = models.CharField(
        _("user name"),
        max_length=150,
        unique=True,
        help_text=_("Letters a to z, digits and . + - _ only."),
        validators=[RegexValidator(r"^[A-Za-z0-9._+-]+\Z", _("Use letters a to z, digits and . + - _ only."))],
        error_messages={"unique": _("This user name is taken.")},
    )
    email = models.EmailField(_("e-mail"), blank=True, validators=[only_plain_letters])
    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, default=Theme.SYSTEM)
    # Empty: the browser's.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    density = models.CharField(_("density"), max_length=16, choices=Density, default=Density.COMFORTABLE)
    first_page = models.CharField(_("first page"), max_length=16, choices=FirstPage, default=FirstPage.OVERVIEW)
    # 0: manual refresh only.
    refresh_seconds = models.PositiveSmallIntegerField(_("refresh"), default=30)
    shortcuts = models.BooleanField(_("keyboard shortcuts"), default=True)
    # Comma-separated names. Empty: the default columns.
    columns = models.CharField(_("columns"), max_length=500, blank=True, default="")

    objects: ClassVar[MemberManager] = MemberManager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="one_member_per_name", violation_error_message=_("This user name is taken.")
            ),
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="one_member_per_email",
                violation_error_message=_("This e-mail address is already in use."),
            ),
        ]

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """New user names are in lower case, where I and l can't be confused. Called by Django's forms and
        `create_user`.
        """
        return super().normalize_username(username).lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        # Sign-in looks up e-mail addresses in lower case.
        self.email = self.email.lower()
        super().save(*args, **kwargs)

    def can(self, capability: Capability) -> bool:
        return self.is_active and capability in ROLE_CAPABILITIES.get(self.role, frozenset())


def hash_token(token: str) -> str:
    """Hash an invitation token or a session id for storage. They are long and random, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


class MemberSession(AbstractBaseSession):
    """A Django session with its member. Written by the session store only; its key is a digest of the cookie's id."""

    session_key = models.CharField(max_length=64, primary_key=True)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=LONGEST_USER_AGENT, blank=True)

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        return import_module(settings.SESSION_ENGINE).SessionStore  # type: ignore[no-any-return]


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self) -> "InvitationQuerySet":
        """Not used, not expired, and created by a member who may still invite."""
        return self.filter(
            used_at=None,
            expires_at__gt=timezone.now(),
            created_by__is_active=True,
            created_by__role__in=list_inviting_roles(),
        )

    def with_token(self, token: str) -> "InvitationQuerySet":
        return self.filter(token_hash=hash_token(token))


class Invitation(models.Model):
    """A link that lets one person join until it expires. The link is not stored."""

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=150, help_text=_("Invitee"))
    email = models.EmailField(_("e-mail"), blank=True, validators=[only_plain_letters])
    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return self.name

    def make_token(self) -> str:
        """Create a token and store its digest. The token itself is only returned."""
        token = secrets.token_urlsafe(32)
        self.token_hash = hash_token(token)
        self.expires_at = timezone.now() + settings.INVITATION_LIFETIME
        return token


class Count(models.Model):
    """A rate limit counter with its expiry. Used by `throttles.DatabaseCache` only."""

    key = models.CharField(max_length=250, primary_key=True)
    value = models.TextField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
