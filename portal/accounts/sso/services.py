"""Decides who may sign in with the OpenID provider, and with which role."""

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
from portal.accounts.models import Member, PauseReason, may_be_taken_over, only_plain_letters
from portal.accounts.sessions.services import end_sessions
from portal.accounts.sso.id_tokens import UntrustedTokenError
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.permissions import Role

# The first of these roles that one of the member's groups gives is theirs.
_HIGHEST_FIRST = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)
_LONGEST_NAME = 140
_TRIES = 5


class RefusedError(Exception):
    """The person has an account at the provider, but no access here.

    `reason` is shown to them, and `name` is what they are called there.
    """

    def __init__(self, reason: str, *, name: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.name = name


def allow_sign_in(login: SocialLogin, *, request: HttpRequest) -> None:
    """Sign in the member with the provider's subject, with the role of their groups. Raises `RefusedError`.

    `login` has the provider's `claims` and gets the member. An unknown subject becomes a new member; an e-mail address
    or user name is never matched with an existing member.
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
    """Return the groups in the claim OIDC_GROUPS_CLAIM: a claim with exactly this name, or else a path separated by
    dots.
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
    """The highest role that one of the groups gives, or None for no access."""
    given = {settings.OIDC_ROLE_GROUPS.get(group) for group in groups}
    return next((role for role in _HIGHEST_FIRST if role.value in given), None)


def find_linked() -> QuerySet[SocialAccount]:
    """The members' accounts at the configured provider; empty without a provider."""
    linked: QuerySet[SocialAccount] = SocialAccount.objects.filter(provider=settings.OIDC_ISSUER)
    return linked if settings.OIDC_ISSUER else linked.none()


def link(member: Member, subject: str) -> None:
    """Let `subject` at the provider sign in as this member. Called from the command line.

    Raises `IntegrityError` if the subject already belongs to a member. Removes the password, except an admin's, who
    needs it while the provider is down. Pauses the member's credentials, because the subject may be mistyped.
    """
    with transaction.atomic():
        SocialAccount.objects.create(user=member, provider=settings.OIDC_ISSUER, uid=subject)
        if member.role != Role.ADMIN:
            member.set_unusable_password()
            member.save(update_fields=["password"])
        record_event(Action.SINGLE_SIGN_ON_LINKED, subject=f"{member.username}: {subject}")
        may_be_taken_over.send(Member, member=member, why=PauseReason.SINGLE_SIGN_ON, by=None, request=None)
        transaction.on_commit(lambda: mails.notify(member, Action.SINGLE_SIGN_ON_LINKED, by=None))


def _record_refusal(request: HttpRequest, member: Member | None, name: str, why: str) -> None:
    record_event(Action.SINGLE_SIGN_ON_REFUSED, request=request, member=member, name=name, subject=why)


def _find_or_add_member(login: SocialLogin, *, name: str, role: Role, request: HttpRequest) -> Member:
    """Add a new member, or return the one that a concurrent request has just added."""
    for _number in range(_TRIES):
        try:
            with transaction.atomic():
                return _add_member(login, name=name, role=role, request=request)
        except IntegrityError:
            # Another request has taken the name, the e-mail address or the subject.
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
    record_event(Action.MEMBER_ADDED, request=request, member=member, subject=f"{free} ({role}), by single sign-on")
    return member


def _list_names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _read_name(claims: Mapping[str, Any]) -> str:
    """Create a user name from the claims. It does not identify the person; only the subject does."""
    for claim in ("preferred_username", "email", "name"):
        text = claims.get(claim)
        if isinstance(text, str):
            # Remove accents and characters of other scripts, which may look like these.
            plain = unicodedata.normalize("NFKD", text).partition("@")[0]
            plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
            if name := re.sub(r"[^a-z0-9_.+-]+", "-", plain.lower(), flags=re.ASCII)[:_LONGEST_NAME].strip("-"):
                return name
    return "member"


def _read_email(claims: Mapping[str, Any]) -> str:
    """The e-mail address if it is verified by the provider, valid, and not in use."""
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return ""
    try:
        validate_email(email)
        only_plain_letters(email)
    except ValidationError:
        return ""
    return "" if Member.objects.filter(email=email.lower()).exists() else email.lower()
