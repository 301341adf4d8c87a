"""One name, one thing."""

import ast
import inspect
from collections import Counter
from pathlib import Path

PORTAL = Path(__file__).parent.parent.parent / "portal"
# Names that Django gives each app's classes.
GIVEN_BY_DJANGO = {"Meta", "Command", "Migration"}
# What every reader takes for the standard library's, Django's or requests' module.
TAKEN = {"logging", "messages", "requests"}


def test_no_class_name_stands_twice() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PORTAL.rglob("*.py")]
    counts = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name for name, count in counts.items() if count > 1} <= GIVEN_BY_DJANGO


def test_no_module_is_named_like_one_that_every_reader_knows() -> None:
    names = {inspect.getmodulename(str(path)) for path in PORTAL.rglob("*.py")}
    assert "settings" in names
    assert not names & TAKEN
