"""What a view of the instance pages raises, and the messages for failed requests to ByCloud."""

from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core.formatting import clock_text
from portal.core.numbers import number_text
from portal.gateway import ApiSession, FetchError, Meter
from portal.instances.links import DetailQuery, ListView
from portal.instances.lookup import InstanceNotFoundError

MINUTE = 60
BUSY_SECONDS = 2


class InstancesError(Exception):
    """A view cannot show what was requested. `views.instances_view` turns each kind into a response."""


@dataclass(eq=False)
class NoCredentialError(InstancesError):
    """The member has no credential for the region (`problem` empty), or one that cannot be used."""

    problem: str = ""


@dataclass(eq=False)
class ListFailedError(InstancesError):
    """ByCloud cannot be asked for a page of the list, and none is cached."""

    session: ApiSession
    view: ListView
    error: FetchError


@dataclass(eq=False)
class DetailFailedError(InstancesError):
    """ByCloud cannot be asked for an instance, and it is not cached."""

    session: ApiSession
    instance_id: str
    hints: DetailQuery
    error: FetchError


@dataclass(eq=False)
class DetailMissingError(InstancesError):
    """The instance was not found, or not yet."""

    session: ApiSession
    instance_id: str
    hints: DetailQuery
    search: InstanceNotFoundError


class ErrorNotice(msgspec.Struct, frozen=True):
    """An error to be shown. `kind` decides which action is offered: replace the credential, contact someone, or retry.

    `countdown` is the title in three parts, if it contains a countdown: the text before, the seconds, the text after.
    """

    kind: str
    title: str
    text: str
    error: FetchError
    status: int
    retry_seconds: int | None = None
    countdown: tuple[str, str, str] | None = None

    @property
    def is_pause(self) -> bool:
        """Not a failure: the portal waits as intended."""
        return self.kind in {"rate-limited", "rate-limit-reached", "busy"}


def describe(error: FetchError, meter: Meter) -> ErrorNotice:
    """The message for an error. ByCloud's message, request id and the time are shown with it."""
    seconds = _seconds_left(error)
    title, text = _words(error, meter)
    is_counted = error.kind in {"rate-limited", "rate-limit-reached"} and seconds is not None
    return ErrorNotice(
        kind=error.kind,
        title=title,
        text=text,
        error=error,
        status=_status(error),
        retry_seconds=BUSY_SECONDS if error.kind == "busy" else seconds,
        countdown=title.partition(str(seconds)) if is_counted else None,
    )


def _words(error: FetchError, meter: Meter) -> tuple[str, str]:
    known = {
        "unreachable": (
            _("ByCloud can't be reached"),
            _("The connection failed or was closed before the response was complete."),
        ),
        "timed-out": (
            _("ByCloud did not answer in time"),
            _("The request timed out."),
        ),
        "invalid-request": (
            _("ByCloud rejected this request"),
            _("It responded %(status)s. It may not accept the filter or page requested.") % {"status": error.status},
        ),
        "rejected": (
            _("ByCloud rejected your token at %(time)s") % {"time": clock_text(error.at)},
            _(
                "It may have expired or been revoked. ByCloud isn't asked again until you check it again"
                " or replace it; then you return to this page."
            ),
        ),
        "forbidden": (
            _("Your ByCloud token isn't allowed to list instances"),
            _(
                "The token is valid but lacks the permission. Ask the person who manages your "
                "organization's ByCloud roles."
            ),
        ),
        "rate-limited": (
            _pause_title(error, meter),
            _("ByCloud's rate limit was reached. Other programs may share it."),
        ),
        "rate-limit-reached": (
            _pause_title(error, meter),
            _("The rate limit is used up, or the rest is reserved for other people's requests."),
        ),
        "server-fault": (
            _("ByCloud is unavailable (%(status)s)") % {"status": error.status},
            _("The problem is on ByCloud's side, not with your filters or token."),
        ),
        "invalid-response": (
            _("Unexpected response from ByCloud"),
            _("The response doesn't match ByCloud's documentation. First problem: %(path)s.")
            % {"path": error.path or "$"},
        ),
        "busy": (
            _("Too many requests are waiting for ByCloud"),
            _("ByCloud is slow to respond. Try again in a moment."),
        ),
    }
    return known.get(error.kind, (_("ByCloud request failed"), error.message))


def _pause_title(error: FetchError, meter: Meter) -> str:
    seconds = _seconds_left(error)
    if seconds is None:
        return _("Paused to stay within ByCloud's rate limit")
    if seconds > MINUTE:
        # If it were the minute's window, the wait would be less than a minute.
        numbers = {"seconds": seconds, "limit": number_text(meter.hour.limit)}
        return _("Paused for %(seconds)d s to stay within %(limit)s requests an hour") % numbers
    numbers = {"seconds": seconds, "limit": number_text(meter.minute.limit)}
    return _("Paused for %(seconds)d s to stay within %(limit)s requests a minute") % numbers


def _seconds_left(error: FetchError) -> int | None:
    if error.retry_at is None:
        return None
    seconds = ceil((error.retry_at - timezone.now()).total_seconds())
    return seconds if seconds > 0 else None


def _status(error: FetchError) -> int:
    """The HTTP status of a page that has only this error to show."""
    if error.kind in {"rejected", "forbidden"}:
        return HTTPStatus.FORBIDDEN
    if error.kind == "timed-out" or error.status == HTTPStatus.GATEWAY_TIMEOUT:
        return HTTPStatus.GATEWAY_TIMEOUT
    if error.kind in {"rate-limited", "rate-limit-reached", "busy"} or error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.BAD_GATEWAY
