"""What went wrong between the portal and ByCloud, in plain words, and the HTTP status that says the same."""

from http import HTTPStatus
from math import ceil

import msgspec
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from portal.core.formatting import clock_text
from portal.gateway import FetchError, Meter

MINUTE = 60
BUSY_SECONDS = 2


class ErrorNotice(msgspec.Struct, frozen=True):
    """A trouble as it is shown. `kind` says which way out to offer: a new token, somebody to ask, or to try again.

    `countdown` is the title in three parts, where seconds that run down stand in it: before, the seconds, after.
    """

    kind: str
    title: str
    text: str
    trouble: FetchError
    status: int
    retry_seconds: int | None = None
    countdown: tuple[str, str, str] | None = None

    @property
    def is_pause(self) -> bool:
        """Nothing is wrong: the portal waits, as it should."""
        return self.kind in {"rate-limited", "budget-spent", "busy"}


def describe(trouble: FetchError, meter: Meter) -> ErrorNotice:
    """The words for a trouble. Its own message, request id and time stay beside them."""
    seconds = _seconds_left(trouble)
    title, text = _words(trouble, meter)
    is_counted = trouble.kind in {"rate-limited", "budget-spent"} and seconds is not None
    return ErrorNotice(
        kind=trouble.kind,
        title=title,
        text=text,
        trouble=trouble,
        status=_status(trouble),
        retry_seconds=BUSY_SECONDS if trouble.kind == "busy" else seconds,
        countdown=title.partition(str(seconds)) if is_counted else None,
    )


def _words(trouble: FetchError, meter: Meter) -> tuple[str, str]:
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
            _(
                "It may have expired, or have been revoked. Nothing more is asked of ByCloud with it until it is"
                " checked again and taken, or until you replace it; then you come back to this page."
            ),
        ),
        "forbidden": (
            _("Your ByCloud token may not list instances"),
            _("The token is good, but lacks the permission. Ask whoever keeps your organization's ByCloud roles."),
        ),
        "rate-limited": (
            _pause_title(trouble, meter),
            _("ByCloud answered that no more requests may be made for now. Other programs may share the limit."),
        ),
        "budget-spent": (
            _pause_title(trouble, meter),
            _(
                "What ByCloud allows is used up, or what is left is kept for those who press a button and for other"
                " people."
            ),
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
        "busy": (
            _("Too many pages wait for ByCloud right now"),
            _("ByCloud is slow to answer, and as many requests as may wait for it are waiting already."),
        ),
    }
    return known.get(trouble.kind, (_("ByCloud gave no usable answer"), trouble.message))


def _pause_title(trouble: FetchError, meter: Meter) -> str:
    seconds = _seconds_left(trouble)
    if seconds is None:
        return _("Paused to stay within ByCloud's limit of requests")
    if seconds > MINUTE:
        # Within a minute, the minute's window would have room again.
        numbers = {"seconds": seconds, "limit": number_format(meter.hour.limit, force_grouping=True)}
        return _("Paused for %(seconds)d s to stay within %(limit)s requests an hour") % numbers
    numbers = {"seconds": seconds, "limit": number_format(meter.minute.limit, force_grouping=True)}
    return _("Paused for %(seconds)d s to stay within %(limit)s requests a minute") % numbers


def _seconds_left(trouble: FetchError) -> int | None:
    if trouble.retry_at is None:
        return None
    seconds = ceil((trouble.retry_at - timezone.now()).total_seconds())
    return seconds if seconds > 0 else None


def _status(trouble: FetchError) -> int:
    """The status of an answer that has nothing to show but this trouble."""
    if trouble.kind in {"rejected", "forbidden"}:
        return HTTPStatus.FORBIDDEN
    if trouble.kind == "timed-out" or trouble.status == HTTPStatus.GATEWAY_TIMEOUT:
        return HTTPStatus.GATEWAY_TIMEOUT
    if trouble.kind in {"rate-limited", "budget-spent", "busy"} or trouble.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.BAD_GATEWAY
