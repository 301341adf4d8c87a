"""A set of instances as ranges of sequence numbers: it can be counted and walked both ways without a full scan."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """Disjoint ascending ranges, without some numbers (`without`), plus some others (`extra`, ascending)."""

    ranges: tuple[range, ...]
    without: frozenset[int] = frozenset()
    extra: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        return sum(map(len, self.ranges)) - len(self.without) + len(self.extra)

    def below(self, bound: int | None = None) -> Iterator[int]:
        """Numbers below `bound` (all, if None), descending."""
        cut = [each if bound is None else each[: _count_below(each, bound)] for each in self.ranges]
        extra = [each for each in reversed(self.extra) if bound is None or each < bound]
        return heapq.merge(self._less(heapq.merge(*map(reversed, cut), reverse=True)), extra, reverse=True)

    def above(self, bound: int) -> Iterator[int]:
        """Numbers above `bound`, ascending."""
        cut = [each[_count_below(each, bound + 1) :] for each in self.ranges]
        return heapq.merge(self._less(heapq.merge(*cut)), [each for each in self.extra if each > bound])

    def _less(self, members: Iterable[int]) -> Iterator[int]:
        return (each for each in members if each not in self.without)


def _count_below(members: range, bound: int) -> int:
    return max(0, -(-(bound - members.start) // members.step))
