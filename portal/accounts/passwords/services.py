"""New passwords: changed by their owner, or set through a link that works once. Knows nothing of pages.

The links are Django's: signed with the password and the last sign-in, so that either of them, or an hour, ends them.
They say besides who made them, which ends them with her right to.
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
from portal.accounts.models import Member
from portal.accounts.sessions.services import end_sessions
from portal.accounts.takeover import Takeover, may_be_taken_over
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.core.http import make_absolute

# In place of an admin: she asked for the link herself, and it goes to her own address.
_NO_MAKER = 0


class LinkGoneError(Exception):
    """Used, expired, or ended: by a sign-in, another new password, or with its maker's right to make it."""


def change_password(member: Member, password: str, *, request: HttpRequest) -> None:
    """Give the member who asks a new password. Her other sessions end, and this one goes on under a new id."""
    hashed = make_password(password)
    with transaction.atomic():
        _set_password(member, hashed, request=request)
        update_session_auth_hash(request, member)
        end_sessions(member, but=request.session.session_key)


def make_link(member: Member, *, by: Member, request: HttpRequest) -> str:
    """The address where a member chooses a new password, for an admin to pass on. The member is told of it."""
    record_event(Act.PASSWORD_LINK_MADE, request=request, member=by, subject=member.username)
    mails.tell(member, Act.PASSWORD_LINK_MADE, by=by)
    return _build_link(member, maker=by.pk)


def send_link(typed: str, *, request: HttpRequest) -> None:
    """Send the link to whoever the typed name or e-mail address belongs to, if there is an address to send it to.

    Time must not tell a member from nobody: the mail is written for either, and sent in a thread.
    """
    record_event(Act.PASSWORD_LINK_MADE, request=request, name=typed)
    member = Member.objects.find_by_login(typed) or Member(pk=0, username=typed, is_active=False)
    mail = mails.write(member, _build_link(member, maker=_NO_MAKER))
    # Asked first, as it asks the database.
    if may_sign_in_here(member) and member.is_active and member.email and member.has_usable_password():
        mails.send(mail)


def find_member(key: str, token: str, *, members: QuerySet[Member] | None = None) -> Member | None:
    """Whose link this is, while it works, whoever made it still may, and a password would open anything. She is taken
    from `members` if given.
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
    """What the form behind a link does. All sessions of hers end: somebody else may have had one. Credentials are
    paused, as the link may be in other hands than the member's: an admin has seen it, or has once typed the address in.

    Raises `LinkGoneError`. The row is locked, so of two who come with one link at once the second finds it used.
    """
    hashed = make_password(password)
    with transaction.atomic():
        member = find_member(key, token, members=Member.objects.select_for_update())
        if member is None:
            raise LinkGoneError
        _set_password(member, hashed, request=request)
        end_sessions(member)
        may_be_taken_over.send(Member, member=member, why=Takeover.PASSWORD, by=member, request=request)


def _set_password(member: Member, hashed: str, *, request: HttpRequest) -> None:
    """Hashed before the transaction: that may have to wait for its turn, and writers must not wait for it."""
    member.password = hashed
    member.save(update_fields=["password"])
    record_event(Act.PASSWORD_CHANGED, request=request, member=member, subject=member.username)


def _build_link(member: Member, *, maker: int) -> str:
    key = urlsafe_base64_encode(f"{member.pk}-{maker}".encode())
    path = reverse("accounts:new_password", args=[key, _tokens_of(maker).make_token(member)])
    return make_absolute(path)


def _tokens_of(maker: int) -> PasswordResetTokenGenerator:
    """Makes and checks tokens that hold only for links of that maker."""
    tokens = PasswordResetTokenGenerator()
    tokens.key_salt = f"{__name__} {maker}"
    return tokens
