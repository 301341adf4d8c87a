"""Formats dates and times in the active time zone, as plain text."""

from bisect import bisect
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, ngettext, pgettext

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONTH = 30 * DAY
YEAR = 365 * DAY
JUST_NOW_SECONDS = 5
_UNITS = (1, MINUTE, HOUR, DAY, MONTH, YEAR)


class TimeTexts(NamedTuple):
    """A time in ISO 8601, as `exact_text`, and how long ago it was: `just now`, `12 seconds ago`, `in 3 days`, in whole
    units, rounded down. The script uses the same rules.
    """

    iso: str
    exact: str
    relative: str


def local_time(moment: datetime) -> datetime:
    """Convert to the active time zone; unchanged if the result would be before year 1 or after 9999."""
    return _convert(moment, timezone.get_current_timezone())


def iso_text(moment: datetime) -> str:
    """ISO 8601 in UTC to the second: `2026-11-23T17:32:07Z`."""
    return _convert(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def offset_text(moment: datetime) -> str:
    """The UTC offset of the active time zone at that moment: `UTC`, `UTC−03:00`."""
    minutes = round((local_time(moment).utcoffset() or timedelta()) / timedelta(minutes=1))
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours:02}:{rest:02}"


def exact_text(moment: datetime) -> str:
    """`23 Nov 2026, 14:32:07 (UTC−03:00)`, in the date order of the active language."""
    return _fixed_texts(moment, timezone.get_current_timezone(), get_language())[1]


def day_text(day: date) -> str:
    """`23 Nov 2026`, in the date order of the active language."""
    # A format string for Django's `date` filter.
    return date_format(day, pgettext("day", "j M Y"))


def clock_text(moment: datetime) -> str:
    """The time only for today, otherwise with the date."""
    local = local_time(moment)
    if local.date() != timezone.localdate():
        return exact_text(moment)
    return f"{date_format(local, 'H:i:s')} ({offset_text(moment)})"


def minute_text(moment: datetime, day: date) -> str:
    """`14:32`, or `23 Nov 2026, 14:32` if that is not on `day`, in the active time zone."""
    local = local_time(moment)
    clock = date_format(local, "H:i")
    return clock if local.date() == day else f"{day_text(local.date())}, {clock}"


def describe_time(moment: datetime) -> TimeTexts:
    return make_time_formatter()(moment)


def make_time_formatter() -> Callable[[datetime], TimeTexts]:
    """`describe_time` for many times, with now and the active time zone and language looked up once."""
    return partial(_describe, timezone.now(), timezone.get_current_timezone(), get_language())


def _convert(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def _describe(now: datetime, zone: tzinfo, language: str | None, moment: datetime) -> TimeTexts:
    iso, exact = _fixed_texts(moment, zone, language)
    seconds = int((now - moment).total_seconds())
    size = abs(seconds)
    unit = _UNITS[bisect(_UNITS, size) - 1] if size >= JUST_NOW_SECONDS else JUST_NOW_SECONDS
    return TimeTexts(iso, exact, _relative_text(size - size % unit, seconds > 0, language))


@lru_cache(maxsize=4096)
def _fixed_texts(moment: datetime, _zone: tzinfo, _language: str | None) -> tuple[str, str]:
    """In ISO 8601 and as `exact_text`. A list shows the same times again and again."""
    # A format string for Django's `date` filter.
    order = pgettext("day and time", "j M Y, H:i:s")
    return iso_text(moment), f"{date_format(local_time(moment), order)} ({offset_text(moment)})"


@lru_cache(maxsize=1024)
def _relative_text(seconds: int, is_past: bool, _language: str | None) -> str:  # noqa: FBT001 -- a key of the cache
    if not seconds:
        return pgettext("time", "just now")
    span = span_text(seconds)
    return gettext("%(span)s ago") % {"span": span} if is_past else gettext("in %(span)s") % {"span": span}


def span_text(seconds: float) -> str:
    """`12 seconds`, `3 days`: in whole units, rounded down."""
    seconds = int(seconds)
    if seconds < MINUTE:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
    if seconds < HOUR:
        return ngettext("%(count)d minute", "%(count)d minutes", seconds // MINUTE) % {"count": seconds // MINUTE}
    if seconds < DAY:
        return ngettext("%(count)d hour", "%(count)d hours", seconds // HOUR) % {"count": seconds // HOUR}
    if seconds < MONTH:
        return ngettext("%(count)d day", "%(count)d days", seconds // DAY) % {"count": seconds // DAY}
    if seconds < YEAR:
        return ngettext("%(count)d month", "%(count)d months", seconds // MONTH) % {"count": seconds // MONTH}
    return ngettext("%(count)d year", "%(count)d years", seconds // YEAR) % {"count": seconds // YEAR}
