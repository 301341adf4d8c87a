"""Changes passwords, by the member or with a one-time reset link.

The links use Django's tokens: signed with the password hash and the last sign-in, so that a change of either, or an
hour, invalidates them. They also contain the admin who created them, and are invalid if that member is no longer an
admin.
"""

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from portal.accounts import mails
from portal.accounts.adapter import may_sign_in_here
from portal.accounts.models import Member, PauseReason, may_be_taken_over
from portal.accounts.sessions.services import end_sessions
from portal.audit.models import Action
from portal.audit.services import record_event
from portal.core.http import make_absolute

# In place of an admin's id: the member requested the link by e-mail.
_NO_MAKER = 0


class LinkGoneError(Exception):
    """The link was used, has expired, or was invalidated by a sign-in, a new password or the loss of its creator's
    role.
    """


def change_password(member: Member, password: str, *, request: HttpRequest) -> None:
    """Change the member's own password. Ends their other sessions and gives this one a new id."""
    hashed = make_password(password)
    with transaction.atomic():
        _set_password(member, hashed, request=request)
        update_session_auth_hash(request, member)
        end_sessions(member, but=request.session.session_key)


def make_link(member: Member, *, by: Member, request: HttpRequest) -> str:
    """Create a reset link for an admin to pass on. Notifies the member."""
    record_event(Action.PASSWORD_LINK_MADE, request=request, member=by, subject=member.username)
    mails.notify(member, Action.PASSWORD_LINK_MADE, by=by)
    return _build_link(member, maker=by.pk)


def send_link(typed: str, *, request: HttpRequest) -> None:
    """Send a reset link to the member with this user name or e-mail address, if they have an address.

    The response time must not reveal whether the member exists: the e-mail is rendered in any case and sent in a
    thread.
    """
    record_event(Action.PASSWORD_LINK_MADE, request=request, name=typed)
    member = Member.objects.find_by_login(typed) or Member(pk=0, username=typed, is_active=False)
    mail = mails.write(member, _build_link(member, maker=_NO_MAKER))
    # First, because it queries the database.
    if may_sign_in_here(member) and member.is_active and member.email and member.has_usable_password():
        mails.send(mail)


def find_member(key: str, token: str, *, members: QuerySet[Member] | None = None) -> Member | None:
    """Return the member of a valid link, or None.

    The link's creator must still be allowed to create it, and the member to sign in with a password. Searches in
    `members` if given.
    """
    try:
        pk, maker = (int(number) for number in urlsafe_base64_decode(key).split(b"-"))
        member = (Member.objects.all() if members is None else members).filter(pk=pk, is_active=True).first()
    except (ValueError, OverflowError):
        return None
    if member is None or not _tokens_of(maker).check_token(member, token) or not may_sign_in_here(member):
        return None
    if maker != _NO_MAKER and not Member.objects.active_admins().filter(pk=maker).exists():
        return None
    return member


def set_password(key: str, token: str, *, password: str, request: HttpRequest) -> None:
    """Set a new password with a link. Ends all sessions of the member and pauses their credentials.

    Someone else may have the link: an admin has seen it or once entered the e-mail address. Raises `LinkGoneError`. The
    row is locked, so that the link can only be used once, even by two requests at the same time.
    """
    hashed = make_password(password)
    with transaction.atomic():
        member = find_member(key, token, members=Member.objects.select_for_update(no_key=True))
        if member is None:
            raise LinkGoneError
        _set_password(member, hashed, request=request)
        end_sessions(member)
        may_be_taken_over.send(Member, member=member, why=PauseReason.PASSWORD, by=member, request=request)


def _set_password(member: Member, hashed: str, *, request: HttpRequest) -> None:
    """The password is hashed before the transaction, because hashing may wait and must not hold a lock."""
    member.password = hashed
    member.save(update_fields=["password"])
    record_event(Action.PASSWORD_CHANGED, request=request, member=member, subject=member.username)


def _build_link(member: Member, *, maker: int) -> str:
    key = urlsafe_base64_encode(f"{member.pk}-{maker}".encode())
    path = reverse("accounts:new_password", args=[key, _tokens_of(maker).make_token(member)])
    return make_absolute(path)


def _tokens_of(maker: int) -> PasswordResetTokenGenerator:
    """A token generator whose tokens are valid only for links of that creator."""
    tokens = PasswordResetTokenGenerator()
    tokens.key_salt = f"{__name__} {maker}"
    return tokens
