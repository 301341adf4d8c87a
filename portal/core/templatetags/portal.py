"""Tags and filters available in every template: components, times, sizes, icons, states, copy buttons.

They only format their arguments and look nothing up.
"""

from datetime import date, datetime
from functools import lru_cache

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext
from lucide import _render_icon  # The template tag does not cache icons, which is slow in a table.

from portal.core import formatting
from portal.core.components import render_component
from portal.core.fragment_cache import render_cached
from portal.core.invisible import show, show_plain
from portal.core.numbers import number_text, say_and_more

register = template.Library()

DASH = "–"
MEBIBYTES_IN_GIBIBYTE = 1024
LARGEST_EXACT = 2**53  # Integers from ByCloud have no limit; floats do.
LONGEST_TEXT = 1000
LONGEST_LABEL = 200
LONGEST_COPIED = 2000


@register.simple_tag(takes_context=True)
def component(context: Context, part: str, **given: object) -> SafeString:
    """A component from `templates/components` without content: `{% component "button" label=_("Save") %}`."""
    return render_component(context, part, given)


@register.simple_block_tag(takes_context=True)
def wrap(context: Context, content: SafeString, part: str, **given: object) -> SafeString:
    """A component from `templates/components` around the lines up to `{% endwrap %}`: `{% wrap "panel" title=_("Keys")
    %}`.
    """
    return render_component(context, part, {"content": content, **given})


@register.simple_tag(takes_context=True)
def kept(context: Context, template_name: str, **given: object) -> SafeString:
    """Render a template that sees only its arguments, cached by their values."""
    return render_cached(context, template_name, given)


@register.simple_block_tag
def slot(content: SafeString) -> SafeString:
    """Markup for a component with more than one slot: `{% slot as actions %} … {% endslot %}`."""
    return content


@register.simple_tag
def status(tone: str, word: object, icon_name: str = "") -> str:
    """A state as icon, text and color. Without an icon, the style sheet draws a shape for the tone."""
    drawn = _icon(icon_name, 14) if icon_name else ""
    return format_html('<span class="status status-{}">{}<bdi>{}</bdi></span>', tone, drawn, show(str(word)))


@register.simple_tag
def tag(text: object, url: str = "", *, swaps: bool = False) -> str:
    """A tag of an instance. With `url` it is a link; with `swaps`, htmx follows it and swaps a part of the page."""
    if not url:
        return format_html('<span class="tag"><bdi>{}</bdi></span>', show(str(text)))
    asked = format_html(' hx-get="{}"', url) if swaps else ""
    return format_html('<a class="tag" href="{}"{}><bdi>{}</bdi></a>', url, asked, show(str(text)))


@register.simple_tag
def ago(moment: datetime | None) -> str:
    """A relative time (`3 days ago`), updated by the script. The exact time shows on hover and focus."""
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
    """The exact time with its UTC offset: `23 Nov 2026, 14:32:07 (UTC−03:00)`."""
    return _time(moment, formatting.exact_text(moment)) if moment else DASH


@register.simple_tag
def clock(moment: datetime | None) -> str:
    """Like `exact`, without the date if it is today."""
    return _time(moment, formatting.clock_text(moment)) if moment else DASH


@register.filter
def day(value: date | None) -> str:
    """A date: `23 Nov 2026`."""
    return formatting.day_text(value) if value else DASH


def _time(moment: datetime, text: str) -> str:
    return format_html('<time datetime="{}">{}</time>', formatting.iso_text(moment), text)


@register.simple_tag
def copy(
    value: object, label: str, *, stands_before: bool = False, stands_in_row: bool = False, is_long: bool = False
) -> str:
    """A button that copies `value`; `label` names it for screen readers: `the ID of web-01`.

    With `stands_before` it copies the text of the previous element, which must be `value`; with `stands_in_row`, the
    `data-instance-id` of its row. A list has forty of these buttons, so the markup is short and the script adds the
    tooltip on hover. Texts that are too long to repeat in the page get no button, unless their length is known to be
    limited (`is_long`).
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
    """Placeholder for a value that can't be parsed, fully or in part; `url` links to the raw response."""
    words = gettext("unreadable")
    if not url:
        return format_html('<span class="unreadable">{}</span>', words)
    return format_html('<a class="unreadable" href="{}">{}</a>', url, words)


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """A decorative lucide icon, hidden from screen readers. Renders nothing without a name."""
    return _icon(str(name), size) if name else mark_safe("")


@lru_cache(maxsize=128)
def _icon(name: str, size: int) -> SafeString:
    return mark_safe(_render_icon(name, size, **{"class": "icon", "aria-hidden": "true"}))


@register.filter
def is_older(moment: datetime, seconds: int) -> bool:
    """Whether a time is more than `seconds` ago. A time in the future has no known age and counts as older."""
    age = (timezone.now() - moment).total_seconds()
    return age > seconds or age < -formatting.JUST_NOW_SECONDS


@register.filter
def mebibytes(value: int | None) -> str:
    """A size in MiB: `512 MiB`, `4 GiB`, `1.5 GiB`, with the number format of the active language."""
    if value is None:
        return DASH
    if abs(value) < MEBIBYTES_IN_GIBIBYTE:
        return f"{number_text(value)} MiB"
    if abs(value) >= LARGEST_EXACT:
        return f"{number_text(value // MEBIBYTES_IN_GIBIBYTE)} GiB"
    return f"{number_text(f'{value / MEBIBYTES_IN_GIBIBYTE:.1f}'.removesuffix('.0'))} GiB"


@register.filter
def gigabytes(value: int | None) -> str:
    """A size in GB: `40 GB`."""
    return DASH if value is None else f"{number_text(value)} GB"


@register.filter
def brief(value: object) -> object:
    """The beginning of a text that is too long for a page, with the number of remaining characters; other values
    unchanged.
    """
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT:
        return value
    return f"{value[:LONGEST_TEXT]}… ({and_more_characters(len(value) - LONGEST_TEXT)})"


@register.filter
def and_more_characters(count: int) -> str:
    """`and 999,000 more characters`, at the end of a shortened text."""
    words = ngettext("and %(count)s more character", "and %(count)s more characters", count)
    return words % {"count": number_text(count)}


@register.filter
def and_more(count: int) -> str:
    """`and 999,000 more`; empty for zero."""
    return say_and_more(count) if count else ""


@register.filter
def dash(value: object) -> object:
    """The value, or a dash if it is None or empty. Zero is a value."""
    return DASH if value is None or value == "" else value


@register.filter
def visible(value: object) -> SafeString:
    """External text as HTML, with each invisible character marked and named."""
    return show(str(value)) if value is not None else mark_safe("")


@register.filter
def visible_plain(value: object) -> str:
    """Like `visible`, as plain text for titles and labels."""
    return show_plain(str(value)) if value is not None else ""


@register.filter
def short_id(value: str | None) -> str:
    """The first eight characters of an id, enough to distinguish rows."""
    return (value or DASH)[:8]
