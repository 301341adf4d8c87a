from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.template import engines
from django.utils import translation
from lucide import IconDoesNotExist

from portal.core.filters import gigabytes, is_older, mebibytes

NOW = datetime(2026, 11, 23, 17, 32, 7, tzinfo=UTC)
HOSTILE = "\"><script>alert('1')</script>"
ESCAPED = "&#34;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"


def render(source: str, **values: object) -> str:
    return engines["jinja2"].from_string(source).render(values)


@time_machine.travel(NOW, tick=False)
def test_a_relative_time_has_the_exact_one_within_reach_of_mouse_and_keyboard() -> None:
    assert render("{{ ui.ago(moment) }}", moment=NOW - timedelta(days=3)) == (
        '<time class="ago" datetime="2026-11-20T17:32:07Z" title="20 Nov 2026, 17:32:07 (UTC)" tabindex="0" data-ago>'
        "3 days ago</time>"
    )


@time_machine.travel(NOW, tick=False)
def test_exact_and_clock_tell_the_time_to_the_second() -> None:
    assert render("{{ ui.exact(moment) }}|{{ ui.clock(moment) }}", moment=NOW) == (
        '<time datetime="2026-11-23T17:32:07Z">23 Nov 2026, 17:32:07 (UTC)</time>|'
        '<time datetime="2026-11-23T17:32:07Z">17:32:07 (UTC)</time>'
    )


@pytest.mark.parametrize("tag", ["ago", "exact", "clock"])
def test_a_moment_that_is_absent_is_a_dash(tag: str) -> None:
    assert render(f"{{{{ ui.{tag}(moment) }}}}", moment=None) == "–"


def test_a_copy_button_says_what_it_copies() -> None:
    assert render('{{ ui.copy(value, "the ID of web-01") }}', value="2d9b") == (
        '<button type="button" class="copy" data-copy="2d9b" aria-label="Copy the ID of web-01"></button>'
    )


def test_a_copy_button_need_not_repeat_what_stands_before_it() -> None:
    assert render('{{ ui.copy(value, "it", stands_before=true) }}', value="2d9b") == (
        '<button type="button" class="copy" data-copy="" aria-label="Copy it"></button>'
    )


def test_there_is_no_button_to_copy_nothing() -> None:
    assert render('{{ ui.copy(value, "the ID") }}', value=None) == ""


def test_what_is_copied_and_what_it_is_called_are_escaped() -> None:
    html = render("{{ ui.copy(value, label) }}", value=HOSTILE, label=HOSTILE)
    assert html.count(ESCAPED) == 2
    assert "<script>" not in html


def test_an_icon_only_decorates() -> None:
    html = render('{{ icon("search") }}{{ icon("x", 14) }}')
    assert html.count("<svg") == html.count('aria-hidden="true"') == html.count('class="icon"') == 2
    assert 'width="16"' in html
    assert 'width="14"' in html


def test_an_unknown_icon_is_an_error_at_once() -> None:
    with pytest.raises(IconDoesNotExist):
        render('{{ icon("no-such-icon") }}')


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "–"),
        (0, "0 MiB"),
        (512, "512 MiB"),
        (1024, "1 GiB"),
        (1536, "1.5 GiB"),
        (4096, "4 GiB"),
        (1048576, "1,024 GiB"),
        (1024_000_000, "1,000,000 GiB"),
        (10**400, f"{10**400 // 1024:,} GiB"),
    ],
)
def test_memory_is_shown_in_the_unit_people_use(size: int | None, text: str) -> None:
    assert mebibytes(size) == text


def test_sizes_are_written_as_the_active_language_writes_numbers() -> None:
    with translation.override("pt-br"):
        assert (mebibytes(1536), mebibytes(1048576), gigabytes(2000)) == ("1,5 GiB", "1.024 GiB", "2.000 GB")


def test_disks_are_shown_in_gigabytes() -> None:
    assert (gigabytes(40), gigabytes(None)) == ("40 GB", "–")


@pytest.mark.parametrize(("value", "text"), [(None, "–"), ("", "–"), (0, "0"), (False, "False"), ("web", "web")])
def test_a_dash_stands_for_what_is_absent_and_for_nothing_else(value: object, text: str) -> None:
    assert render("{{ value|dash }}", value=value) == text


def test_a_dash_does_not_let_markup_through() -> None:
    assert render("{{ value|dash }}", value=HOSTILE) == ESCAPED


def test_what_comes_from_the_future_is_as_stale_as_can_be() -> None:
    now = datetime.now(UTC)
    assert [is_older(now + timedelta(seconds=ahead), 60) for ahead in (3600, 0, -59, -61)] == [True, False, False, True]
