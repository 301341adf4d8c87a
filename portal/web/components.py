"""Renders the parts that pages are made of: one template each, in `templates/components`. Knows no page."""

from collections.abc import Mapping

from django.template import Context, Engine
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# What a component hands on to its element as it is: `hx_get` becomes `hx-get`.
_HANDED_ON = ("aria_", "data_", "hx_")


def render_component(context: Context, name: str, given: Mapping[str, object]) -> SafeString:
    """`components/_name.html`, which sees what it is given and nothing else of the page.

    Attributes of its element are collected in `attributes`; one that is None or False is left out, True stands alone.
    """
    attributes = {key: value for key, value in given.items() if key.startswith(_HANDED_ON)}
    values = {"attributes": format_attributes(attributes), **given}
    template = Engine.get_default().get_template(f"components/_{name}.html")
    return template.render(context.new(values))


def format_attributes(attributes: Mapping[str, object]) -> SafeString:
    """` hx-get="/" data-merge`, ready to stand in a tag."""
    parts = [
        (key.replace("_", "-"), "" if value is True else format_html('="{}"', value))
        for key, value in attributes.items()
        if value is not None and value is not False
    ]
    return format_html_join("", " {}{}", parts)
