"""Lists and ends the sessions of members, and checks their timeouts.

A session key is the id in the cookie; the database stores its digest.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language

from portal import __version__
from portal.accounts.models import LONGEST_USER_AGENT, Member, MemberSession, hash_token
from portal.accounts.sessions.store import ADDRESS, BEGAN_AT, SEEN_AT, USER_AGENT, SessionStore
from portal.core.http import read_address
from portal.core.user_agents import describe_user_agent

# Updating the time is a database write, so it happens at most once a minute.
NOTED_EVERY = timedelta(minutes=1)


class SessionEnd(StrEnum):
    """Why a session has expired."""

    IDLE = "idle"
    ABSOLUTE = "absolute"


@dataclass(frozen=True)
class SessionInfo:
    """A session as shown to members. `handle` is safe to show; `device` is its browser and system in words."""

    handle: str
    device: str
    address: str
    began_at: datetime | None
    seen_at: datetime | None
    is_this_one: bool


@receiver(user_logged_in, dispatch_uid="sessions")
def begin(*, request: HttpRequest, **_rest: Any) -> None:
    """Store when and from where the member signed in. Django has already changed the session id."""
    now = timezone.now().isoformat()
    request.session[BEGAN_AT] = request.session[SEEN_AT] = now
    request.session[ADDRESS] = read_address(request)
    request.session[USER_AGENT] = request.headers.get("User-Agent", "")[:LONGEST_USER_AGENT]


def find_member(session: SessionBase) -> Member | None:
    """Return the member who is signed in, if the password is still the one they signed in with.

    Like `django.contrib.auth.get_user`, but without a query for the member.
    """
    hashed = session.get(HASH_SESSION_KEY, "")
    assert isinstance(session, SessionStore)  # noqa: S101 -- for the type checker: SESSION_ENGINE
    member = session.member
    if member is None or not member.is_active:
        return None
    if not constant_time_compare(hashed, member.get_session_auth_hash()):
        session.flush()
        return None
    return member


def find_end(session: SessionBase) -> SessionEnd | None:
    """Return why a signed-in session has expired, or None."""
    now = timezone.now()
    if now - _read(session, BEGAN_AT) >= settings.SESSION_ABSOLUTE:
        return SessionEnd.ABSOLUTE
    return SessionEnd.IDLE if now - _read(session, SEEN_AT) >= settings.SESSION_IDLE else None


def record_activity(session: SessionBase) -> None:
    """Reset the idle timeout."""
    now = timezone.now()
    if now - _read(session, SEEN_AT) >= NOTED_EVERY:
        session[SEEN_AT] = now.isoformat()


def make_stamp(request: HttpRequest) -> str:
    """Identify the state a page was rendered for: session, member, role, language, time zone and version.

    Empty if no member is signed in. It gives no access.
    """
    if not isinstance(request.user, Member):
        return ""
    version = (__version__, getattr(staticfiles_storage, "manifest_hash", ""))
    reader = (request.session.session_key, request.user.pk, request.user.role)
    parts = (*version, *reader, get_language(), timezone.get_current_timezone_name())
    return salted_hmac("portal.accounts.sessions.services.stamp", repr(parts), algorithm="sha256").hexdigest()[:16]


def list_sessions(member: Member, *, this_key: str | None) -> list[SessionInfo]:
    """The member's active sessions, last seen first. `this_key` is the key of the current session."""
    return [
        SessionInfo(
            handle=_make_handle(row),
            device=describe_user_agent(row.user_agent),
            address=row.address,
            began_at=row.began_at,
            seen_at=row.seen_at,
            is_this_one=row.session_key == hash_token(this_key or ""),
        )
        for row in _find_lasting(member).order_by("-seen_at")
    ]


def end_session(member: Member, handle: str) -> bool:
    """End one session of the member. Returns False if there is none with this handle."""
    for row in _find_lasting(member):
        if constant_time_compare(_make_handle(row), handle):
            row.delete()
            return True
    return False


def end_sessions(member: Member, *, but: str | None = None) -> int:
    """End all sessions of the member except the one with the key `but`. Returns their number."""
    return MemberSession.objects.filter(member=member).exclude(session_key=hash_token(but or "")).delete()[0]


def is_signed_in(session: SessionBase) -> bool:
    return SESSION_KEY in session


def _find_lasting(member: Member) -> QuerySet[MemberSession]:
    now = timezone.now()
    return MemberSession.objects.filter(
        member=member, seen_at__gt=now - settings.SESSION_IDLE, began_at__gt=now - settings.SESSION_ABSOLUTE
    )


def _make_handle(row: MemberSession) -> str:
    return salted_hmac("portal.accounts.sessions.services", row.session_key, algorithm="sha256").hexdigest()[:32]


def _read(session: SessionBase, name: str) -> datetime:
    """Read a time from the session. Returns the epoch if it is missing, which makes the session expire."""
    return parse_datetime(session.get(name, "")) or datetime.fromtimestamp(0, timezone.get_default_timezone())
