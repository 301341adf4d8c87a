"""The statistics of the benchmarks, with numbers that are easy to check."""

import pytest

from tests.benchmarks.figures import Aim, count_most_within, format_figure, format_table, middle, percentile


def test_a_percentile_is_one_of_the_figures() -> None:
    figures = [float(number) for number in range(1, 101)]
    assert percentile(reversed(figures), 0.5) == 50
    assert percentile(figures, 0.95) == 95
    assert percentile([7.0], 0.95) == 7
    assert percentile([1.0, 2.0], 0.0) == 1


def test_the_median_of_an_even_number_lies_between() -> None:
    assert middle([1.0, 9.0, 2.0, 4.0]) == 3


@pytest.mark.parametrize(
    ("moments", "most"),
    [((), 0), ((5.0,), 1), ((0.0, 59.9), 2), ((0.0, 60.0), 1), ((0.0, 50.0, 70.0, 100.0, 109.9), 4)],
)
def test_a_rolling_window_is_counted_wherever_it_begins(moments: tuple[float, ...], most: int) -> None:
    assert count_most_within(reversed(moments), 60.0) == most


def test_an_aim_says_whether_it_is_met() -> None:
    assert Aim("1", "speed", 80, 75, "%", at_least=True).cells() == ("1", "speed", "≥ 75 %", "80 %", "yes")
    assert Aim("1", "speed", 70, 75, "%", at_least=True).cells()[-1] == "**falls short**"
    assert Aim("8", "requests", 0, 0).cells() == ("8", "requests", "≤ 0", "0", "yes")
    assert not Aim("8", "requests", 1, 0).is_met


def test_figures_have_three_digits_that_mean_something() -> None:
    assert [format_figure(figure) for figure in (0.0123, 1.239, 12.39, 1239.4)] == ["0.0123", "1.24", "12.4", "1,239"]


def test_a_table_is_markdown() -> None:
    assert format_table(("what", "ms"), [("page", 1.2345), ("part", 2)]) == (
        "| what | ms |\n| --- | --- |\n| page | 1.23 |\n| part | 2 |"
    )
