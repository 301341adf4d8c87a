"""Finds invisible characters and unusual spaces in text and makes them visible.

The characters stay in the text, so that copying it from a page gives what ByCloud has.
"""

import re
import unicodedata
from collections.abc import Iterator
from html import escape

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

# Unicode's default-ignorable characters (soft hyphen, joiners, direction marks, tags) and fillers, as ranges for a
# regular expression's character class.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Whitespace other than the space.
BLANKS = "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
CONTROLS = "\x00-\x1f\x7f-\x9f"

MOST_MARKS = 50
MOST_NAMED = 5
_FEW = 5
_SPACE = "␣"
_RUN = re.compile(f"([{IGNORABLE}{BLANKS}{CONTROLS} ])\\1*")
# ASCII words with single spaces between them have nothing to mark, which nearly all texts of a page are.
is_plain = re.compile("[!-~]+(?: [!-~]+)*").fullmatch
_BLANK = re.compile(f"[{BLANKS}{CONTROLS} ]")
_JOINERS = frozenset("\u200c\u200d")
_LAST_WITHOUT_JOINING = "\u02ff"
_KEYCAP = "\u20e3"


def show(text: str) -> SafeString:
    """Return the text as HTML with each invisible character marked and named. The character itself is kept.

    At most `MOST_MARKS` characters are marked.
    """
    if is_plain(text):
        return mark_safe(escape(text))
    html: list[str] = []
    done = 0
    for found in _find(text):
        run = found[0]
        words = escape(_name(run))
        mark = (
            f'<span class="invisible-char" role="img" aria-label="{words}" title="{words}" data-symbol="{_label(run)}">'
        )
        html += (escape(text[done : found.start()]), mark, escape(run), "</span>")
        done = found.end()
    return mark_safe("".join((*html, escape(text[done:]))))


def show_plain(text: str) -> str:
    """Like `show`, as plain text: `web[U+200B]-01`."""
    if is_plain(text):
        return text
    pieces: list[str] = []
    done = 0
    for found in _find(text):
        label = _label(found[0])
        pieces += (text[done : found.start()], label if label.startswith(_SPACE) else f"[{label}]")
        done = found.end()
    return "".join((*pieces, text[done:]))


def clean(text: str) -> str:
    """Return the text as it looks: without invisible characters, and with a space for each unusual whitespace."""
    return _RUN.sub(lambda found: _seem(found[0]) if _is_hidden(found) else found[0], text).strip()


def name_hidden(text: str) -> tuple[str, ...]:
    """The names of the characters that `clean` changes, without duplicates: `zero width space (U+200B)`. At most
    `MOST_NAMED`.
    """
    runs = (found[0][0] for found in _RUN.finditer(text) if found[0][0] != " " and _is_hidden(found))
    return tuple(_name(sign) for sign in list(dict.fromkeys(runs))[:MOST_NAMED])


def _find(text: str) -> Iterator[re.Match[str]]:
    marks = 0
    for found in _RUN.finditer(text):
        if _is_hidden(found):
            yield found
            marks += 1
            if marks == MOST_MARKS:
                return


def _is_hidden(found: re.Match[str]) -> bool:
    """Whether a reader could not see that this run is there.

    Single spaces and line breaks between words are visible, and so are joiners in scripts and emoji that use them.
    """
    text, (start, end), sign = found.string, found.span(), found[1]
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if not before or not after:
        return sign not in "\ufe0e\ufe0f" or not before or before.isascii()
    if sign == " ":
        return end - start > 1
    if sign == "\n" or (sign == "\r" and after == "\n"):
        return False
    if sign in _JOINERS:
        return min(before, after) <= _LAST_WITHOUT_JOINING
    if "\ufe00" <= sign <= "\ufe0f":
        return before.isascii() and after != _KEYCAP
    return True


def _seem(run: str) -> str:
    return " " * len(run) if _BLANK.match(run) else ""


def _code(sign: str) -> str:
    return f"U+{ord(sign):04X}"


def _label(run: str) -> str:
    label, count = (_SPACE if run[0] == " " else _code(run[0])), len(run)
    if count == 1:
        return label
    return label * count if run[0] == " " and count <= _FEW else f"{label}×{count}"


def _name(run: str) -> str:
    """The English Unicode name, such as `zero width space (U+200B)`; for a run, with its length."""
    sign, count = run[0], len(run)
    if sign == " ":
        return ngettext("%(count)d space", "%(count)d spaces", count) % {"count": count}
    name = unicodedata.name(sign, "").lower() or _("control character")
    return f"{name} ({_label(run)})"
