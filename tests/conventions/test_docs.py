"""The docs match the settings, routes and dependencies, and their links work."""

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.text import slugify

from tests.test_settings import PRODUCTION

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
ROWS = re.compile(r"^\| *(.*?) *\|$", re.MULTILINE)
LINKS = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def read_table(document: str, *, first: str) -> list[list[str]]:
    """The rows of the table whose first heading is `first`, cell by cell, without the marks of code."""
    text = (ROOT / document).read_text(encoding="utf-8").partition(f"| {first} |")[2].partition("\n\n")[0]
    rows = [[cell.strip().strip("`") for cell in row.split(" | ")] for row in ROWS.findall(f"\n{text}")]
    return [row for row in rows if not set("".join(row)) <= set("|-: ")]


SETTINGS = read_table("docs/settings.md", first="Setting")


def list_settings() -> set[str]:
    """Every name that the settings, or the server's, are read from."""
    text = "".join((ROOT / "portal" / name).read_text(encoding="utf-8") for name in ("settings.py", "gunicorn.py"))
    return set(re.findall(r"read(?:_secret)?\(\s*(?:[\w.]+, )?\"([A-Z_]+)\"", text))


def list_routes(resolver: URLResolver, prefix: str = "/", namespace: str = "") -> Iterator[tuple[str, str, str]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            name = f"{namespace}:{pattern.name}" if namespace else str(pattern.name)
            yield route, name, str(getattr(pattern.callback, "capability", None))
        else:
            yield from list_routes(pattern, route, pattern.namespace or namespace)


def list_anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {slugify(title) for title in titles}


def test_the_table_of_settings_is_whole() -> None:
    assert {row[0] for row in SETTINGS} == list_settings()


@pytest.mark.parametrize(
    ("name", "default"),
    # PORT is the server's; tests/test_gunicorn.py holds it.
    [(row[0], row[1]) for row in SETTINGS if row[1] not in {"none", "required"} and row[0] != "PORT"],
)
def test_a_default_of_the_table_is_the_default(name: str, default: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_settings(**environment: str) -> dict[str, Any]:
        for given, value in (PRODUCTION | environment).items():
            monkeypatch.setenv(given, value)
        values = runpy.run_path(str(ROOT / "portal/settings.py"), run_name="portal.settings")
        return {key: repr(value) for key, value in values.items() if key.isupper()}

    for row in SETTINGS:
        monkeypatch.delenv(row[0], raising=False)
    without = read_settings()
    given = {"DATABASE_URL": f"sqlite:///{ROOT / default}", "STATIC_ROOT": str(ROOT / default), "PORTAL_PROCESSES": "1"}
    assert read_settings(**{name: given.get(name, default)}) == without


def test_the_table_of_routes_is_true() -> None:
    table = {(row[0], row[1], row[2]) for row in read_table("docs/routes.md", first="Route")}
    assert table == set(list_routes(get_resolver()))


def test_each_direct_dependency_has_its_reason_and_no_other() -> None:
    names = {
        re.split(r"[<>=~!\[ ]", line)[0].lower()
        for path in ROOT.glob("requirements/*.in")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
    reasons = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").partition("## Not taken")[0]
    explained = {row.split(" |")[0].strip("`") for row in re.findall(r"^\| (`.*?)$", reasons, re.MULTILINE)}
    assert {re.split(r"[\[` ]", name)[0].lower() for name in explained} == names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    lost = []
    for link in LINKS.findall(document.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in list_anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_lock_files_name_no_host() -> None:
    for path in ROOT.glob("requirements/*.txt"):
        assert not re.search(r"https?://|--index-url|--find-links", path.read_text(encoding="utf-8"))


def test_the_changelog_tells_of_the_version_there_is() -> None:
    version = runpy.run_path(str(ROOT / "portal/__init__.py"))["__version__"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dynamic"] == ["version"]
