"""The cells of CSV exports. What spreadsheets would interpret as a formula is escaped (OWASP: CSV Injection)."""

import re
from datetime import datetime

from portal.core.formatting import iso_text
from portal.core.invisible import BLANKS, CONTROLS, IGNORABLE

# Including full-width and small forms, which some spreadsheets interpret the same way.
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"
# Characters that may start a new cell if the file is opened with another separator (by locale or by choice).
_SEPARATORS = ",;|\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029\u060c\u061b"
# Characters that a spreadsheet skips before a formula, or reads as the opening quote of a cell.
_PASSED_OVER = f' "{CONTROLS}{BLANKS}{IGNORABLE}{_SEPARATORS}'
_SIGN = re.compile(f"[{_SIGNS}]")
_SEPARATOR = re.compile(f"[{_SEPARATORS}]")
# What needs no closer look: no separator, and a first character that begins no formula.
_is_harmless = re.compile(f"[0-9A-Za-z][^{_SEPARATORS}]*+").fullmatch
_FIRST_SIGNS = tuple("\t\r\n\0")
# The possessive quantifier (`*+`) matches each run once, which keeps the time linear.
_BEGINNING = re.compile(f"((?:\\A|[{_SEPARATORS}])[{_PASSED_OVER}]*+)([{_SIGNS}]?)")


def csv_cell(value: object) -> str:
    """A value as a cell: times in UTC, several texts separated by semicolons, and text that cannot become a formula."""
    if isinstance(value, str):
        return escape_formula(value)
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso_text(value)
    if isinstance(value, int):
        return str(value)
    return escape_formula("; ".join(value) if isinstance(value, tuple) else str(value))


def escape_formula(text: str) -> str:
    """Put a quote before each character that would start a formula, at the beginning or after a separator."""
    if _is_harmless(text):
        return text
    if _SIGN.search(text):
        text = _BEGINNING.sub(_quote, text)
    return f"'{text}" if text.lstrip(" ").startswith(_FIRST_SIGNS) else text


def _quote(found: re.Match[str]) -> str:
    passed_over, sign = found.groups()
    if not sign:
        return passed_over
    is_first = found.start() == 0 and not _SEPARATOR.search(passed_over)
    return f"'{passed_over}{sign}" if is_first else f"{passed_over}'{sign}"
