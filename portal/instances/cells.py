"""Renders the cells of the list's table as HTML. Not in a template, because a page has up to 2,400 cells.

All external text goes through `show` or `escape` and into a `<bdi>`. Does not depend on requests.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.core.invisible import show
from portal.core.numbers import number_text, say_and_more
from portal.core.templatetags.portal import DASH, ago, copy, gigabytes, mebibytes, short_id, unreadable
from portal.instances.columns import Column
from portal.instances.rows import FIRST_ADDRESSES, FIRST_TAGS, LONGEST_TEXT, MOST_ENTRIES, Link, Row, shorten

FIRST_TEXTS = 3


def render_rows(rows: Iterable[Row], columns: Sequence[Column]) -> SafeString:
    """The `<tr>` elements of the rows. The first column is the row header."""
    makers = [(_begin(column), _OWN.get(column.name, _show_value), column) for column in columns[1:]]
    html: list[str] = []
    for row in rows:
        # The id is the anchor for the way back from the instance's page.
        html += ('<tr data-instance-id="', escape(row.id), f'" id="{escape(row.key)}"><th scope="row">')
        if row.is_unreadable:
            html += (_show_unreadable(row, len(makers)), "</tr>\n")
            continue
        html += (_show_name(row, columns[0]), "</th>")
        for beginning, show_cell, column in makers:
            html += (beginning, show_cell(row, column) + _mark(row, column) or DASH, "</td>")
        html.append("</tr>\n")
    return mark_safe("".join(html))


def _begin(column: Column) -> str:
    look = ' class="num"' if column.is_quantity else ""
    return f'<td{look} data-label="{escape(str(column.title))}">'


def _bdi(text: str) -> str:
    return f"<bdi>{show(text)}</bdi>"


def _show_unreadable(row: Row, columns: int) -> str:
    """The remaining cells of a record that is not an instance."""
    words = _("This record cannot be read")
    rest = f'<td colspan="{columns}">{_show_excerpt(row)}</td>' if columns else ""
    return f'<span class="unreadable">{escape(words)}</span></th>{rest}'


def _show_excerpt(row: Row) -> str:
    """The beginning of the record's JSON, collapsed. A row without a page has nothing else to show."""
    summary = escape(_("What ByCloud sent"))
    return (
        f'<details id="sent-{escape(row.key)}"><summary>{summary}</summary><code>{_bdi(row.excerpt)}</code></details>'
    )


def _mark(row: Row, column: Column) -> str:
    """A mark after a value that could be parsed only in part."""
    return unreadable(row.raw_url) if row.unreadable and column.is_unreadable(row.unreadable) else ""


def _show_name(row: Row, column: Column) -> str:
    mark = _mark(row, column)
    name = _bdi(row.name or (_("name unreadable") if "name" in row.unreadable else _("no name")))
    first = f'<a href="{escape(row.url)}">{name}</a>' if row.url else name
    # The row contains the copied text already.
    copied = copy(row.id, row.label, stands_in_row=True) if len(row.id) <= LONGEST_TEXT else ""
    short = f"<code>{escape(short_id(row.id))}</code>{copied}"
    excerpt = _show_excerpt(row) if row.excerpt else ""
    return f'{first}<span class="sub">{short}{mark}</span>{excerpt}'


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
    return _fold(row, column, addresses, first=FIRST_ADDRESSES, hidden=row.hidden_addresses, say=_say_more_addresses)


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
    count = len(row.more_tags) + row.hidden_tags
    rest += _say_hidden(row.hidden_tags)
    return first + (_unfold(row, column, rest, _say_more_tags(count), count) if count else "")


def _show_link(link: Link, *, look: str = "") -> str:
    """A link to another view of the same list."""
    look = f' class="{look}"' if look else ""
    if not link.url:
        return f"<span{look}>{_bdi(link.text)}</span>"
    url = escape(link.url)
    return f'<a{look} href="{url}" hx-get="{url}">{_bdi(link.text)}</a>'


def _show_value(row: Row, column: Column) -> str:
    """A value of a kind that several columns share; empty if absent."""
    value: Any = column.read(row.instance)
    if value is None or value in ("", ()):
        return ""
    if column.kind in _LISTS:
        shown = [_LISTS[column.kind](text) for text in value[:MOST_ENTRIES]]
        return _fold(row, column, shown, first=FIRST_TEXTS, hidden=len(value) - len(shown), say=_say_more)
    return _SINGLES[column.kind](value)


def _show_text(text: str) -> str:
    return f'<span class="row">{_bdi(shorten(text))}</span>'


def _show_code(text: str) -> str:
    short = shorten(text)
    return f'<span class="row"><code>{_bdi(short)}</code>{copy(text, short, stands_before=short == text)}</span>'


def _fold(row: Row, column: Column, shown: Sequence[str], *, first: int, hidden: int, say: Callable[[int], str]) -> str:
    """The first few values, and the rest behind `+2`. If there are too many, only the number of the others."""
    rest = shown[first:]
    count = len(rest) + hidden
    unfolded = _unfold(row, column, "".join(rest) + _say_hidden(hidden), say(count), count) if count else ""
    return "".join(shown[:first]) + unfolded


def _say_hidden(count: int) -> str:
    return f'<span class="sub">{escape(say_and_more(count))}</span>' if count else ""


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
