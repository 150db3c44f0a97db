"""
A history as texts, or as a Parquet file: what leaves the store for others.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from artstore.runs.columns import as_json
from artstore.runs.history import rows_of, write_segment

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["csv_lines", "json_rows", "parquet_bytes", "text_rows"]


def json_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Each row with the values it has, as JSON prints them: `"NaN"` is a text."""
    for row in rows_of(table):
        yield {key: as_json(value) for key, value in row.items()}


def text_rows(table: pa.Table) -> Iterator[list[str]]:
    """Each row as texts, empty where there is no value."""
    names = table.column_names
    for row in json_rows(table):
        yield [_text(row.get(name)) for name in names]


def csv_lines(table: pa.Table) -> Iterator[str]:
    """RFC 4180 with a line of names, and line feeds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in text_rows(table):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def parquet_bytes(table: pa.Table) -> bytes:
    """The bytes of a Parquet file."""
    return write_segment(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        import json

        return json.dumps(value, ensure_ascii=False)
    return str(value)
