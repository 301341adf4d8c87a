"""All texts for people are translated, with their placeholders, and compiled."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines
from django.utils import translation

from tests.conventions.catalogs import (
    LOCALES,
    ROOT,
    Entry,
    Message,
    list_messages,
    list_templates,
    read_code,
    read_mo,
    read_po,
    read_template,
)

CATALOGS = sorted(LOCALES.glob("*/LC_MESSAGES/django.po"))
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
# Names, signs and keys: the same in every language.
SAME_EVERYWHERE = {"ByCloud", "CRN", "Enter", "Esc", "GET", "HTTP", "ID", "IP", "IPv", "JSON", "MAC", "vCPU"}


def read_all(text: str) -> Counter[str]:
    return Counter(PLACEHOLDERS.findall(text))


def find_misplaced(entry: Entry) -> bool:
    """Whether a translation lacks a placeholder, or has one more. Where one is counted, its number may be a word."""
    wanted = [read_all(entry.message.singular), read_all(entry.message.plural or entry.message.singular)]
    *first, last = map(read_all, entry.translations)
    return last != wanted[1] or any(each not in wanted for each in first)


@pytest.fixture(scope="module")
def messages() -> dict[Message, str]:
    return list_messages()


def test_every_language_but_english_has_a_catalog() -> None:
    offered = {translation.to_locale(language) for language, _ in settings.LANGUAGES}
    assert {path.parent.parent.name for path in CATALOGS} == offered - {"en"}


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parent.parent.name)
def test_every_message_has_its_translation(path: Path, messages: dict[Message, str]) -> None:
    done = {entry.message for entry in read_po(path) if all(entry.translations) and not entry.is_fuzzy}
    assert {message: place for message, place in messages.items() if message not in done} == {}


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parent.parent.name)
def test_no_translation_is_left_of_a_message_that_is_gone(path: Path, messages: dict[Message, str]) -> None:
    assert [entry.message for entry in read_po(path) if entry.message not in messages] == []


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parent.parent.name)
def test_a_translation_has_the_placeholders_of_its_message(path: Path) -> None:
    assert [entry for entry in read_po(path) if all(entry.translations) and find_misplaced(entry)] == []


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parent.parent.name)
def test_what_is_compiled_is_what_is_written(path: Path) -> None:
    written: dict[str | tuple[str, int], str] = {}
    for entry in read_po(path):
        if entry.message.plural:
            written |= {(entry.message.key, form): text for form, text in enumerate(entry.translations)}
        else:
            written[entry.message.key] = entry.translations[0]
    assert read_mo(path.with_suffix(".mo")) == written


@pytest.mark.parametrize("path", list_templates(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_word_in_a_template_escapes_translation(path: Path) -> None:
    inside = False
    text = ""
    for _line, kind, content in engines["jinja2"].env.lex(path.read_text(encoding="utf-8")):  # type: ignore[attr-defined]
        if kind == "name" and content in {"trans", "endtrans"}:
            inside = content == "trans"
        elif kind == "data" and not inside:
            text += content
    named = re.findall(r'\b(?:alt|aria-label|placeholder|title)="([^"]*)"', text)
    seen = re.sub(r"<!--.*?-->|<[^>]*>|&\w+;", " ", text, flags=re.DOTALL)
    words = set(re.findall(r"[^\W\d_]{2,}", " ".join([seen, *named])))
    assert words - SAME_EVERYWHERE == set()


def test_messages_are_found_in_code_under_whatever_name() -> None:
    source = """
from django.utils.translation import gettext as _, gettext_lazy, ngettext, pgettext as told

_("one " "long one")
label = gettext_lazy("later")
ngettext("%(n)d row", "%(n)d rows", 2)
told("time", "now")
print("not this")
"""
    assert list(read_code(source)) == [
        Message("one long one"),
        Message("later"),
        Message("%(n)d row", "%(n)d rows"),
        Message("now", context="time"),
    ]


def test_messages_are_found_in_templates() -> None:
    source = """
{{ _("It's (so)") }} {{ pgettext("time", "now") }} {% call ui.panel(title=_("Keys")) %}{% endcall %}
{% trans name=member.name %}Hello {{ name }}{% endtrans %}
{% trans count=rows %}{{ count }} row{% pluralize %}{{ count }} rows{% endtrans %}
"""
    assert list(read_template(source)) == [
        Message("It's (so)"),
        Message("now", context="time"),
        Message("Keys"),
        Message("Hello %(name)s"),
        Message("%(count)s row", "%(count)s rows"),
    ]


@pytest.mark.parametrize(
    ("translations", "is_misplaced"),
    [
        (("%(n)d linha", "%(n)d linhas"), False),
        (("uma linha", "%(n)d linhas"), False),
        (("%(n)d linha", "linhas"), True),
        (("%(n)d linha", "%(m)d linhas"), True),
        (("%(n)d linha", "%(n)s linhas"), True),
        (("%(n)d linha %(m)s", "%(n)d linhas"), True),
    ],
)
def test_a_placeholder_that_is_lost_or_made_up_is_found(translations: tuple[str, ...], *, is_misplaced: bool) -> None:
    entry = Entry(Message("one row", "%(n)d rows"), translations, is_fuzzy=False)
    assert find_misplaced(entry) is is_misplaced
