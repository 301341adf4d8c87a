"""Parses JSON that does not fully match the docs: an invalid value is dropped, and the rest is kept.

Values are converted only between notations with the same meaning: `4096.0` and `"4096"` become 4096, `"true"` becomes
true, and an integer in the metadata, whose values are strings, becomes its digits. An empty string or a date without a
time is not a valid time: the docs do not use the first for null, and the second lacks the time of day and the zone.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T", bound=msgspec.Struct)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_NUMBER = 1000
# Far deeper than any documented field, and far below the decoders' own limits.
DEEPEST = 100
_NOTHING: Final = object()
_ROOT = "$"

# A backslash and what it escapes. The group matches a lone surrogate.
_ESCAPES = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))", re.DOTALL
)
# A string, closed or not, so that no match starts inside one; or a NaN or Infinity, as many programs write them.
_TEXTS_AND_NO_NUMBERS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|(-?(?:NaN|Infinity))', re.DOTALL)
# A string, or a change of the nesting depth.
_TEXTS_AND_NESTING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|([\[{]+)|[\]}]', re.DOTALL)
_CONTROL_TO_SPACE = bytes.maketrans(bytes(range(0x20)), b" " * 0x20)


def repair(body: bytes) -> bytes:
    """The body with common JSON errors repaired, each in the same number of bytes.

    A lone surrogate becomes the replacement character, a raw control character a space, and NaN or Infinity an empty
    string, which is not a number either. A value nested deeper than `DEEPEST` becomes an empty string, too.
    """
    body = body.translate(_CONTROL_TO_SPACE)
    if b"NaN" in body or b"Infinity" in body:
        body = _TEXTS_AND_NO_NUMBERS.sub(lambda found: b'""'.ljust(len(found[0])) if found[1] else found[0], body)
    return _flatten(_ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], body))


def _flatten(body: bytes) -> bytes:
    flat = bytearray()
    depth = kept = 0
    begins_at: int | None = None
    for found in _TEXTS_AND_NESTING.finditer(body):
        opened, before = found[1], depth
        if opened:
            depth += len(opened)
            if before <= DEEPEST < depth and begins_at is None:
                begins_at = found.start() + DEEPEST - before
        elif found[0] in {b"]", b"}"}:
            depth -= 1
            if begins_at is not None and depth == DEEPEST:
                flat += body[kept:begins_at] + b'""'.ljust(found.end() - begins_at)
                kept, begins_at = found.end(), None
    return bytes(flat + body[kept:]) if kept else body


def read_json(text: bytes) -> object:
    """Parse JSON that `repair` has repaired. Raises `ValueError`, or `RecursionError` if it is nested too deeply."""
    return json.loads(text.decode(errors="replace"), parse_int=_parse_int)


def read_as(kind: type[T], value: object, *, may_be_null: bool = False) -> tuple[T | None, tuple[str, ...]]:
    """What could be converted of `value`, and the sorted JSON paths of what could not (`[...]` for any entry).

    Entries of lists and objects that fail are dropped. The value is None if nothing could be converted.
    """
    if value is None and may_be_null:
        return None, ()
    paths: set[str] = set()
    found = _read(_describe(kind), value, _ROOT, paths)
    return None if found is _NOTHING else found, tuple(sorted(paths))


@cache
def _describe(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _parse_int(digits: str) -> int | float:
    """Infinity for a very long integer, because Python refuses to convert thousands of digits back to text."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else float("inf")


def _read(kind: inspect.Type, value: Any, path: str, paths: set[str]) -> Any:
    if isinstance(kind, inspect.UnionType):
        if value is None:
            return None
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    match kind, value:
        case inspect.StructType(), dict():
            given = [field for field in kind.fields if field.encode_name in value]
            read = {
                field.name: _read(field.type, value[field.encode_name], f"{path}.{field.encode_name}", paths)
                for field in given
            }
            return kind.cls(**_without_nothing(read))
        case inspect.DictType(), dict():
            read = {key: _read(kind.value_type, each, f"{path}[...]", paths) for key, each in _spell(kind, value)}
            return _without_nothing(read)
        case inspect.VarTupleType(), list():
            entries = [_read(kind.item_type, each, f"{path}[...]", paths) for each in value]
            return tuple(each for each in entries if each is not _NOTHING)
    plain = _PLAIN.get(type(kind))
    try:
        return msgspec.convert(value, plain, strict=plain not in _NOTATIONS) if plain else _fail(path, paths)
    except msgspec.ValidationError:
        return _fail(path, paths)


def _fail(path: str, paths: set[str]) -> object:
    paths.add(path)
    return _NOTHING


def _spell(kind: inspect.DictType, value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The entries of an object. If its values are strings, integers and booleans are converted to text."""
    is_free = isinstance(kind.value_type, inspect.UnionType) and any(
        isinstance(one, inspect.StrType) for one in kind.value_type.types
    )
    return [(key, json.dumps(each) if is_free and isinstance(each, int) else each) for key, each in value.items()]


def _without_nothing(read: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in read.items() if each is not _NOTHING}


_PLAIN: Mapping[type[inspect.Type], Any] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.BoolType: bool,
    inspect.DateTimeType: datetime,
}
# Types whose values may be written in more than one notation.
_NOTATIONS = (int, bool)
