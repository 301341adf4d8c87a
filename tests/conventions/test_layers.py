"""The rules of docs/architecture.md: imports point down only, and who may use what."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "portal"


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


def test_an_import_points_down_only() -> None:
    """import-linter holds the contracts of `pyproject.toml`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_bycloud_client_knows_no_django() -> None:
    assert list_foreign("bycloud") == {"msgspec", "requests", "urllib3"}


def test_the_sandbox_is_made_of_the_standard_library_alone() -> None:
    assert list_foreign("sandbox") == set()


def test_http_is_spoken_in_the_client_alone() -> None:
    assert list_importers("requests", "urllib3", "http.client", "httpx") == {
        "portal/bycloud/connections.py",
        "portal/bycloud/transport.py",
    }


def test_only_the_vault_opens_what_is_encrypted() -> None:
    assert list_importers("cryptography") == {
        "portal/core/crypto.py",
        "portal/credentials/vault.py",
        "portal/settings.py",
    }


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


def test_one_module_uses_what_is_private_to_allauth() -> None:
    """Allauth may move it in any release. If it does, this module can't be imported, and no test runs."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in list_modules()
        for name in list_imports(path)
        if name.startswith("allauth.") and ".internal" in name
    }
    assert users == {"portal/accounts/allauth_internals.py"}
