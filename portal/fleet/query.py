"""The text of a query and its conditions. Knows neither the index nor requests; docs/fleet.md describes the language.

A text becomes conditions, all of which must hold. `write` is the opposite of `parse`: it writes the one canonical text.
"""

import re
from collections.abc import Iterable

import msgspec
from django.utils.translation import gettext as _

LONGEST_TEXT = 1000
MOST_VALUES = 50
METADATA = "meta."
# Keys whose values are compared as texts, and `ip`.
TEXT_KEYS = frozenset(
    {"flavor", "group", "id", "image", "ip", "is", "key", "name", "network", "power", "status", "tag", "task"}
)
# Keys whose values are compared as quantities, so that `ram>=8` is a condition too.
NUMBER_KEYS = ("disk", "ram", "vcpus")
AGE_KEYS = ("created", "launched", "missing", "updated")
KEYS = tuple(sorted((*TEXT_KEYS, *NUMBER_KEYS, *AGE_KEYS)))

_SPACE = re.compile(r"\s*")
_NAME = r'"(?:[^"]|""){0,255}"|[^\s":,<>]{1,255}'
_KEY = re.compile(rf"(?<![^\s-])([a-z_]{{1,20}})(?:\.({_NAME}))?(:|(?=[<>]))", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"?')
_EXCLUDED = re.compile(r"-(?=\S)")
# Addresses of every kind, and what ByCloud's resource names begin with.
_COLONS = re.compile(r"\A(?:[0-9a-f:./%]*\Z|crn:)", re.IGNORECASE)
_WORD = re.compile(r"\S+")
_VALUE = re.compile(r"[^\s,]*")
_QUOTED_VALUE = re.compile(r'\*?"(?:[^"]|"")*"')
_REST = re.compile(r".*", re.DOTALL)
_COMPARABLE = (*NUMBER_KEYS, *AGE_KEYS)


class QueryError(ValueError):
    """The text is too long, or has too many words. The message is a sentence for people."""


class Value(msgspec.Struct, frozen=True):
    """A text to compare with; anything may stand before or after it where it has `*`."""

    text: str
    any_before: bool = False
    any_after: bool = False


class Condition(msgspec.Struct, frozen=True):
    """One condition: any of `values` holds for `key`, or, with `is_excluded`, none of them does.

    `key` is empty for words, which may occur anywhere. It is in lower case, but for the part after `meta.`. A key
    without values is incomplete.
    """

    key: str
    values: tuple[Value, ...]
    is_excluded: bool = False


class Typed(msgspec.Struct, frozen=True):
    """What is being typed: `text` before the caret, a value of `key`, or a word if there is no key. The whole of it,
    with what follows the caret, stands from `start` to `end`.
    """

    start: int
    end: int
    key: str = ""
    text: str = ""


def parse(text: str) -> tuple[Condition, ...]:
    """The conditions of a text. Raises `QueryError` if there are too many; any other text has a meaning."""
    if len(text) > LONGEST_TEXT:
        raise QueryError(_("Longer than %(longest)d characters.") % {"longest": LONGEST_TEXT})
    conditions: dict[Condition, None] = {}
    count, place = 0, _skip_space(text, 0)
    while place < len(text):
        condition, place = _read_condition(text, place)
        place = _skip_space(text, place)
        count += max(1, len(condition.values))
        if count > MOST_VALUES:
            raise QueryError(_("More than %(most)d words and values.") % {"most": MOST_VALUES})
        # A word that is empty holds for everything.
        if condition.key or condition.values[0].text:
            conditions[condition] = None
    return tuple(conditions)


def write(conditions: Iterable[Condition]) -> str:
    """The canonical text of the conditions."""
    return " ".join(map(_write_condition, conditions))


def write_value(value: Value) -> str:
    """The canonical text of a value after a key."""
    bare = _write_value(value, value.text)
    is_plain = bool(bare) and _read_value(bare, 0, _VALUE) == (value, len(bare))
    return bare if is_plain else _write_value(value, _quote(value.text))


def read_value(text: str) -> Value:
    """The value that is the whole text: with `*` at an end, or in quotes."""
    return _read_value(text, 0, _REST)[0]


def read_values(text: str) -> tuple[Value, ...]:
    """The values in a text of their own, separated by commas. They need quotes only for a comma, or for `*`."""
    values, place = [], 0
    while place < len(text):
        place = _skip_space(text, place)
        quoted = _QUOTED_VALUE.match(text, place)
        end = text.find(",", quoted.end() if quoted else place)
        end = len(text) if end < 0 else end
        values.append(read_value(text[place:end].rstrip()))
        place = end + 1
    return tuple(dict.fromkeys(value for value in values if value.text or value.any_after))


def write_values(values: Iterable[Value]) -> str:
    """The opposite of `read_values`."""
    return ", ".join(map(_write_listed, values))


def find_typed(text: str, at: int) -> Typed:
    """What is being typed at `at`, the place of the caret. An empty word, if that is between two conditions."""
    place = _skip_space(text, 0)
    while place < len(text) and place <= at:
        end = _read_condition(text, place)[1]
        if at <= end:
            return _find_in_condition(text, place, end, at)
        place = _skip_space(text, end)
    return Typed(at, at)


def _find_in_condition(text: str, start: int, end: int, at: int) -> Typed:
    start += bool(_EXCLUDED.match(text, start))
    match = _KEY.match(text, start)
    key = _read_key(match) if match else ""
    if not match or not key or at < match.end():
        return Typed(start, end, text=text[start:at].removeprefix('"'))
    begin, end = next(span for span in _find_values(text, match.end()) if at <= span[1])
    return Typed(begin, end, key, _read_value(text[:at], begin, _VALUE)[0].text)


def list_unknown_keys(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """What looks like a key in the words of a query, such as `colour` in `colour:red`, but not what is an address."""
    words = [condition.values[0].text for condition in conditions if not condition.key]
    matches = [_KEY.match(word) for word in words if not _COLONS.match(word)]
    found = dict.fromkeys(match[1].lower() for match in matches if match)
    return tuple(key for key in found if key not in KEYS)


def find_metadata_name(key: str) -> str:
    """The name of the metadata that a key is about; empty for any other key."""
    return key.removeprefix(METADATA) if key.startswith(METADATA) else ""


def _skip_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _read_condition(text: str, start: int) -> tuple[Condition, int]:
    """The condition that begins at `start`, and where it ends."""
    is_excluded = bool(_EXCLUDED.match(text, start))
    place = start + is_excluded
    match = _KEY.match(text, place)
    key = _read_key(match) if match else ""
    if not match or not key:
        value, place = _read_value(text, place, _WORD)
        return Condition("", (value,), is_excluded), place
    spans = _find_values(text, match.end())
    values = [_read_value(text, begin, _VALUE)[0] for begin, end in spans if end > begin]
    return Condition(key, tuple(dict.fromkeys(values)), is_excluded), spans[-1][1]


def _find_values(text: str, place: int) -> list[tuple[int, int]]:
    """Where each of the values after a key begins and ends. Some may be empty, but there is at least one."""
    spans = [(place, _read_value(text, place, _VALUE)[1])]
    while text.startswith(",", end := spans[-1][1]):
        spans.append((end + 1, _read_value(text, end + 1, _VALUE)[1]))
    return spans


def _read_key(match: re.Match[str]) -> str:
    """The key in its canonical form; empty if it is not known, or cannot be followed by what follows it."""
    word, name, colon = match.groups()
    key = word.lower()
    if name:
        name = _unquote(name)
        return METADATA + name if name and colon and f"{key}." == METADATA else ""
    return key if key in KEYS and (colon or key in _COMPARABLE) else ""


def _read_value(text: str, place: int, bare: re.Pattern[str]) -> tuple[Value, int]:
    """The value at `place`, in quotes or as far as `bare` matches, and where it ends."""
    any_before = text.startswith("*", place)
    place += any_before
    if quoted := _QUOTED.match(text, place):
        content, place = _unquote(quoted[0]), quoted.end()
        any_after = text.startswith("*", place)
        place += any_after
    else:
        found = bare.match(text, place)
        content, place = (found[0], found.end()) if found else ("", place)
        any_after = content.endswith("*")
        content = content.removesuffix("*")
    if not content and (any_before or any_after):
        # `*` and `**` are the same.
        any_before, any_after = False, True
    return Value(content, any_before, any_after), place


def _unquote(text: str) -> str:
    quoted = _QUOTED.match(text)
    return quoted[1].replace('""', '"') if quoted else text


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _write_listed(value: Value) -> str:
    bare = _write_value(value, value.text)
    return bare if read_values(bare) == (value,) else _write_value(value, _quote(value.text))


def _write_condition(condition: Condition) -> str:
    sign = "-" if condition.is_excluded else ""
    if not condition.key:
        (value,) = condition.values
        bare = _write_value(value, value.text)
        is_plain = bool(bare) and _read_condition(bare, 0) == (Condition("", condition.values), len(bare))
        return sign + (bare if is_plain else _write_value(value, _quote(value.text)))
    name = find_metadata_name(condition.key)
    key = condition.key if not name or _KEY.fullmatch(f"{condition.key}:") else METADATA + _quote(name)
    texts = list(map(write_value, condition.values))
    is_comparison = len(texts) == 1 and condition.key in _COMPARABLE and texts[0][0] in "<>"
    return f"{sign}{key}{'' if is_comparison else ':'}{','.join(texts)}"


def _write_value(value: Value, content: str) -> str:
    return f"{'*' if value.any_before else ''}{content}{'*' if value.any_after else ''}"
