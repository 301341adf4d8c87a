"""The only way to record an audit event: writes a row and a log line. Callers must not pass secrets."""

import re
import unicodedata
from typing import TYPE_CHECKING

import structlog
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest

from portal.audit.models import COMMAND_LINE, NAME_LENGTH, NOT_A_NAME, SUBJECT_LENGTH, USER_AGENT_LENGTH, Action, Event
from portal.core.formatting import iso_text
from portal.core.http import read_address, read_network

if TYPE_CHECKING:
    from portal.accounts.models import Member

log = structlog.get_logger(__name__)

# Matches user names and nearly all e-mail addresses.
_LIKE_A_NAME = re.compile(rf"[\w@.+-]{{0,{NAME_LENGTH}}}")


# Events that a member or an IP address can cause any number of times without changing anything.
REPEATED = frozenset(
    {Action.ACCESS_REFUSED, Action.SECOND_FACTOR_FAILED, Action.SINGLE_SIGN_ON_FAILED, Action.SINGLE_SIGN_ON_REFUSED}
)
# The first ones within this time are recorded; after that, each time the count has doubled.
WHOLE = 30
REPEATED_SECONDS = 600


def record_event(
    act: Action,
    *,
    request: HttpRequest | None = None,
    member: "Member | None" = None,
    name: str = "",
    subject: str = "",
) -> None:
    """Record an event.

    `member` is the acting member. `name` is the name entered at a failed sign-in, stored only if it looks like one.
    Without either, and without a request, the event is from the command line. `subject` is what the action was done to,
    as plain text. IP address, browser and request id are taken from `request`. Control characters are removed, and
    texts are cut to the length of their columns. The log line is written after the commit. Of `REPEATED` actions, only
    some are recorded, with their count; the first from each page always is.
    """
    if act in REPEATED and request is not None:
        key = f"audit:{act}:{member.pk if member else read_network(request)}"
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
    """The event as a dictionary for log lines and exports: strings and numbers, times in UTC."""
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
    """Count this event; returns the number within the time."""
    if cache.add(key, 1, REPEATED_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:
        # The counter has expired in the meantime.
        return 1


def _may_be_name(typed: str) -> bool:
    """Anything else may be a password entered in the wrong field."""
    return bool(_LIKE_A_NAME.fullmatch(typed)) or get_user_model().objects.find_by_login(typed) is not None


def _tidy(text: str, length: int) -> str:
    """Remove control, format and other invisible characters, which could fake lines or change the text direction."""
    visible = "".join(" " if unicodedata.category(sign).startswith("C") else sign for sign in text)
    return " ".join(visible.split())[:length]
