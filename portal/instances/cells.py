"""The cells of the list's table as HTML. It is made here and not in a template because a page has up to 2,400 of them.

Every text from outside passes `escape` and stands in a `<bdi>`. Knows rows and columns, no requests.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.instances.columns import Column
from portal.instances.rows import FIRST_ADDRESSES, FIRST_TAGS, Link, Row, shorten
from portal.web.numbers import number_text
from portal.web.templatetags.portal import DASH, ago, copy, gigabytes, mebibytes, short_id

FIRST_TEXTS = 3


def render_rows(rows: Iterable[Row], columns: Sequence[Column]) -> SafeString:
    """The `<tr>`s of a table with these columns, the first of which heads its row."""
    makers = [(_begin(column), _OWN.get(column.name, _show_value), column) for column in columns[1:]]
    html: list[str] = []
    for row in rows:
        # The id is where an instance's page leads back to.
        html += ('<tr data-instance-id="', escape(row.id), f'" id="{escape(row.key)}"><th scope="row">')
        html += (_show_name(row), "</th>")
        for beginning, show, column in makers:
            html += (beginning, show(row, column) or DASH, "</td>")
        html.append("</tr>\n")
    return mark_safe("".join(html))


def _begin(column: Column) -> str:
    look = ' class="num"' if column.is_quantity else ""
    return f'<td{look} data-label="{escape(str(column.title))}">'


def _bdi(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"


def _show_name(row: Row) -> str:
    name = _bdi(row.name or _("no name"))
    first = f'<a href="{escape(row.url)}">{name}</a>' if row.url else name
    # What it copies stands in its row already.
    short = f"<code>{escape(short_id(row.id))}</code>{copy(row.id, row.label, stands_in_row=True)}"
    return f'{first}<span class="sub">{short}</span>'


def _show_state(row: Row, _column: Column) -> str:
    state = row.state
    html = f'<span class="status status-{state.tone}">{_bdi(state.word)}</span>'
    if state.detail:
        html += f'<span class="sub">{_bdi(state.detail)}</span>'
    if state.fault:
        html += f'<span class="sub fault">{_bdi(state.fault)}</span>'
    return html


def _show_addresses(row: Row, column: Column) -> str:
    addresses = [_show_code(address) for address in (*row.addresses, *row.more_addresses)]
    return _fold(row, column, addresses, first=FIRST_ADDRESSES, say=_say_more_addresses)


def _show_flavor(row: Row, _column: Column) -> str:
    sizes = f'<span class="sub">{escape(row.sizes)}</span>' if row.sizes else ""
    return f"{_show_link(row.flavor)}{sizes}" if row.flavor else sizes


def _show_image(row: Row, _column: Column) -> str:
    return _show_link(row.image) if row.image else ""


def _show_tags(row: Row, column: Column) -> str:
    tags = [_show_link(tag, look="tag") for tag in (*row.tags, *row.more_tags)]
    if not tags:
        return ""
    first, rest = (f'<span class="tags">{"".join(some)}</span>' for some in (tags[:FIRST_TAGS], tags[FIRST_TAGS:]))
    count = len(row.more_tags)
    return first + (_unfold(row, column, rest, _say_more_tags(count), count) if count else "")


def _show_link(link: Link, *, look: str = "") -> str:
    """A link to another view of the same list."""
    look = f' class="{look}"' if look else ""
    if not link.url:
        return f"<span{look}>{_bdi(link.text)}</span>"
    url = escape(link.url)
    return f'<a{look} href="{url}" hx-get="{url}">{_bdi(link.text)}</a>'


def _show_value(row: Row, column: Column) -> str:
    """A value of a kind that several columns share; nothing for one that is absent."""
    value: Any = column.read(row.instance)
    if value is None or value in ("", ()):
        return ""
    if column.kind in _LISTS:
        shown = [_LISTS[column.kind](text) for text in value]
        return _fold(row, column, shown, first=FIRST_TEXTS, say=_say_more)
    return _SINGLES[column.kind](value)


def _show_text(text: str) -> str:
    return f'<span class="row">{_bdi(shorten(text))}</span>'


def _show_code(text: str) -> str:
    short = shorten(text)
    return f'<span class="row"><code>{_bdi(short)}</code>{copy(text, short, stands_before=short == text)}</span>'


def _fold(row: Row, column: Column, shown: Sequence[str], *, first: int, say: Callable[[int], str]) -> str:
    """The first few, and the rest behind `+2`."""
    rest = shown[first:]
    return "".join(shown[:first]) + (_unfold(row, column, "".join(rest), say(len(rest)), len(rest)) if rest else "")


def _unfold(row: Row, column: Column, html: str, words: str, count: int) -> str:
    summary = f'<span aria-hidden="true">+{count}</span><span class="visually-hidden">{escape(words)}</span>'
    return f'<details id="{column.name}-{escape(row.key)}"><summary>{summary}</summary>{html}</details>'


def _say_more_addresses(count: int) -> str:
    return ngettext("%(count)d more IP address", "%(count)d more IP addresses", count) % {"count": count}


def _say_more_tags(count: int) -> str:
    return ngettext("%(count)d more tag", "%(count)d more tags", count) % {"count": count}


def _say_more(count: int) -> str:
    return ngettext("%(count)d more", "%(count)d more", count) % {"count": count}


def _show_moment(moment: datetime) -> str:
    return ago(moment)


_OWN: dict[str, Callable[[Row, Column], str]] = {
    "state": _show_state,
    "addresses": _show_addresses,
    "flavor": _show_flavor,
    "image": _show_image,
    "tags": _show_tags,
}
_LISTS: dict[str, Callable[[str], str]] = {"texts": _show_text, "codes": _show_code}
_SINGLES: dict[str, Callable[[Any], str]] = {
    "text": lambda text: _bdi(shorten(text)),
    "code": lambda text: f"<code>{_bdi(shorten(text))}</code>",
    "moment": _show_moment,
    "count": lambda number: escape(number_text(number)),
    "mebibytes": lambda size: escape(mebibytes(size)),
    "gigabytes": lambda size: escape(gigabytes(size)),
}
