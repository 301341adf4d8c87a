"""Invisible characters are shown, announced and copied exactly."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.invisible import MOST_MARKS, clean, name_hidden, show, show_plain


def unmark(markup: str) -> str:
    """What is copied of it."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def marks(text: str) -> list[str]:
    return re.findall(r'data-symbol="([^"]*)"', show(text))


@pytest.mark.parametrize(
    ("text", "labels", "plain", "cleaned"),
    [
        ("web\u200b-01", ["U+200B"], "web[U+200B]-01", "web-01"),
        ("\ufeffweb", ["U+FEFF"], "[U+FEFF]web", "web"),
        ("web\u00ad01", ["U+00AD"], "web[U+00AD]01", "web01"),
        ("web\u202e10", ["U+202E"], "web[U+202E]10", "web10"),
        ("web\u00a001", ["U+00A0"], "web[U+00A0]01", "web 01"),
        ("web\u300001", ["U+3000"], "web[U+3000]01", "web 01"),
        ("web  01", ["␣␣"], "web␣␣01", "web  01"),
        (" web ", ["␣", "␣"], "␣web␣", "web"),
        ("   ", ["␣␣␣"], "␣␣␣", ""),
        ("\u2800\u3164", ["U+2800", "U+3164"], "[U+2800][U+3164]", ""),
        ("a\tb\x07", ["U+0009", "U+0007"], "a[U+0009]b[U+0007]", "a b"),
        ("web\n", ["U+000A"], "web[U+000A]", "web"),
        ("a" + "\u200b" * 7, ["U+200B×7"], "a[U+200B×7]", "a"),
        ("a" + " " * 7 + "b", ["␣×7"], "a␣×7b", "a       b"),
        ("a\u200db", ["U+200D"], "a[U+200D]b", "ab"),
    ],
)
def test_what_cannot_be_seen_is_marked_and_can_be_left_out(
    text: str, labels: list[str], plain: str, cleaned: str
) -> None:
    assert marks(text) == labels
    assert show_plain(text) == plain
    assert clean(text) == cleaned
    assert unmark(show(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web-01",
        "web server 1",
        "one\ntwo\r\nthree",
        "👩\u200d💻",
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "می\u200cخواهم",
        "שלום",
        "名前",
    ],
)
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert marks(text) == []
    assert show_plain(text) == clean(text) == text
    assert name_hidden(text) == ()


def test_each_is_named_once_for_a_screen_reader_too() -> None:
    text = "\u200ba\u200bb\u202ec\x07d  e"
    assert name_hidden(text) == (
        "zero width space (U+200B)",
        "right-to-left override (U+202E)",
        "control character (U+0007)",
    )
    assert 'role="img" aria-label="zero width space (U+200B)"' in show(text)
    assert 'aria-label="2 spaces"' in show(text)


def test_marks_are_bounded() -> None:
    assert len(marks("\u200b\u200c" * 10_000)) == MOST_MARKS
    assert len(name_hidden("".join(map(chr, range(0xE0000, 0xE0FFF))))) == 5


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_is_lost_and_no_markup_gets_through(text: str) -> None:
    assert unmark(show(text)).replace("\r", "\n") == text.replace("\r", "\n")
    assert set(re.findall(r"<(/?\w+)", show(text))) <= {"span", "/span"}
