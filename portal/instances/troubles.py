"""What went wrong between the portal and ByCloud, in plain words, and the HTTP status that says the same."""

from http import HTTPStatus
from math import ceil

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.gateway import Trouble
from portal.web.times import clock_text


class Notice(msgspec.Struct, frozen=True):
    """A trouble as it is shown. `kind` says which way out to offer: a new token, somebody to ask, or to try again."""

    kind: str
    title: str
    text: str
    trouble: Trouble
    status: int
    retry_seconds: int | None = None


def describe(trouble: Trouble) -> Notice:
    """The words for a trouble. Its own message, request id and time stay beside them."""
    title, text = _words(trouble)
    return Notice(
        kind=trouble.kind,
        title=title,
        text=text,
        trouble=trouble,
        status=_status(trouble),
        retry_seconds=_seconds_left(trouble),
    )


def _words(trouble: Trouble) -> tuple[str, str]:
    known = {
        "unreachable": (
            _("ByCloud cannot be reached"),
            _("No connection could be made, or it broke off before the answer was complete."),
        ),
        "timed-out": (
            _("ByCloud did not answer in time"),
            _("The portal waited as long as it may for the whole answer, and then gave up."),
        ),
        "invalid-request": (
            _("ByCloud did not take this request"),
            _("It answered %(status)s. The filter or the page asked for may be one that it does not accept.")
            % {"status": trouble.status},
        ),
        "rejected": (
            _("Your ByCloud token was refused at %(time)s") % {"time": clock_text(trouble.at)},
            _("It may have expired, or have been revoked. Replace it, and you come back to this page."),
        ),
        "forbidden": (
            _("Your ByCloud token may not list instances"),
            _("The token is good, but lacks the permission. Ask whoever keeps your organization's ByCloud roles."),
        ),
        "server-fault": (
            _("ByCloud answers %(status)s") % {"status": trouble.status},
            _("The fault is on ByCloud's side. Nothing is wrong with your filter or your token."),
        ),
        "bad-payload": (
            _("ByCloud's answer cannot be read"),
            _("What came is not what ByCloud's documentation describes. The first thing wrong is at %(path)s.")
            % {"path": trouble.path or "$"},
        ),
    }
    if trouble.kind == "rate-limited":
        return _rate_limit_words(trouble)
    return known.get(trouble.kind, (_("ByCloud gave no usable answer"), trouble.message))


def _rate_limit_words(trouble: Trouble) -> tuple[str, str]:
    seconds = _seconds_left(trouble)
    text = _("ByCloud takes a limited number of requests a minute from your organization, and they are used up.")
    if seconds is None:
        return _("Paused to stay within ByCloud's rate limit"), text
    title = ngettext(
        "Paused for %(seconds)d second to stay within ByCloud's rate limit",
        "Paused for %(seconds)d seconds to stay within ByCloud's rate limit",
        seconds,
    )
    return title % {"seconds": seconds}, text


def _seconds_left(trouble: Trouble) -> int | None:
    if trouble.retry_at is None:
        return None
    seconds = ceil((trouble.retry_at - timezone.now()).total_seconds())
    return seconds if seconds > 0 else None


def _status(trouble: Trouble) -> int:
    """The status of an answer that has nothing to show but this trouble."""
    if trouble.kind in {"rejected", "forbidden"}:
        return HTTPStatus.FORBIDDEN
    if trouble.kind == "timed-out" or trouble.status == HTTPStatus.GATEWAY_TIMEOUT:
        return HTTPStatus.GATEWAY_TIMEOUT
    if trouble.kind == "rate-limited" or trouble.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.BAD_GATEWAY
