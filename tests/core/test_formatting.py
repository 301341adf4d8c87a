from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone, translation

from portal.core.formatting import clock_text, describe_time, exact_text, iso_text, offset_text

NOW = datetime(2026, 11, 23, 17, 32, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=4.9), "just now"),
        (timedelta(seconds=5), "5 seconds ago"),
        (timedelta(seconds=59.9), "59 seconds ago"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=30), "1 month ago"),
        (timedelta(days=364), "12 months ago"),
        (timedelta(days=730), "2 years ago"),
        (-timedelta(seconds=4), "just now"),
        (-timedelta(days=3), "in 3 days"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_a_moment_is_told_in_whole_units(passed: timedelta, text: str) -> None:
    assert describe_time(NOW - passed).relative == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "23 Nov 2026, 17:32:07 (UTC)"),
        ("America/Sao_Paulo", "23 Nov 2026, 14:32:07 (UTC−03:00)"),
        ("Asia/Kolkata", "23 Nov 2026, 23:02:07 (UTC+05:30)"),
        ("Asia/Tokyo", "24 Nov 2026, 02:32:07 (UTC+09:00)"),
    ],
)
def test_the_exact_time_is_the_active_zones_with_its_offset(zone: str, text: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert exact_text(NOW) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(), "agora mesmo"),
        (timedelta(seconds=5), "há 5 segundos"),
        (timedelta(minutes=1), "há 1 minuto"),
        (timedelta(hours=2), "há 2 horas"),
        (timedelta(days=1), "há 1 dia"),
        (timedelta(days=30), "há 1 mês"),
        (timedelta(days=60), "há 2 meses"),
        (timedelta(days=365), "há 1 ano"),
        (-timedelta(days=3), "em 3 dias"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_a_moment_is_told_in_the_active_language(passed: timedelta, text: str) -> None:
    with translation.override("pt-br"):
        assert describe_time(NOW - passed).relative == text


@time_machine.travel(NOW, tick=False)
def test_the_exact_time_is_in_the_order_of_the_active_language() -> None:
    with translation.override("pt-br"):
        assert exact_text(NOW) == "23 de nov. de 2026, 17:32:07 (UTC)"
        assert clock_text(NOW) == "17:32:07 (UTC)"


def test_the_offset_is_that_of_the_moment_and_not_of_today() -> None:
    with timezone.override(ZoneInfo("Europe/Lisbon")):
        assert offset_text(datetime(2026, 7, 1, tzinfo=UTC)) == "UTC+01:00"
        assert offset_text(datetime(2026, 12, 1, tzinfo=UTC)) == "UTC"


@time_machine.travel(NOW, tick=False)
def test_the_clock_leaves_out_the_date_of_today_only() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert clock_text(NOW) == "02:32:07 (UTC+09:00)"
        assert clock_text(NOW - timedelta(hours=3)) == "23 Nov 2026, 23:32:07 (UTC+09:00)"


def test_machines_get_utc() -> None:
    assert iso_text(NOW.astimezone(ZoneInfo("America/Sao_Paulo"))) == "2026-11-23T17:32:07Z"


@pytest.mark.parametrize(
    ("moment", "iso", "exact"),
    [
        ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00Z", "1 Jan 0001, 00:00:00 (UTC)"),
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00+05:00", "1 Jan 0001, 00:00:00 (UTC+05:00)"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59-05:00", "31 Dec 9999, 23:59:59 (UTC−05:00)"),
    ],
)
def test_a_moment_that_the_zone_cannot_hold_is_told_as_it_came(moment: str, iso: str, exact: str) -> None:
    with timezone.override(ZoneInfo("America/Sao_Paulo")):
        value = datetime.fromisoformat(moment)
        assert iso_text(value) == iso
        assert exact_text(value) == exact
        assert clock_text(value) == exact
