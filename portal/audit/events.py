"""The one way to write an audit event: a row, and a log line that says the same. No secret is ever handed in here."""

import re
import unicodedata
from typing import TYPE_CHECKING

import structlog
from allauth.core.internal.ratelimit import get_ip
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest

from portal.audit.models import COMMAND_LINE, NAME_LENGTH, NOT_A_NAME, SUBJECT_LENGTH, USER_AGENT_LENGTH, Act, Event
from portal.core.formatting import iso_text
from portal.core.http import read_address

if TYPE_CHECKING:
    from portal.accounts.models import Member

log = structlog.get_logger(__name__)

# User names, and all e-mail addresses but rare ones.
_LIKE_A_NAME = re.compile(rf"[\w@.+-]{{0,{NAME_LENGTH}}}")


# What a person or an address can bring about as often as they like, without anything having changed.
REPEATED = frozenset(
    {Act.ACCESS_REFUSED, Act.SECOND_FACTOR_FAILED, Act.SINGLE_SIGN_ON_FAILED, Act.SINGLE_SIGN_ON_REFUSED}
)
# So many within the time are written down one by one, then each time that they have doubled.
WHOLE = 30
REPEATED_SECONDS = 600


def record_event(
    act: Act,
    *,
    request: HttpRequest | None = None,
    member: "Member | None" = None,
    name: str = "",
    subject: str = "",
) -> None:
    """Write one event.

    `member` is who acts, `name` her name as typed when a sign-in failed, kept if it may be one; with neither, and no
    request, it is done from the command line. `subject` is what it was done to, in plain text. Address, browser and
    request id are taken from `request`. Control characters are removed and every text is cut to its column. The log
    line is written when the row is there to stay. Of what is `REPEATED` too often, a few rows say how often, and
    the first that came from each page stands there.
    """
    if act in REPEATED and request is not None:
        key = f"audit:{act}:{member.pk if member else get_ip(request)}"
        count = _count(key)
        rounds, rest = divmod(count, WHOLE)
        # Nothing can be hidden behind many of another kind.
        view_name = request.resolver_match.view_name if request.resolver_match else ""
        is_first = cache.add(f"{key}:{view_name}", 1, REPEATED_SECONDS)
        if count > WHOLE and not is_first and (rest or rounds.bit_count() != 1):
            return
        subject = f"number {count} within 10 minutes: {subject}" if count > WHOLE else subject
    if member is not None:
        name = member.get_username()
    elif request is None and not name:
        name = COMMAND_LINE
    elif not _may_be_name(name):
        name = NOT_A_NAME
    event = Event(
        act=act,
        member=member,
        name=_tidy(name, NAME_LENGTH),
        subject=_tidy(subject, SUBJECT_LENGTH),
        address=read_address(request) if request else "",
        user_agent=_tidy(request.headers.get("User-Agent", ""), USER_AGENT_LENGTH) if request else "",
        request_id=structlog.contextvars.get_contextvars().get("request_id", "") if request else "",
    )
    event.save()
    transaction.on_commit(lambda: log.info("audit", **describe_event(event)), robust=True)


def describe_event(event: Event) -> dict[str, str | int | None]:
    """The event as log lines and exports spell it: texts and numbers, the time in UTC."""
    return {
        "id": event.pk,
        "at": iso_text(event.at),
        "act": event.act,
        "member_id": event.member_id,
        "name": event.name,
        "subject": event.subject,
        "address": event.address,
        "user_agent": event.user_agent,
        "request_id": event.request_id,
    }


def _count(key: str) -> int:
    """How often within the time, this time included."""
    if cache.add(key, 1, REPEATED_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:
        # It was over meanwhile.
        return 1


def _may_be_name(typed: str) -> bool:
    """Anything else may be a password in the wrong field."""
    return bool(_LIKE_A_NAME.fullmatch(typed)) or get_user_model().objects.find_by_login(typed) is not None


def _tidy(text: str, length: int) -> str:
    """Without control, format and other invisible characters, which could fake lines or turn the reading direction."""
    visible = "".join(" " if unicodedata.category(sign).startswith("C") else sign for sign in text)
    return " ".join(visible.split())[:length]
