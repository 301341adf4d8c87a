"""Exports a page of the list: CSV with the visible columns, JSON with all fields. Does not depend on requests.

Names and raw values are ByCloud's own, in every language; nested fields are named like `flavor.ram`. Times are ISO
8601. Values that a spreadsheet would run as formulas are escaped (OWASP: CSV Injection).
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
    """UTF-8 with a byte order mark, without which spreadsheets assume another encoding.

    If values could not be parsed, an extra column has their JSON paths, because an empty cell means no value.
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
    """All documented fields of each instance. `source` is the request to ByCloud behind them."""
    page = {"region": region.code, "fetched_at": iso_text(fetched_at), "source": source, "instances": instances}
    return msgspec.json.format(msgspec.json.encode(page), indent=2)


def name_file(region: Region, fetched_at: datetime, ending: str) -> str:
    """Only letters, digits, dashes and one dot: `instances-spo1-20261123T143207Z.csv`."""
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
