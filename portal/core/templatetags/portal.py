"""The tags and filters of every template: components, times, sizes, icons, states, copy buttons.

What they take is shown as it is, never looked up.
"""

from datetime import date, datetime
from functools import lru_cache

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext
from lucide import _render_icon  # The template tag parses its icon anew each time; a table of them would show.

from portal.core import formatting
from portal.core.components import render_component
from portal.core.fragment_cache import render_cached
from portal.core.invisible import show, show_plain
from portal.core.numbers import number_text, say_and_more

register = template.Library()

DASH = "–"
MEBIBYTES_IN_GIBIBYTE = 1024
LARGEST_EXACT = 2**53  # Integers from upstream have no bound; floats do.
LONGEST_TEXT = 1000
LONGEST_LABEL = 200
LONGEST_COPIED = 2000


@register.simple_tag(takes_context=True)
def component(context: Context, part: str, **given: object) -> SafeString:
    """A part of `templates/components` that holds nothing: `{% component "button" label=_("Save") %}`."""
    return render_component(context, part, given)


@register.simple_block_tag(takes_context=True)
def wrap(context: Context, content: SafeString, part: str, **given: object) -> SafeString:
    """A part of `templates/components` around the lines up to `{% endwrap %}`: `{% wrap "panel" title=_("Keys") %}`."""
    return render_component(context, part, {"content": content, **given})


@register.simple_tag(takes_context=True)
def kept(context: Context, template_name: str, **given: object) -> SafeString:
    """A template that sees what it is given and nothing else of the page, and is rendered once for the same values."""
    return render_cached(context, template_name, given)


@register.simple_block_tag
def slot(content: SafeString) -> SafeString:
    """Markup for a component that takes more than one piece: `{% slot as actions %} … {% endslot %}`."""
    return content


@register.simple_tag
def status(tone: str, word: object, icon_name: str = "") -> str:
    """A state as shape, word and colour. The style sheet draws the shape of each tone, unless an icon stands there."""
    drawn = _icon(icon_name, 14) if icon_name else ""
    return format_html('<span class="status status-{}">{}<bdi>{}</bdi></span>', tone, drawn, show(str(word)))


@register.simple_tag
def tag(text: object, url: str = "", *, swaps: bool = False) -> str:
    """A tag of an instance; with `url`, a link, which htmx follows when it `swaps` a region of the page."""
    if not url:
        return format_html('<span class="tag"><bdi>{}</bdi></span>', show(str(text)))
    asked = format_html(' hx-get="{}"', url) if swaps else ""
    return format_html('<a class="tag" href="{}"{}><bdi>{}</bdi></a>', url, asked, show(str(text)))


@register.simple_tag
def ago(moment: datetime | None) -> str:
    """A moment in words (`3 days ago`), kept true by portal.js. The exact time shows on hover and on focus."""
    if moment is None:
        return DASH
    return format_html(
        '<time class="ago" datetime="{}" title="{}" tabindex="0" data-ago>{}</time>',
        formatting.iso_text(moment),
        formatting.exact_text(moment),
        formatting.relative_text(moment),
    )


@register.simple_tag
def exact(moment: datetime | None) -> str:
    """A moment to the second, with its offset: `23 Nov 2026, 14:32:07 (UTC−03:00)`."""
    return _time(moment, formatting.exact_text(moment)) if moment else DASH


@register.simple_tag
def clock(moment: datetime | None) -> str:
    """As `exact`, but the date is left out for a moment of today."""
    return _time(moment, formatting.clock_text(moment)) if moment else DASH


@register.filter
def day(value: date | None) -> str:
    """A day: `23 Nov 2026`."""
    return formatting.day_text(value) if value else DASH


def _time(moment: datetime, text: str) -> str:
    return format_html('<time datetime="{}">{}</time>', formatting.iso_text(moment), text)


@register.simple_tag
def copy(
    value: object, label: str, *, stands_before: bool = False, stands_in_row: bool = False, is_long: bool = False
) -> str:
    """A button that copies `value`; `label` names it for screen readers: `the ID of web-01`. With `stands_before` it
    copies the text of the element before it, which must be `value`; with `stands_in_row`, its row's `data-instance-id`.

    A list has forty of them, so each is short: the script makes the name a tooltip while it is pointed at. There is
    none for a text that is too long to stand in a page twice, unless it is known how long it may get (`is_long`).
    """
    if not value or (len(str(value)) > LONGEST_COPIED and not is_long):
        return ""
    what = label if len(label) <= LONGEST_LABEL else label[:LONGEST_LABEL].rstrip() + "…"
    words = gettext("Copy %(what)s") % {"what": show_plain(str(what))}
    given = "" if stands_before or stands_in_row else value
    where = mark_safe(" data-of-row") if stands_in_row else ""
    return format_html(
        '<button type="button" class="copy" data-copy="{}"{} aria-label="{}"></button>', given, where, words
    )


@register.simple_tag
def unreadable(url: str = "") -> str:
    """In the place of a value that cannot be read, or not all of it; `url` is that of what was sent."""
    words = gettext("unreadable")
    if not url:
        return format_html('<span class="unreadable">{}</span>', words)
    return format_html('<a class="unreadable" href="{}">{}</a>', url, words)


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """A lucide icon that only decorates: hidden from screen readers. Nothing for no name."""
    return _icon(str(name), size) if name else mark_safe("")


@lru_cache(maxsize=128)
def _icon(name: str, size: int) -> SafeString:
    return mark_safe(_render_icon(name, size, **{"class": "icon", "aria-hidden": "true"}))


@register.filter
def is_older(moment: datetime, seconds: int) -> bool:
    """Whether a moment lies more than so many seconds back. One that lies ahead has no known age: it does."""
    age = (timezone.now() - moment).total_seconds()
    return age > seconds or age < -formatting.JUST_NOW_SECONDS


@register.filter
def mebibytes(value: int | None) -> str:
    """A size given in MiB: `512 MiB`, `4 GiB`, `1.5 GiB`, its number as the active language writes it."""
    if value is None:
        return DASH
    if abs(value) < MEBIBYTES_IN_GIBIBYTE:
        return f"{number_text(value)} MiB"
    if abs(value) >= LARGEST_EXACT:
        return f"{number_text(value // MEBIBYTES_IN_GIBIBYTE)} GiB"
    return f"{number_text(f'{value / MEBIBYTES_IN_GIBIBYTE:.1f}'.removesuffix('.0'))} GiB"


@register.filter
def gigabytes(value: int | None) -> str:
    """A size given in GB: `40 GB`."""
    return DASH if value is None else f"{number_text(value)} GB"


@register.filter
def brief(value: object) -> object:
    """The beginning of a text that is too long for a page, and how much more there is; anything else as it is."""
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT:
        return value
    return f"{value[:LONGEST_TEXT]}… ({and_more_characters(len(value) - LONGEST_TEXT)})"


@register.filter
def and_more_characters(count: int) -> str:
    """`and 999,000 more characters`, after the beginning of a text."""
    words = ngettext("and %(count)s more character", "and %(count)s more characters", count)
    return words % {"count": number_text(count)}


@register.filter
def and_more(count: int) -> str:
    """`and 999,000 more`; nothing for none."""
    return say_and_more(count) if count else ""


@register.filter
def dash(value: object) -> object:
    """The value, or a dash where there is none. Zero is a value."""
    return DASH if value is None or value == "" else value


@register.filter
def visible(value: object) -> SafeString:
    """A text from outside as HTML, with each character in it that one could not see marked and named."""
    return show(str(value)) if value is not None else mark_safe("")


@register.filter
def visible_plain(value: object) -> str:
    """The same where no markup can stand: in titles and labels."""
    return show_plain(str(value)) if value is not None else ""


@register.filter
def short_id(value: str | None) -> str:
    """The first eight characters of an id, enough to tell rows apart."""
    return (value or DASH)[:8]
