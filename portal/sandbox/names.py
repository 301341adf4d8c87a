"""Numbered names (`web-01`, `web-02`, ...), and which of them match a filter: computed, without checking each."""

from collections.abc import Iterator
from dataclasses import dataclass

_WIDEST = 9
_NARROWEST = 2


@dataclass(frozen=True)
class NameSeries:
    """The names of one position in the pattern, block by block: `stem` and the number `first + block * step`.

    A `lone` series is for names without a number: its first name is just the stem, the later ones end in `-02`, ...
    """

    stem: str
    first: int = 1
    step: int = 1
    lone: bool = False

    def name(self, block: int) -> str:
        if not self.lone:
            return f"{self.stem}{self.first + block * self.step:02d}"
        return f"{self.stem}-{block + 1:02d}" if block else self.stem

    def blocks(self, asked: str | None, count: int) -> Iterator[range]:
        """The blocks below `count` whose name is `asked` (or starts with it, if it ends in `*`), as ranges."""
        if asked is None:
            yield range(count)
            return
        is_prefix, text = asked.endswith("*"), asked.removesuffix("*")
        start = 0
        if self.lone:
            start = 1
            if count and (self.stem.startswith(text) if is_prefix else self.stem == text):
                yield range(1)
        stem = f"{self.stem}-" if self.lone else self.stem
        for low, high in _numbers(stem, text, is_prefix=is_prefix):
            blocks = range(
                max(start, -(-(low - self.first) // self.step)), min(count, (high - self.first) // self.step + 1)
            )
            if blocks:
                yield blocks


def _numbers(stem: str, text: str, *, is_prefix: bool) -> Iterator[tuple[int, int]]:
    """The numbers (lowest and highest, inclusive) for which `stem` + number matches `text`."""
    if is_prefix and stem.startswith(text):
        yield 0, 10**_WIDEST
        return
    digits = text.removeprefix(stem)
    if not text.startswith(stem) or not (digits.isascii() and digits.isdigit()) or len(digits) > _WIDEST:
        return
    if not is_prefix:
        if f"{int(digits):02d}" == digits:
            yield int(digits), int(digits)
        return
    for width in range(max(_NARROWEST, len(digits)), _WIDEST + 1):
        if width > _NARROWEST and digits.startswith("0"):
            return
        scale = 10 ** (width - len(digits))
        yield int(digits) * scale, (int(digits) + 1) * scale - 1
