"""docs/security.md covers all requirements of OWASP ASVS 5.0.0 for levels 1 and 2, and names existing tests."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ANSWERS = {"held", "documented", "operator", "not here", "open", "see below"}

# The numbers of the standard, by level: 1.2.1-5 is 1.2.1 to 1.2.5.
LEVEL_1 = """
1.2.1-5 1.3.1-2 1.5.1 2.1.1 2.2.1-2 2.3.1 3.2.1-2 3.3.1 3.4.1-2 3.5.1-3 4.1.1 4.4.1 5.2.1-2 5.3.1-2 6.1.1 6.2.1-8
6.3.1-2 6.4.1-2 7.2.1-4 7.4.1-2 8.1.1 8.2.1-2 8.3.1 9.1.1-3 9.2.1 10.4.1-5 11.3.1-2 11.4.1 12.1.1 12.2.1-2 13.4.1
14.2.1 14.3.1 15.1.1 15.2.1 15.3.1
"""
LEVEL_2 = """
1.1.1-2 1.2.6-9 1.3.3-11 1.4.1-3 1.5.2 2.1.2-3 2.2.3 2.3.2-4 2.4.1 3.3.2-4 3.4.3-6 3.5.4-5 3.7.1-2 4.1.2-3 4.2.1
4.3.1-2 4.4.2-4 5.1.1 5.2.3 5.4.1-3 6.1.2-3 6.2.9-12 6.3.3-4 6.4.3-4 6.5.1-5 6.6.1-3 6.8.1-4 7.1.1-3 7.3.1-2 7.4.3-5
7.5.1-2 7.6.1-2 8.1.2 8.2.3 8.4.1 9.2.2-4 10.1.1-2 10.2.1-2 10.3.1-4 10.4.6-11 10.5.1-5 10.6.1-2 10.7.1-3 11.1.1-2
11.2.1-3 11.3.3 11.4.2-4 11.5.1 11.6.1 12.1.2-3 12.3.1-4 13.1.1 13.2.1-5 13.3.1-2 13.4.2-5 14.1.1-2 14.2.2-4 14.3.2-3
15.1.2-3 15.2.2-3 15.3.2-7 16.1.1 16.2.1-5 16.3.1-4 16.4.1-3 16.5.1-3 17.1.1 17.2.1-4 17.3.1-2
"""


def read_numbers(text: str) -> list[str]:
    """`1.2.1–3, 1.3.1` as the four numbers that it stands for."""
    found = []
    for section, first, last in re.findall(r"(\d+\.\d+)\.(\d+)(?:[-–](\d+))?", text):
        found += [f"{section}.{number}" for number in range(int(first), int(last or first) + 1)]
    return found


ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+\.\d+\.\d+", line)
]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


def test_the_numbers_are_those_of_the_standard() -> None:
    assert (len(read_numbers(LEVEL_1)), len(read_numbers(LEVEL_2))) == (70, 183)


def test_every_requirement_of_levels_1_and_2_has_one_line_and_no_other() -> None:
    answered = Counter(number for row in ROWS for number in read_numbers(row[0]))
    assert answered == Counter(read_numbers(LEVEL_1) + read_numbers(LEVEL_2))


def test_each_line_has_an_answer_and_its_reason() -> None:
    for numbers, answer, reason in ROWS:
        assert answer in ANSWERS, numbers
        assert reason, numbers
        assert answer != "held" or re.search(r"`test_\w+`", reason), f"{numbers}: held by what?"


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert sorted(named - TESTS) == []
