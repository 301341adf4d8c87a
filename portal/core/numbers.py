"""Formats numbers in the active language, as plain text."""

from django.utils.formats import number_format
from django.utils.translation import ngettext

LEAST_GROUPED = 1000


def number_text(number: int | str) -> str:
    """`1,024` or `1.024`, and `1.5` or `1,5`. A string must use a decimal point."""
    if isinstance(number, int) and abs(number) < LEAST_GROUPED:
        # The same in all languages of the portal.
        return str(number)
    return str(number_format(number, force_grouping=True))


def say_and_more(count: int) -> str:
    """`and 999,000 more`, at the end of a shortened list."""
    return ngettext("and %(count)s more", "and %(count)s more", count) % {"count": number_text(count)}
