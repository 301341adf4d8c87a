"""Renders the parts that pages are made of: one template each, in `templates/components`. Knows no page."""

from collections.abc import Mapping

from django.template import Context, Engine
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# What a component hands on to its element as it is: `hx_get` becomes `hx-get`.
_HANDED_ON = ("aria_", "data_", "hx_")


def render_component(context: Context, name: str, given: Mapping[str, object]) -> SafeString:
    """`components/_name.html`, which sees what it is given and nothing else of the page.

    Attributes of its element are collected in `attributes`; an empty one is left out, and True stands alone.
    """
    template = Engine.get_default().get_template(f"components/_{name}.html")
    return template.render(context.new({"attributes": _format_attributes(given), **given}))


def _format_attributes(given: Mapping[str, object]) -> SafeString:
    """` hx-get="/" data-merge`, ready to stand in a tag."""
    html = ""
    for key, value in given.items():
        if key.startswith(_HANDED_ON) and value is not None and value is not False and value != "":
            name = key.replace("_", "-")
            html += f" {name}" if value is True else format_html(' {}="{}"', name, value)
    return mark_safe(html)
