"""Extracts translatable texts from code and templates, and reads the message catalogs.

It does not need the gettext programs, so that its tests run everywhere.
"""

import ast
import gettext
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.template import engines

ROOT = Path(__file__).parent.parent.parent
LOCALES = ROOT / "locale"
# A page for those who work on the portal.
UNTRANSLATED = ROOT / "templates/development"
# Where the context, the singular and the plural stand among the arguments, by the function's name.
_PLACES = {
    "gettext": (None, 0, None),
    "ngettext": (None, 0, 1),
    "pgettext": (0, 1, None),
    "npgettext": (0, 1, 2),
}


@dataclass(frozen=True)
class Message:
    """What is to be translated. `context` tells equal words apart; `plural` is empty where nothing is counted."""

    singular: str
    plural: str = ""
    context: str = ""

    @property
    def key(self) -> str:
        """As catalogs name it."""
        return f"{self.context}\x04{self.singular}" if self.context else self.singular


@dataclass(frozen=True)
class Entry:
    """A message and its translations: one, or one for each plural form."""

    message: Message
    translations: tuple[str, ...]
    is_fuzzy: bool


def list_messages() -> dict[Message, str]:
    """Every message of the product, and a file it stands in."""
    messages: dict[Message, str] = {}
    for path in sorted((ROOT / "portal").rglob("*.py")):
        messages |= dict.fromkeys(read_code(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix())
    for path in list_templates():
        messages |= dict.fromkeys(read_template(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix())
    return messages


def list_templates() -> list[Path]:
    """Pages, and the texts of mails."""
    found = (path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"})
    return sorted(path for path in found if UNTRANSLATED not in path.parents)


def read_code(source: str) -> Iterator[Message]:
    """The messages of Python code, whatever names it gives gettext's functions."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name: alias.name.removesuffix("_lazy")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and names.get(node.func.id) in _PLACES:
            yield _read_call(node, _PLACES[names[node.func.id]])


def read_template(source: str) -> Iterator[Message]:
    """The messages of a template, as Jinja2 itself extracts them."""
    for _line, function, found in engines["jinja2"].env.extract_translations(source):  # type: ignore[attr-defined]
        texts = (found,) if isinstance(found, str) else found
        context, singular, plural = _PLACES.get(function, _PLACES["gettext"])
        yield Message(*("" if place is None else texts[place] for place in (singular, plural, context)))


def _read_call(node: ast.Call, places: tuple[int | None, int, int | None]) -> Message:
    context, singular, plural = ("" if place is None else ast.literal_eval(node.args[place]) for place in places)
    return Message(singular, plural, context)


def read_po(path: Path) -> list[Entry]:
    """The entries of a catalog, its header left out."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    entries = [_read_block(block) for block in blocks if not block.startswith("#~")]
    return [entry for entry in entries if entry.message.singular]


def _read_block(block: str) -> Entry:
    texts: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        keyword, quote, text = line.partition('"')
        name = keyword.strip() or name
        texts[name] = texts.get(name, "") + ast.literal_eval(quote + text)
    message = Message(texts["msgid"], texts.get("msgid_plural", ""), texts.get("msgctxt", ""))
    translations = tuple(text for name, text in texts.items() if name.startswith("msgstr"))
    is_fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in block.splitlines())
    return Entry(message, translations, is_fuzzy)


def read_mo(path: Path) -> dict[str | tuple[str, int], str]:
    """What a compiled catalog holds, its header left out: by message, or by message and plural form."""
    with path.open("rb") as file:
        catalog = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    return {key: text for key, text in catalog.items() if key}
