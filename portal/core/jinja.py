"""The Jinja2 environment of all own templates: they escape everything, and an undefined name is an error."""

from functools import lru_cache
from typing import Any

import django_htmx.jinja
from django.conf import settings
from django.http import HttpRequest
from django.template.backends.jinja2 import Jinja2
from django.template.backends.utils import csrf_input
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString, mark_safe
from jinja2 import Environment, StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from lucide import jinja as lucide
from markupsafe import escape

from portal.core.filters import FILTERS

LONGEST_COPIED = 2000
# Attributes that components accept beside their own arguments: `hx_get` becomes `hx-get`.
_HANDED_ON = ("aria_", "data_", "hx_")
_LINES = ' fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'


class Translated(Extension):
    """Translates `_("text")` when a template is compiled, in an environment that has a language.

    A page has some 130 of these, which would take a quarter of its time. What has values to fill in is translated when
    it is rendered.
    """

    def filter_stream(self, stream: TokenStream) -> TokenStream | list[Token]:
        language: str = self.environment.language  # type: ignore[attr-defined]
        return translate(list(stream), language) if language else stream


def translate(tokens: list[Token], language: str) -> list[Token]:
    translated: list[Token] = []
    place = 0
    while place < len(tokens):
        name, *call = tokens[place : place + 4]
        if name.test("name:_") and [token.type for token in call] == ["lparen", "string", "rparen"]:
            with translation.override(language):
                text = translation.gettext(call[1].value)
            # Translations are the project's own, and may have markup.
            translated += (
                Token(name.lineno, "string", text),
                Token(name.lineno, "pipe", "|"),
                Token(name.lineno, "name", "safe"),
            )
            place += 4
        else:
            translated.append(name)
            place += 1
    return translated


class Templates(Jinja2):
    """Django's backend, with an environment for each language.

    All templates have the components as `ui`: 20 imports in the templates of one page took a twentieth of its time.
    """

    @property
    def env(self) -> Environment:
        return self._environments.get(translation.get_language() or "", self._environments[settings.LANGUAGE_CODE])

    @env.setter
    def env(self, made: Environment) -> None:
        """Set by Django's own constructor."""
        self._environments: dict[str, Environment] = {}
        for language, _name in settings.LANGUAGES:
            own = self._environments[language] = made.overlay()
            own.language = language  # type: ignore[attr-defined]
            own.globals = made.globals | {"ui": own.get_template("components.html").module}


def environment(**options: Any) -> Environment:
    """Called by Django's template backend with the options of the settings."""
    options |= {
        "undefined": StrictUndefined,
        "extensions": ["jinja2.ext.i18n", Translated],
        # Lines that have only tags leave no trace in a page.
        "trim_blocks": True,
        "lstrip_blocks": True,
    }
    made = Environment(**options)  # noqa: S701 - Django's backend sets autoescape
    made.install_gettext_callables(  # type: ignore[attr-defined]
        translation.gettext, translation.ngettext, newstyle=True, pgettext=translation.pgettext
    )
    # Each language has an overlay of this one, which itself serves to extract messages.
    made.extend(language="")
    made.filters.update(FILTERS)
    made.globals.update(
        attributes=attributes,
        htmx_script=django_htmx.jinja.htmx_script,
        icon=icon,
        language=translation.get_language,
        is_rtl=translation.get_language_bidi,
        current_time=timezone.now,
        time_zone=timezone.get_current_timezone_name,
        static=lru_cache(maxsize=64)(static),
        url=url,
        LONGEST_COPIED=LONGEST_COPIED,
    )
    return made


def csrf(request: HttpRequest) -> dict[str, object]:
    """Context processor: one CSRF token for all forms of a page. Django's backend would mask one for each."""
    return {"csrf_input": SimpleLazyObject(lambda: csrf_input(request))}


@lru_cache(maxsize=512)
def url(name: str, *args: object) -> str:
    """The URL of a view: `url("instances:list", region)`."""
    return reverse(name, args=args)


def attributes(given: dict[str, object]) -> SafeString:
    """HTML attributes: ` hx-get="/" data-retry`. Empty ones are left out; True renders a boolean attribute."""
    html = ""
    for key, value in given.items():
        if not key.startswith(_HANDED_ON):
            raise TypeError(f"no component takes {key}")
        if value is not None and value is not False and value != "":
            name = key.replace("_", "-")
            html += f" {name}" if value is True else f' {name}="{escape(value)}"'
    return mark_safe(html)


@lru_cache(maxsize=128)
def icon(name: str, size: int = 16) -> str:
    """A decorative lucide icon, hidden from screen readers. Renders nothing without a name."""
    if not name:
        return ""
    # Its lines are the style sheet's business: in each icon, the attributes weigh more than the shape. A list has some
    # twenty icons, so line breaks count, too.
    svg = lucide.lucide(name, size=size, **{"class": "icon", "aria-hidden": "true"})
    return mark_safe(str(svg).replace(_LINES, "").replace("\n  ", "").replace("\n", "").replace(" />", "/>"))
