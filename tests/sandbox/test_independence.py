"""The sandbox and the rest of the portal do not import each other."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SANDBOX = ROOT / "portal" / "sandbox"
PRODUCT = [path for path in (ROOT / "portal").rglob("*.py") if SANDBOX not in path.parents]


def imports(path: Path) -> Iterator[str]:
    """The full name of everything that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sorted(SANDBOX.rglob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_imports_itself_and_the_standard_library_only(path: Path) -> None:
    foreign = {
        name
        for name in imports(path)
        if not f"{name}.".startswith("portal.sandbox.") and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_nothing_in_the_product_imports_the_sandbox() -> None:
    assert PRODUCT
    guilty = [path for path in PRODUCT if any(f"{name}.".startswith("portal.sandbox.") for name in imports(path))]
    assert guilty == []
