"""Writes all instances that match, or those that were selected, from the index and in constant memory: as CSV, as JSON
lines, or one value of each as plain lines.

The set of instances is fixed first; then their JSON is read in chunks by key. No cursor and no transaction is open
while the client takes its time, and the database connection is given back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog
from django.db import DataError, connection

from portal.bycloud import (
    Fault,
    Flavor,
    Image,
    Instance,
    PartialInstance,
    decode_instance,
    list_addresses,
    list_unreadable_paths,
)
from portal.bycloud.tolerant import repair
from portal.core.csv_safety import csv_cell
from portal.core.formatting import iso_text
from portal.fleet.models import IndexedInstance
from portal.fleet.records import read_body
from portal.instances.columns import COLUMNS
from portal.instances.export_plan import Export, Format, TextFormat, write_coverage

if TYPE_CHECKING:
    from array import array

ROWS_PER_CHUNK = 500
# By one process: each keeps a thread while its client reads.
MOST_EXPORTS = 4

Reader = Callable[[Instance], Any]

_slots = BoundedSemaphore(MOST_EXPORTS)
log = structlog.get_logger(__name__)

# What has several cells, and stands for one that is absent.
_PARTS: dict[str, msgspec.Struct] = {"flavor": Flavor(), "image": Image(), "fault": Fault()}
_NEXT_CELL = '","'


def _list_fields() -> Iterator[tuple[tuple[str, ...], Reader]]:
    """All documented fields in their order, and what else the list has columns for. A part is read as a whole."""
    columns = {column.field or column.name: column.read_raw or column.read for column in COLUMNS.values()}
    for name in Instance.__struct_fields__:
        if name in _PARTS:
            parts = tuple(f"{name}.{part}" for part in _PARTS[name].__struct_fields__)
            yield parts, _read_part(name)
            columns = {field: read for field, read in columns.items() if field not in parts}
        else:
            yield (name,), columns.pop(name, attrgetter(name))
    yield from (((name,), read) for name, read in columns.items())


def _read_part(name: str) -> Reader:
    read = attrgetter(name)
    return lambda instance: read(instance) or _PARTS[name]


_FIELDS = tuple(_list_fields())
# What the portal adds: when the instance was seen, how much of the list the index had, and JSON paths in the instance
# that could not be parsed, whose cells are empty.
NAMES = (*chain.from_iterable(names for names, _read in _FIELDS), "last_seen", "coverage", "unreadable")
_TEXTS: dict[TextFormat, Callable[[Instance], Iterable[str | None]]] = {
    "ids": lambda one: (one.id,),
    "names": lambda one: (one.name,),
    "addresses": lambda one: (address for address in list_addresses(one) if ":" not in address),
}
_WHOLE = "$"
_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


class TooManyExportsError(Exception):
    """As many files as may be written at once are being written by this process."""


class ExportInterruptedError(Exception):
    """Instances of the file were deleted while it was written: their credential was replaced or removed."""


class _Found(NamedTuple):
    """An instance in the index. `source` is its untouched JSON; None if that cannot be read."""

    instance_id: str
    last_seen: datetime
    source: bytes | None


def start_export(export: Export, file_format: Format | TextFormat) -> Iterator[bytes]:
    """Like `write_export`, as one of a few at a time. Raises `TooManyExportsError`. Close it when it is not read on."""
    if not _slots.acquire(blocking=False):
        raise TooManyExportsError
    pieces = _hold_slot(export, file_format)
    # From here on, closing it gives the slot back.
    next(pieces)
    return pieces


def _hold_slot(export: Export, file_format: Format | TextFormat) -> Iterator[bytes]:
    try:
        yield b""
        yield from write_export(export, file_format)
    except Exception:
        log.exception("export_failed", instances=len(export.keys))
        raise
    finally:
        _slots.release()


def write_export(export: Export, file_format: Format | TextFormat) -> Iterator[bytes]:
    """The file in pieces. Raises `ExportInterruptedError`, so that what was sent so far is not taken for all of it."""
    write: Callable[[Sequence[_Found], Export], bytes]
    if file_format == "csv":
        write = _write_rows
        # Spreadsheets need the byte order mark to recognize UTF-8.
        yield "\ufeff".encode() + _write_csv([NAMES])
    elif file_format == "jsonl":
        write = _write_lines
        yield _write_first_line(export)
    else:
        write = partial(_write_found_texts, file_format)
    for start in range(0, len(export.keys), ROWS_PER_CHUNK):
        yield write(_read_chunk(export.keys[start : start + ROWS_PER_CHUNK]), export)


def write_texts(instances: Iterable[Instance], file_format: TextFormat) -> bytes:
    """Lines to copy: the id or the name of each instance, or its IPv4 addresses. Absent ones are left out."""
    lines = chain.from_iterable(map(_TEXTS[file_format], instances))
    # A line break within a name would make two of it.
    return "".join([f"{' '.join(line.splitlines())}\n" for line in lines if line]).encode(errors="replace")


def _read_chunk(keys: "array[int]") -> list[_Found]:
    rows = IndexedInstance.objects.filter(pk__in=list(keys)).values_list("pk", "instance_id", "last_seen", "body__body")
    found = {key: (instance_id, last_seen, body) for key, instance_id, last_seen, body in rows}
    if not connection.in_atomic_block:
        # A slow client would keep it for minutes.
        connection.close()
    if len(found) < len(keys):
        raise ExportInterruptedError
    return [_Found(found[key][0], found[key][1], _read_source(found[key][2], key)) for key in keys]


def _read_source(body: bytes | memoryview | None, key: int) -> bytes | None:
    """The untouched JSON; None if it is damaged, which costs this row and no other."""
    try:
        return None if body is None else read_body(body)
    except DataError as error:
        log.warning("indexed_body_not_read", instance=key, reason=str(error))
        return None


def _write_rows(found: Sequence[_Found], export: Export) -> bytes:
    # Many instances have the same values, and escaping costs as much as all the rest.
    cell, readers = cache(_write_cells), [read for _names, read in _FIELDS]
    coverage, rows = cell(write_coverage(export.coverage)), []
    for each in found:
        instance = _decode(each)
        cells = [cell(read(instance)) for read in readers]
        rows.append([*cells, cell(each.last_seen), coverage, cell(list_unreadable_paths(instance))])
    return _write_csv(rows)


def _write_cells(value: object) -> str:
    """A value as it stands between quotes; the values of a part as several cells."""
    if isinstance(value, msgspec.Struct):
        return _NEXT_CELL.join(map(_write_cells, msgspec.structs.astuple(value)))
    return csv_cell(value).replace('"', '""')


def _write_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """All cells are in quotes, and their own quotes are doubled already. Python's writer looks at each character again,
    which was a fifth of an export.
    """
    lines = [_NEXT_CELL.join(cells) for cells in rows]
    return "".join([f'"{line}"\r\n' for line in lines]).encode()


def _decode(found: _Found) -> Instance:
    if found.source is None:
        return PartialInstance(id=found.instance_id, unreadable=(_WHOLE,))
    return decode_instance(found.source)


def _write_found_texts(file_format: TextFormat, found: Sequence[_Found], _export: Export) -> bytes:
    return write_texts(map(_decode, found), file_format)


def _write_lines(found: Sequence[_Found], _export: Export) -> bytes:
    return b"".join([_write_line(instance_id, source) for instance_id, _last_seen, source in found])


def _write_line(instance_id: str, source: bytes | None) -> bytes:
    """The JSON of ByCloud on one line. What is no JSON is repaired; if that is not possible, the id stands alone."""
    if source is not None:
        # In JSON, line breaks can only stand between values.
        line = source.translate(_LINE_BREAKS)
        if _is_json(line) or _is_json(line := repair(source)):
            return line + b"\n"
    return msgspec.json.encode({"id": instance_id, "unreadable": [_WHOLE]}) + b"\n"


def _is_json(text: bytes) -> bool:
    try:
        _ANY_JSON.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _write_first_line(export: Export) -> bytes:
    coverage = export.coverage
    about = {
        "region": export.region_code,
        "query": export.query,
        "made_at": iso_text(export.made_at),
        "instances": len(export.keys),
        "oldest_seen": iso_text(export.oldest) if export.oldest else None,
        "newest_seen": iso_text(export.newest) if export.newest else None,
        "known": coverage.known,
        "total": coverage.region_total,
        "is_complete": coverage.is_complete,
    }
    return msgspec.json.encode({"export": about}) + b"\n"
