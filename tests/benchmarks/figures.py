"""Statistics over measurements, and tables of them. Measures nothing itself."""

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median
from typing import NamedTuple


class Aim(NamedTuple):
    """One line of what is aimed at: a figure that is to be at most (or, `at_least`, at least) the bound."""

    line: str
    what: str
    figure: float
    bound: float
    unit: str = ""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    def cells(self) -> tuple[str, str, str, str, str]:
        sign = "≥" if self.at_least else "≤"
        verdict = "yes" if self.is_met else "**falls short**"
        unit = f" {self.unit}" if self.unit else ""
        return (
            self.line,
            self.what,
            f"{sign} {self.bound:.4g}{unit}",
            f"{format_figure(self.figure)}{unit}",
            verdict,
        )


def percentile(figures: Iterable[float], share: float) -> float:
    """The smallest figure that at least `share` (0 to 1) of the figures do not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def middle(figures: Iterable[float]) -> float:
    """The median."""
    return float(median(figures))


def count_most_within(moments: Iterable[float], seconds: float) -> int:
    """The most moments that any window of that length holds; two that lie exactly that far apart share none."""
    ordered = sorted(moments)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def format_figure(figure: float) -> str:
    """Three digits that mean something; thousands with a comma."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def format_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown. Numbers are written by `format_figure`."""
    lines = [headings, ["---"] * len(headings)]
    lines += [[format_figure(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
