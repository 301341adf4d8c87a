"""Who may come in through the OpenID provider, and as what. Knows claims and members, no HTTP with the provider."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from portal.accounts import mails
from portal.accounts import services as team
from portal.accounts.models import Member, only_plain_letters
from portal.accounts.sessions.services import end_sessions
from portal.accounts.sso.id_tokens import UntrustedTokenError
from portal.accounts.takeover import Takeover, may_be_taken_over
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.core.permissions import Role

# The first one that one of her groups gives is her role.
_HIGHEST_FIRST = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)
_LONGEST_NAME = 140
_TRIES = 5


class RefusedError(Exception):
    """The provider knows her, and she has no access all the same. `reason` is for her page, `name` what she is called
    there.
    """

    def __init__(self, reason: str, *, name: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.name = name


def admit(login: SocialLogin, *, request: HttpRequest) -> None:
    """Let her in as the member whose subject the provider names, in the role of her groups, or raise `RefusedError`.

    `login` comes from the provider with its `claims`, and leaves with a member. A subject that is not known yet
    becomes a new member; no e-mail address or user name ever leads to one who is there already.
    """
    claims: Mapping[str, Any] = login.claims
    if not constant_time_compare(str(claims.get("nonce")), login.state["nonce"]):
        raise UntrustedTokenError("nonce is another sign-in's")
    member = login.user if login.account.pk else None
    name = member.username if member else _read_name(claims)
    role = find_role(read_groups(claims))
    if role is None:
        if request.user.is_authenticated:
            logout(request)
        if member:
            end_sessions(member)
        _record_refusal(request, member, name, "no group gives a role")
        reason = _("Your account is known, but none of your groups has a role in this portal.")
        raise RefusedError(reason, name=name)
    if member is None:
        member = _find_or_add_member(login, name=name, role=role, request=request)
    if not member.is_active:
        _record_refusal(request, member, name, "deactivated")
        raise RefusedError(_("Your account is deactivated."), name=name)
    if not team.sync_role_from_groups(member, role, request=request):
        text = _("Your groups no longer make you an admin. You remain one because you are the last admin.")
        messages.warning(request, text)
    login.user = Member.objects.get(pk=member.pk)


def read_groups(claims: Mapping[str, Any]) -> set[str]:
    """The groups in the claim that OIDC_GROUPS_CLAIM names: by that very name, or, else, by a path of names with dots
    between.
    """
    found: Any = claims.get(settings.OIDC_GROUPS_CLAIM)
    if found is None:
        found = claims
        for step in settings.OIDC_GROUPS_CLAIM.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return {found}
    return {group for group in found if isinstance(group, str)} if isinstance(found, list) else set()


def find_role(groups: set[str]) -> Role | None:
    """The highest role that one of the groups gives, or None: no access."""
    given = {settings.OIDC_ROLE_GROUPS.get(group) for group in groups}
    return next((role for role in _HIGHEST_FIRST if role.value in given), None)


def find_linked() -> QuerySet[SocialAccount]:
    """The accounts at the provider of the settings that are a member's; none while there is no provider."""
    linked: QuerySet[SocialAccount] = SocialAccount.objects.filter(provider=settings.OIDC_ISSUER)
    return linked if settings.OIDC_ISSUER else linked.none()


def link(member: Member, subject: str) -> None:
    """Let whoever is `subject` at the provider sign in as this member, by somebody at the command line. Raises
    `IntegrityError` when the subject is a member's already. A password goes, except an admin's: it is her way in when
    the provider is down. Credentials are paused: a subject may be mistyped.
    """
    with transaction.atomic():
        SocialAccount.objects.create(user=member, provider=settings.OIDC_ISSUER, uid=subject)
        if member.role != Role.ADMIN:
            member.set_unusable_password()
            member.save(update_fields=["password"])
        record_event(Act.SINGLE_SIGN_ON_LINKED, subject=f"{member.username}: {subject}")
        may_be_taken_over.send(Member, member=member, why=Takeover.SINGLE_SIGN_ON, by=None, request=None)
        transaction.on_commit(lambda: mails.tell(member, Act.SINGLE_SIGN_ON_LINKED, by=None))


def _record_refusal(request: HttpRequest, member: Member | None, name: str, why: str) -> None:
    record_event(Act.SINGLE_SIGN_ON_REFUSED, request=request, member=member, name=name, subject=why)


def _find_or_add_member(login: SocialLogin, *, name: str, role: Role, request: HttpRequest) -> Member:
    """Somebody new, or the one whom another request of hers has just added."""
    for _number in range(_TRIES):
        try:
            with transaction.atomic():
                return _add_member(login, name=name, role=role, request=request)
        except IntegrityError:
            # The name, the address or the subject was taken meanwhile.
            known = SocialAccount.objects.filter(provider=login.account.provider, uid=login.account.uid).first()
            if known:
                login.account = known
                return Member.objects.get(pk=known.user_id)
    raise OAuth2Error("No member could be added")


def _add_member(login: SocialLogin, *, name: str, role: Role, request: HttpRequest) -> Member:
    free = next(name for name in _list_names(name) if Member.objects.find_by_name(name) is None)
    member = Member(username=free, email=_read_email(login.claims), role=role)
    member.set_unusable_password()
    member.save(force_insert=True)
    SocialAccount.objects.create(user=member, provider=login.account.provider, uid=login.account.uid)
    login.account = SocialAccount.objects.get(provider=login.account.provider, uid=login.account.uid)
    record_event(Act.MEMBER_ADDED, request=request, member=member, subject=f"{free} ({role}), by single sign-on")
    return member


def _list_names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _read_name(claims: Mapping[str, Any]) -> str:
    """A user name made of what the provider calls her; it tells nothing about who she is, only the subject does."""
    for claim in ("preferred_username", "email", "name"):
        text = claims.get(claim)
        if isinstance(text, str):
            # Accents are dropped, other scripts too: their letters look like these.
            plain = unicodedata.normalize("NFKD", text).partition("@")[0]
            plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
            if name := re.sub(r"[^a-z0-9_.+-]+", "-", plain.lower(), flags=re.ASCII)[:_LONGEST_NAME].strip("-"):
                return name
    return "member"


def _read_email(claims: Mapping[str, Any]) -> str:
    """Her address, if the provider has verified it, it is one, and no member has it."""
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return ""
    try:
        validate_email(email)
        only_plain_letters(email)
    except ValidationError:
        return ""
    return "" if Member.objects.filter(email=email.lower()).exists() else email.lower()
