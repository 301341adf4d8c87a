"""docs/architecture.md says: an import points down only. These tests read every import of the product."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "portal"
APPS = {"accounts", "audit", "credentials", "instances", "saved_views", "web"}
# What builds on the other apps: nothing below knows of it.
TOP = {"credentials", "instances", "saved_views"}

# Who may import what, by the part of `portal` a module belongs to. A part may always import itself.
ALLOWED = {
    "bycloud": set(),
    "environment": {"bycloud"},
    "settings": {"bycloud", "environment", "web"},
    "gateway": {"bycloud"},
    "audit": APPS - TOP,
    "accounts": APPS - {"instances", "saved_views"},
    "credentials": {"bycloud", "gateway"} | APPS - {"instances", "saved_views"},
    # They know a list by its query string alone; what that means is the instances' business.
    "saved_views": {"bycloud"} | APPS - {"credentials", "instances"},
    "instances": {"bycloud", "gateway"} | APPS,
    "web": {"bycloud", "environment"} | APPS - {"instances", "saved_views"},
    "sandbox": set(),
    "urls": APPS,
    "wsgi": set(),
    "gunicorn": {"environment", "settings"},
    "worker": {"settings"},
}


def list_modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def list_imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as a dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports by dots; write the whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def list_foreign(part: str) -> set[str]:
    """The packages from elsewhere that a part imports, the standard library left out."""
    names = {name.split(".")[0] for path in list_modules() if part_of(path) == part for name in list_imports(path)}
    return names - set(sys.stdlib_module_names) - {"portal"}


def list_importers(*packages: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in list_modules()
        for name in list_imports(path)
        if name.split(".")[0] in packages
    }


@pytest.mark.parametrize("path", list_modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_import_points_down_only(path: Path) -> None:
    part = part_of(path)
    ours = {name.split(".")[1] for name in list_imports(path) if name.startswith("portal.")} - {"__version__"}
    assert ours - {part} <= ALLOWED[part]


def test_the_bycloud_client_knows_no_django() -> None:
    assert list_foreign("bycloud") == {"msgspec", "requests", "urllib3"}


def test_the_sandbox_is_made_of_the_standard_library_alone() -> None:
    assert list_foreign("sandbox") == set()


def test_one_module_speaks_http() -> None:
    assert list_importers("requests", "urllib3", "http.client", "httpx") == {"portal/bycloud/transport.py"}


def test_only_the_vault_opens_what_is_sealed() -> None:
    assert list_importers("cryptography") == {"portal/credentials/vault.py", "portal/settings.py"}


def test_only_the_gateway_makes_clients() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in list_modules()
        if part_of(path) != "bycloud"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "Client")
        or (isinstance(node, ast.alias) and node.name == "Client")
    }
    assert users
    assert {user.split("/")[1] for user in users} == {"gateway"}
