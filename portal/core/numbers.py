"""Formats numbers in the active language, as plain text."""

from functools import lru_cache

from django.utils.formats import number_format
from django.utils.translation import get_language, ngettext


def number_text(number: int | str) -> str:
    """`1,024` or `1.024`, and `1.5` or `1,5`. A string must use a decimal point."""
    return _number_text(number, get_language())


@lru_cache(maxsize=1024)
def _number_text(number: int | str, _language: str | None) -> str:
    return str(number_format(number, force_grouping=True))


def say_and_more(count: int) -> str:
    """`and 999,000 more`, at the end of a shortened list."""
    return ngettext("and %(count)s more", "and %(count)s more", count) % {"count": number_text(count)}
