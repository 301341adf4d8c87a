"""Reads as much as can be read of JSON that is not all as documented: what is odd costs itself and nothing beside it.

Only what says the same in another notation is read as something else: `4096.0` and `"4096"` are 4096, `"true"` is true,
and a whole number among the values of metadata, which are free texts, is its digits. An empty text or a mere date is no
time: the one is not what the docs show for none, and the other leaves zone and time of the day to be guessed.
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
# Far more than any documented field, and far less than what the decoders take.
DEEPEST = 100
_NOTHING: Final = object()
_ROOT = "$"

# A backslash and what it escapes. Half of a pair of surrogates is in the group.
_ESCAPES = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))", re.DOTALL
)
# A text, closed or not, so that none is begun twice; or what many programs write for a number that is none.
_TEXTS_AND_NO_NUMBERS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|(-?(?:NaN|Infinity))', re.DOTALL)
# A text, or how far it goes in or out.
_TEXTS_AND_NESTING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|([\[{]+)|[\]}]', re.DOTALL)
_CONTROL_TO_SPACE = bytes.maketrans(bytes(range(0x20)), b" " * 0x20)


def mend(body: bytes) -> bytes:
    """JSON without the slips that would hide all of it, each in as many bytes as before.

    Half of a surrogate pair becomes the replacement character, a bare control character a space, and NaN or Infinity
    an empty text, which is no number either; so does what is nested more than `DEEPEST` deep.
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
    """Any JSON that `mend` has gone over. Raises `ValueError`, or `RecursionError` for what is nested too deeply."""
    return json.loads(text.decode(errors="replace"), parse_int=_parse_int)


def read_as(kind: type[T], value: object, *, may_be_null: bool = False) -> tuple[T | None, tuple[str, ...]]:
    """What can be read of `value`, and the JSON paths of what cannot (`[...]` for any entry), sorted.

    An entry of a list or an object that cannot be read is left out; None when nothing can be read at all.
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
    """Python does not write out an integer of thousands of digits again."""
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
    """The entries of an object; where they are free texts, whole numbers and truths as they are written."""
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
# The same value may be written in more than one way.
_NOTATIONS = (int, bool)
