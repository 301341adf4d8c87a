"""Every template escapes what it shows, and a name or an attribute that is not there is an error."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest
from django import forms
from django.conf import settings
from django.template import engines
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from jinja2 import Environment, UndefinedError, meta
from jinja2.ext import Extension
from markupsafe import Markup, escape

from portal.audit.models import Action, Event
from portal.core.filters import FILTERS

ROOT = Path(settings.BASE_DIR) / "templates"
# Without what needs more than texts: components, which all are made of, and what includes a template by its name.
NAMES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.html")
    if path.name not in {"components.html", "multiple_input.html", "fragment.html"}
)
ATTACK = "\"'><script>alert(1)</script>{{ 7 * 7 }}"
# The other filters take moments or numbers.
OF_TEXTS = {"brief", "copy_label", "dash", "visible", "visible_plain"}
ENV: Environment = engines["jinja2"].env  # type: ignore[attr-defined]


class Hostile(str):
    """An attack that has whatever a template looks for: attributes, entries, calls and figures."""

    __slots__ = ()

    def __new__(cls) -> Self:
        return super().__new__(cls, ATTACK)

    def __getattr__(self, name: str) -> "Hostile":
        if name.startswith("__"):
            raise AttributeError(name)
        return Hostile()

    @property
    def title(self) -> "Hostile":
        """A notice has one. Texts have a method of this name."""
        return Hostile()

    def __getitem__(self, _key: Any) -> "Hostile":
        return Hostile()

    def __iter__(self) -> Iterator["Hostile"]:
        return iter([Hostile(), Hostile()])

    def __call__(self, *_values: object, **_named: object) -> "Hostile":
        return Hostile()

    def __index__(self) -> int:
        return 1

    def __round__(self) -> int:
        return 1

    def __sub__(self, _other: object) -> int:
        return 1

    __int__ = __radd__ = __rsub__ = __truediv__ = __sub__


class Unpacked(Extension):
    """Attacks for all names that a template unpacks a value into, however many these are."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        del name, filename
        source = re.sub(r"(\{% for )(\w+)((?:, \w+)+)( in [^%]*%\})", spread, source)
        return re.sub(r"(\{% set )(\w+)((?:, \w+)+)( = [^%]*%\})", spread, source)


def spread(found: re.Match[str]) -> str:
    """`for a, b in c` as `for a in c`, followed by `set b = a`."""
    statement, first, others, rest = found.groups()
    return f"{statement}{first}{rest}" + "".join(f"{{% set {name} = {first} %}}" for name in others.split(", ")[1:])


@cache
def find_names(template: str) -> frozenset[str]:
    """What a template and those that it includes or extends look for in their context."""
    tree = ENV.parse(ENV.loader.get_source(ENV, template)[0])  # type: ignore[union-attr]
    names = frozenset(meta.find_undeclared_variables(tree)) - set(ENV.globals)
    for other in meta.find_referenced_templates(tree):
        names |= find_names(str(other))
    return names


@pytest.fixture(scope="module")
def env() -> Environment:
    """The portal's, but for filters that would refuse an attack, and the help texts of forms, which may have markup."""
    made = ENV.overlay()
    made.extensions = {**ENV.extensions, "unpacked": Unpacked(made)}
    other = {name: lambda *_values: Hostile() for name in FILTERS if name not in OF_TEXTS}
    made.filters = {**ENV.filters, **other, "safe": str}
    made.globals = {**ENV.globals, "url": lambda *_values: ATTACK, "icon": lambda *_values: ""}
    made.globals["ui"] = made.get_template("components.html").module
    return made


@pytest.mark.filterwarnings("ignore:Plural value must be an integer")
def test_no_text_becomes_markup(env: Environment) -> None:
    for name in NAMES:
        context = dict.fromkeys(find_names(name), Hostile())
        html = env.get_template(name).render(context)
        assert ATTACK not in html, name
        assert "<script>" not in html, name
        assert not context or "alert(1)" in html, name


@pytest.mark.parametrize(
    "value", [*"&<>'\"", "", "plain words", "7 > 5", ATTACK, 7, 1.5, None, Markup("<b>"), mark_safe("<i>"), _("Name")]
)
def test_values_are_printed_as_markupsafe_escapes_them(value: object) -> None:
    assert ENV.from_string("{{ value }}").render(value=value) == str(escape(value))


def test_only_help_texts_may_have_markup() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.html"))
    assert re.findall(r"[\w.]+\|safe", texts) == ["field.help_text|safe"]
    assert "autoescape" not in texts


def test_a_choice_is_shown_as_text() -> None:
    class Sample(forms.Form):
        kind = forms.ChoiceField(label=ATTACK, choices=[(ATTACK, ATTACK)], widget=forms.RadioSelect)

    html = Sample({"kind": ATTACK}).as_div()
    assert html.count("alert(1)") == 3
    assert "<script>" not in html


@pytest.mark.parametrize("source", ["{{ absent }}", "{% if absent %}{% endif %}", "{{ 'text'.absent }}"])
def test_what_is_not_there_is_an_error(source: str) -> None:
    with pytest.raises(UndefinedError):
        ENV.from_string(source).render()


def test_texts_are_in_the_language_in_which_the_page_is_asked_for() -> None:
    for language, text in (("en", "Refresh now"), ("pt-br", "Atualizar agora"), ("en", "Refresh now")):
        with translation.override(language):
            assert text in render_to_string("layout/_key_list.html")
    with translation.override(None):
        assert "Refresh now" in render_to_string("layout/_key_list.html")


def test_a_function_is_not_printed_in_the_place_of_what_it_returns(env: Environment) -> None:
    event = Event(act=Action.SIGNED_IN)
    assert env.from_string("{{ event.get_act_display() }}").render(event=event) == "Signed in"
    for source in ("{{ event.get_act_display }}", "{{ event.clean }}"):
        with pytest.raises(TypeError, match="without calling it"):
            env.from_string(source).render(event=event)
