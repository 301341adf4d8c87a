"""All regular expressions of the portal run in linear time on untrusted input."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conventions.patterns import find_slow
from tests.test_gunicorn import make_environment

ROOT = Path(__file__).parent.parent.parent


def test_every_pattern_is_linear_over_its_own_words() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.conventions.patterns"],
        cwd=ROOT,
        env=make_environment(DJANGO_SETTINGS_MODULE="portal.settings"),
        timeout=120,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = answer.stdout.splitlines()
    assert [line for line in lines if line.startswith("slow ")] == []
    assert lines[-1] == "done"
    looked_at = "\n".join(lines)
    # One of each kind of place, so that the walk does not fall silent: a module's, in a tuple, in a field's validator,
    # a route's converter, where it is used.
    for place in (
        "portal.core.compression._REFUSED",
        "portal.core.logs.",
        r"'^[A-Za-z0-9._+-]+\\Z'",
        "route ^(?P<region>[a-z0-9-]+)/instances/",
        "portal.core.http:'[?#]'",
    ):
        assert place in looked_at


@pytest.mark.parametrize(
    "pattern",
    [
        r"[\w-]*(?:token|password|secret)[\w-]*[:=]",
        r"(a+)+$",
        r"\s+$",
        r"(\w+\s?)*$",
        r"\d*x\d*y",
    ],
)
def test_what_is_not_linear_is_found(pattern: str) -> None:
    assert len(list(find_slow({"it": re.compile(pattern)}))) == 1
