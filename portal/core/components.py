"""Renders the reusable components in `templates/components`, one template each."""

from collections.abc import Mapping

from django.template import Context, Engine
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# Passed through as HTML attributes: `hx_get` becomes `hx-get`.
_HANDED_ON = ("aria_", "data_", "hx_")


def render_component(context: Context, name: str, given: Mapping[str, object]) -> SafeString:
    """Render `components/_name.html`, which sees only its arguments and nothing else from the page.

    HTML attributes are collected in `attributes`. Empty ones are left out; True renders a boolean attribute.
    """
    template = Engine.get_default().get_template(f"components/_{name}.html")
    return template.render(context.new({"attributes": _format_attributes(given), **given}))


def _format_attributes(given: Mapping[str, object]) -> SafeString:
    """Return attributes as markup: ` hx-get="/" data-merge`."""
    html = ""
    for key, value in given.items():
        if key.startswith(_HANDED_ON) and value is not None and value is not False and value != "":
            name = key.replace("_", "-")
            html += f" {name}" if value is True else format_html(' {}="{}"', name, value)
    return mark_safe(html)
