"""What templates format values with: times, sizes, shortened and external text."""

from datetime import date, datetime

from django.utils import timezone
from django.utils.translation import gettext, ngettext

from portal.core import formatting
from portal.core.invisible import is_plain, show, show_plain
from portal.core.numbers import number_text, say_and_more
from portal.core.user_agents import describe_user_agent

DASH = "–"
MEBIBYTES_IN_GIBIBYTE = 1024
LARGEST_EXACT = 2**53  # Integers from ByCloud have no limit; floats do.
LONGEST_TEXT = 1000
LONGEST_LABEL = 200
LONGEST_IN_TABLE = 120


def day(value: date | None) -> str:
    """A date: `23 Nov 2026`."""
    return formatting.day_text(value) if value else DASH


def is_older(moment: datetime, seconds: int) -> bool:
    """Whether a time is more than `seconds` ago. A time in the future has no known age and counts as older."""
    age = (timezone.now() - moment).total_seconds()
    return age > seconds or age < -formatting.JUST_NOW_SECONDS


def mebibytes(value: int | None) -> str:
    """A size in MiB: `512 MiB`, `4 GiB`, `1.5 GiB`, with the number format of the active language."""
    if value is None:
        return DASH
    if abs(value) < MEBIBYTES_IN_GIBIBYTE:
        return f"{number_text(value)} MiB"
    if abs(value) >= LARGEST_EXACT:
        return f"{number_text(value // MEBIBYTES_IN_GIBIBYTE)} GiB"
    return f"{number_text(f'{value / MEBIBYTES_IN_GIBIBYTE:.1f}'.removesuffix('.0'))} GiB"


def gigabytes(value: int | None) -> str:
    """A size in GB: `40 GB`."""
    return DASH if value is None else f"{number_text(value)} GB"


def brief(value: object) -> object:
    """The beginning of a text that is too long for a page, with the number of remaining characters; other values
    unchanged.
    """
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT:
        return value
    return f"{value[:LONGEST_TEXT]}… ({and_more_characters(len(value) - LONGEST_TEXT)})"


def shorten(text: str) -> str:
    """A text cut to fit in a table. The instance's page has all of it."""
    return text if len(text) <= LONGEST_IN_TABLE else text[:LONGEST_IN_TABLE].rstrip() + "…"


def and_more_characters(count: int) -> str:
    """`and 999,000 more characters`, at the end of a shortened text."""
    words = ngettext("and %(count)s more character", "and %(count)s more characters", count)
    return words % {"count": number_text(count)}


def and_more(count: int) -> str:
    """`and 999,000 more`; empty for zero."""
    return say_and_more(count) if count else ""


def dash(value: object) -> object:
    """The value, or a dash if it is None or empty. Zero is a value."""
    return DASH if value is None or value == "" else value


def visible(value: object) -> str:
    """External text with each invisible character marked and named; nothing for None."""
    text = "" if value is None else str(value)
    return text if is_plain(text) else show(text)


def visible_plain(value: object) -> str:
    """Like `visible`, as plain text for titles and labels."""
    return show_plain(str(value)) if value is not None else ""


def copy_label(value: str) -> str:
    """The label of a button that copies this: `Copy the ID of web-01`."""
    text = str(value)
    what = text if len(text) <= LONGEST_LABEL else text[:LONGEST_LABEL].rstrip() + "…"
    return gettext("Copy %(what)s") % {"what": show_plain(what)}


FILTERS = {
    "and_more": and_more,
    "and_more_characters": and_more_characters,
    "brief": brief,
    "clock": formatting.clock_text,
    "copy_label": copy_label,
    "dash": dash,
    "day": day,
    "exact": formatting.exact_text,
    "is_older": is_older,
    "iso": formatting.iso_text,
    "number": number_text,
    "times": formatting.describe_time,
    "user_agent": describe_user_agent,
    "visible": visible,
    "visible_plain": visible_plain,
}
