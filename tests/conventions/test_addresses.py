"""Absolute URLs are built from PUBLIC_URL only, because clients control the host of a request."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_no_code_makes_an_address_from_the_request() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "portal").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Attribute, ast.Name, ast.alias))
        and "build_absolute_uri" in {getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "name", "")}
    ]
    assert found == []


def test_no_template_does() -> None:
    words = ("build_absolute_uri", "get_host", "get_current_site")
    pages = [path for path in (ROOT / "templates").rglob("*") if path.is_file()]
    assert len(pages) > 50
    assert [path.name for path in pages if any(word in path.read_text(encoding="utf-8") for word in words)] == []
