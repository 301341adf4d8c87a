"""Cells of files that spreadsheets open: what they would take for a formula is made text (OWASP: CSV Injection)."""

import re

from portal.core.invisible import BLANKS, CONTROLS, IGNORABLE

# With their wide and small forms, which some spreadsheets read likewise.
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"
# Where another cell begins when the file is opened in a country, or with a choice, that separates otherwise.
_SEPARATORS = ",;|\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029\u060c\u061b"
# What a spreadsheet passes over before it looks for a formula, or takes for the quote that a cell begins with.
_PASSED_OVER = f' "{CONTROLS}{BLANKS}{IGNORABLE}{_SEPARATORS}'
_SIGN = re.compile(f"[{_SIGNS}]")
_SEPARATOR = re.compile(f"[{_SEPARATORS}]")
_FIRST_SIGNS = tuple("\t\r\n\0")
# Each run of blanks and separators once (`*+` gives nothing back), so that it takes no longer than the text is long.
_BEGINNING = re.compile(f"((?:\\A|[{_SEPARATORS}])[{_PASSED_OVER}]*+)([{_SIGNS}]?)")


def escape_formula(text: str) -> str:
    """The text with a quote before each sign that would make a formula of it, or of what follows a separator in it."""
    if _SIGN.search(text):
        text = _BEGINNING.sub(_quote, text)
    return f"'{text}" if text.lstrip(" ").startswith(_FIRST_SIGNS) else text


def _quote(found: re.Match[str]) -> str:
    passed_over, sign = found.groups()
    if not sign:
        return passed_over
    is_first = found.start() == 0 and not _SEPARATOR.search(passed_over)
    return f"'{passed_over}{sign}" if is_first else f"{passed_over}'{sign}"
