"""A page of the list as a file: CSV with the columns that are shown, JSON with all that is known. Knows no requests.

ByCloud's raw values under ByCloud's own names, in every language; a part of a field is named `flavor.ram`. Times are
ISO 8601. What a spreadsheet would take for a formula
is made text (OWASP: CSV Injection).
"""

import csv
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec

from portal.bycloud import Instance, Region, list_unreadable_paths
from portal.core.csv_safety import escape_formula
from portal.core.formatting import iso_text
from portal.instances.columns import Column

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def write_csv(instances: Sequence[Instance], columns: Sequence[Column]) -> bytes:
    """In UTF-8 with a byte order mark, without which spreadsheets take it for something else.

    Where not all can be read, a cell would be as empty as one that has nothing: a column more has the JSON paths.
    """
    file = StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    unreadable = [list_unreadable_paths(instance) for instance in instances]
    is_partial = any(unreadable)
    names = ["id", *(column.field or column.name for column in columns)]
    writer.writerow([*names, "unreadable"] if is_partial else names)
    for instance, paths in zip(instances, unreadable, strict=True):
        cells = [_write(instance.id), *(_write((column.read_raw or column.read)(instance)) for column in columns)]
        writer.writerow([*cells, _write(paths)] if is_partial else cells)
    return file.getvalue().encode("utf-8-sig")


def write_json(instances: Sequence[Instance], *, region: Region, fetched_at: datetime, source: str) -> bytes:
    """Every documented field of each instance; `source` is the request to ByCloud that they come from."""
    page = {"region": region.code, "fetched_at": iso_text(fetched_at), "source": source, "instances": instances}
    return msgspec.json.format(msgspec.json.encode(page), indent=2)


def name_file(region: Region, fetched_at: datetime, ending: str) -> str:
    """Letters, digits, dashes and one dot: `instances-spo1-20261123T143207Z.csv`."""
    return f"instances-{region.code}-{iso_text(fetched_at).replace('-', '').replace(':', '')}.{ending}"


def _write(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso_text(value)
    if isinstance(value, int):
        return str(value)
    text = "; ".join(value) if isinstance(value, tuple) else str(value)
    return escape_formula(text)
